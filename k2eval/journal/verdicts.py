"""The verdicts of a run directory, checked against what its ``run.json`` says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from k2eval.errors import JournalError
from k2eval.journal.lines import RUN, VERDICTS, numbered_lines
from k2eval.journal.run_record import RunRecord
from k2eval.records import Verdict


def read_verdicts(folder: Path, run: RunRecord | None) -> Iterator[Verdict]:
    """Yield the verdicts of a run directory in the order of the file.

    Args:
        folder: The run directory.
        run: Its description; None if it has none, and then no verdict is expected.

    Raises:
        JournalError: If a line is no verdict, or is about a task, a question or a repeat that the run does not have.
            The message names file and line.
    """
    path = folder / VERDICTS
    questions: dict[str, set[str]] = {}
    for number, verdict in numbered_lines(path, Verdict):
        task = run.tasks.get(verdict.task) if run else None
        if task is None:
            known = ", ".join(run.tasks) if run else ""
            raise JournalError(
                f"{path}:{number}: expected verdicts on {known or 'no task'} (the tasks of {RUN}), got one on "
                f"{verdict.task!r:.100}. The file seems to be another run's; restore the right one."
            )
        ids = questions.setdefault(verdict.task, set())
        ids.add(verdict.question_id)
        fault = out_of_run(task.repeats, task.questions, verdict.repeat_index, len(ids))
        fault = fault or strangers(run, verdict.task, (verdict.question_id,))
        if fault:
            raise JournalError(foreign(f"{path}:{number}", verdict.task, fault))
        yield verdict


def out_of_run(repeats: int, questions: int, repeat_index: int, question_count: int) -> str | None:
    """Return why a verdict cannot be one of a task's, or None if it can.

    >>> out_of_run(repeats=4, questions=30, repeat_index=3, question_count=30)
    >>> out_of_run(repeats=4, questions=30, repeat_index=4, question_count=30)
    'expected a repeat_index from 0 to 3, got 4'
    """
    if repeat_index >= repeats:
        return f"expected a repeat_index from 0 to {repeats - 1}, got {repeat_index}"
    if question_count > questions:
        return f"expected verdicts on {questions} questions, got one on yet another"
    return None


def strangers(run: RunRecord | None, task: str, ids: Iterable[str]) -> str | None:
    """Return why questions cannot be those that a run asks of a task, or None if they can.

    Runs of k2eval 0.1.0 that lm-eval made name other questions than they asked, so they are not checked.
    """
    if run is None or run.k2eval.startswith("0.1.") or not run.tasks[task].hashes:
        return None
    strange = next((name for name in ids if name not in run.tasks[task].hashes), None)
    return (
        None if strange is None else f"expected a question of the run, got one with the id {strange!r:.100}"
    )


def foreign(where: str, task: str, fault: str) -> str:
    """Return the message about a verdict that the run cannot have."""
    return (
        f"{where}: {fault} (task {task}, as {RUN} says). Nothing was changed. Remove that line, or restore the "
        f"{RUN} that belongs to the file; the next start makes what is then missing."
    )
