"""Run directories -> arrays of scores. Reads ``run.json`` and ``verdicts.jsonl``, never generation texts."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from k2eval.errors import JournalError
from k2eval.journal import (
    RUN,
    VERDICTS,
    RunRecord,
    TaskRecord,
    foreign,
    out_of_run,
    read_run,
    read_verdicts as verdicts_of,
    strangers,
)
from k2eval.leaderboard.scores import INFRASTRUCTURE, RunScores, TaskScores
from k2eval.leaderboard.verdicts import OUTCOMES, read_verdicts
from k2eval.records import Note, NoteKind
from k2eval.statistics import question_means, weighted_scores

log = logging.getLogger(__name__)

_AT_ONCE = 2
_LARGEST = 1e100
"""Larger errors are not read."""
_CELLS, _CELLS_PER_VERDICT = 1_000_000, 100
"""How large a table of scores may be, of itself and for each verdict in it."""


def load_run(path: Path) -> RunScores:
    """Read one run directory; the last verdict about a sample counts.

    Raises:
        JournalError: If a file is missing or unreadable, or a line other than a torn last line is no verdict.
    """
    info = read_run(path)
    source = path / VERDICTS
    table, torn = read_verdicts(source)
    warnings = []
    if torn:
        warnings.append(f"{source}: the last line is torn (the run was interrupted) and was left out")
        log.warning(warnings[0])
    try:
        scores = _by_task(table, info, source)
    except JournalError:
        for _ in verdicts_of(path, info):  # reads line by line, so that its error names the line
            pass
        raise
    return RunScores(path, info, scores, tuple(warnings))


def load_runs(paths: Sequence[Path]) -> list[RunScores]:
    """Load the run of each path; runs with equal names are renamed after their folders."""
    with ThreadPoolExecutor(
        _AT_ONCE
    ) as pool:  # Arrow parses one run, without the GIL, while numpy counts another
        runs = list(pool.map(load_run, paths))
    names = distinct_names([(run.info.name, run.path) for run in runs])
    return [_named(run, name) for run, name in zip(runs, names, strict=True)]


def distinct_names(runs: Sequence[tuple[str, Path]]) -> list[str]:
    """Return a name for each run of a name and a directory: those with equal names are called after their folders.

    Names that are equal then, too, get a number.

    >>> distinct_names([("rl", Path("/a/x")), ("sft", Path("/a/y")), ("rl", Path("/b/x"))])
    ['a/x', 'sft', 'b/x']
    >>> distinct_names([("rl", Path("/a/s/x")), ("rl", Path("/b/s/x"))])
    ['s/x', 's/x (2)']
    """
    count = Counter(name for name, _ in runs)
    wanted = [
        name if count[name] == 1 else f"{path.resolve().parent.name}/{path.resolve().name}"
        for name, path in runs
    ]
    taken = set(wanted)
    names: list[str] = []
    for name in wanted:
        number, unique = 2, name
        while unique in names or (number > 2 and unique in taken):
            unique, number = f"{name} ({number})", number + 1
        names.append(unique)
    return names


def _named(run: RunScores, name: str) -> RunScores:
    if run.info.name == name:
        return run
    return replace(run, info=run.info.model_copy(update={"name": name}))


def _by_task(table: pa.Table, info: RunRecord, source: Path) -> dict[str, TaskScores]:
    tasks = pc.dictionary_encode(table["task"].combine_chunks())
    names = tasks.dictionary.to_pylist()
    others = sorted(set(names) - set(info.tasks))
    if others:
        raise JournalError(
            f"{source}: expected verdicts on {', '.join(info.tasks) or 'no task'} (the tasks of run.json), "
            f"got some on {', '.join(others)}. The file seems to be another run's; restore the right one."
        )
    codes = tasks.indices.to_numpy(zero_copy_only=False)
    scores: dict[str, TaskScores] = {}
    for name, task in info.tasks.items():
        chosen = np.flatnonzero(codes == names.index(name)) if name in names else np.empty(0, dtype=np.int64)
        rows = table.take(chosen)
        asked = pc.unique(rows["question_id"]).to_pylist()
        fault = strangers(info, name, asked)
        if fault:
            raise JournalError(foreign(str(source), name, fault))
        scores |= _scores_of(name, rows, _with_note_on_questions(task, asked), source)
        if info.config.until is not None:
            scores[name] = _until(scores[name], info.config.until / 100, info.stopped_early is not None)
    return scores


def _with_note_on_questions(task: TaskRecord, asked: Collection[str]) -> TaskRecord:
    """Return the task with a note if its verdicts are on other questions than it names, as in runs of 0.1.0."""
    strange = sum(name not in task.hashes for name in asked) if task.hashes else 0
    if not strange:
        return task
    text = (
        f"{strange} of {len(asked)} questions with verdicts are not those that {RUN} names, as k2eval 0.1.0 wrote it "
        "for lm-eval; which questions were asked cannot be checked"
    )
    return task.model_copy(update={"notes": (*task.notes, Note(kind=NoteKind.QUESTIONS, text=text))})


def _check_places(
    name: str, question: NDArray[np.int64], repeat: NDArray[np.int64], info: TaskRecord, source: Path
) -> None:
    """Make sure that the run has every question and repeat, and that its table is no larger than its verdicts justify.

    Raises:
        JournalError: If it has not.
    """
    count, last = int(question.max(initial=-1)) + 1, int(repeat.max(initial=-1))
    fault = out_of_run(info.repeats, info.questions, last, count)
    if fault:
        raise JournalError(foreign(str(source), name, fault))
    if count * info.repeats > max(_CELLS, _CELLS_PER_VERDICT * len(repeat)):
        raise JournalError(
            f"{source}: {len(repeat)} verdicts on {name} cannot be of a run of {count} questions with {info.repeats} "
            f"repeats each, as {RUN} says. Restore the {RUN} that belongs to the file."
        )


def _scores_of(name: str, table: pa.Table, info: TaskRecord, source: Path) -> dict[str, TaskScores]:
    """Return the scores of one benchmark, and another view of it if its questions have steps or numeric answers."""
    ids = pc.dictionary_encode(table["question_id"].combine_chunks())
    question = ids.indices.to_numpy(zero_copy_only=False)
    repeat = table["repeat_index"].to_numpy()
    _check_places(name, question, repeat, info, source)
    shape = (len(ids.dictionary), info.repeats)
    last = np.full(shape, -1, dtype=np.int64)
    last[question, repeat] = np.arange(len(table))
    outcome = pc.index_in(table["outcome"], pa.array([str(outcome) for outcome in OUTCOMES])).to_numpy()
    outcomes = _placed(outcome.astype(np.int8), last, -1)
    scores = _placed(table["score"].to_numpy().astype(np.float64), last, np.nan)
    scores[(outcomes >= 0) & INFRASTRUCTURE[outcomes]] = np.nan
    marks = pc.list_value_length(pc.struct_field(table["notes"].combine_chunks(), "marks"))
    marked = pc.fill_null(marks, 0).to_numpy(zero_copy_only=False) > 0
    judged = pc.struct_field(table["notes"].combine_chunks(), ["answer_judge", "score"])
    unjudged = pc.is_valid(pc.struct_field(table["notes"].combine_chunks(), ["answer_judge", "failed"]))
    saved = pc.struct_field(table["notes"].combine_chunks(), "tokens_saved_estimate")
    days = pc.coalesce(_tag(table, "date"), _tag(table, "month")).to_pylist()
    task = TaskScores(
        info=info,
        questions=tuple(ids.dictionary.to_pylist()),
        scores=scores,
        outcomes=outcomes,
        output_tokens=_placed(_integers(table["output_tokens"]), last, 0),
        recipe_tokens=_placed(_integers(table["recipe_tokens"]), last, 0),
        saved_tokens=_placed(_integers(saved), last, 0),
        dates=tuple(days[row] for row in last.max(axis=1)),
        marked=_placed(marked, last, False),
        unjudged=_placed(unjudged.to_numpy(zero_copy_only=False), last, False),
        judged=_placed(judged.to_numpy(zero_copy_only=False).astype(np.float64), last, np.nan),
    )
    if info.error_unit is not None:
        return {name: task, f"{name}_mae": _of_errors(task, table, last)}
    steps = _tag(table, "steps").to_pylist()
    if not all(count is None or count.isdecimal() for count in steps) or not any(steps):
        return {name: task}
    counts = np.array([float(count or 1) for count in steps])[last.max(axis=1)]
    return {name: task, f"{name}_sub": _of_steps(task, table, last, counts)}


def _until(task: TaskScores, half_width: float, ended: bool) -> TaskScores:
    """Return the scores of a run that repeated questions until they were precise, with unbiased ones beside them."""
    order = np.argsort(np.array(task.questions))  # the order in which repeats were chosen
    unbiased = np.empty_like(task.scores)
    unbiased[order] = weighted_scores(task.scores[order], half_width, there=task.outcomes[order] >= 0)
    return replace(task, unbiased=unbiased, ended=ended)


def _of_errors(task: TaskScores, table: pa.Table, last: NDArray[np.int64]) -> TaskScores:
    """Return a benchmark of numeric answers by the sizes of their errors; an answer without a number has none."""
    detail = table["detail"].combine_chunks()
    readings, residuals = (
        _placed(pc.struct_field(detail, part).to_numpy(zero_copy_only=False).astype(np.float64), last, np.nan)
        for part in ("reading", "residual")
    )
    # Squares of larger sizes have no place in a float; no grader of ours writes them.
    read = (np.abs(readings) < _LARGEST) & (np.abs(residuals) < _LARGEST) & np.isfinite(task.scores)
    readings, residuals = np.where(read, readings, np.nan), np.where(read, residuals, np.nan)
    title = f"{task.info.title}, MAE ({task.info.error_unit}) ↓" if task.info.title else ""
    info = task.info.model_copy(update={"title": title, "part": True, "micro": None})
    return replace(
        task,
        info=info,
        scores=np.abs(residuals),
        judged=np.full_like(residuals, np.nan),
        unjudged=np.zeros_like(task.unjudged),
        error_unit=task.info.error_unit,
        readings=readings,
        golds=question_means(readings - residuals),
    )


def _of_steps(
    task: TaskScores, table: pa.Table, last: NDArray[np.int64], counts: NDArray[np.float64]
) -> TaskScores:
    """Score a benchmark by its share of steps passed; all steps count the same (SciCode's sub-problem score).

    Steps that our own side could not grade are left out; a response without any code passes none.
    """
    detail = table["detail"].combine_chunks()
    passed, total, lost = (
        _placed(_integers(pc.struct_field(detail, field)), last, 0)
        for field in ("sub_passed", "sub_total", "sub_errors")
    )
    judged = total - lost
    shares = np.divide(passed, judged, out=np.full(last.shape, np.nan), where=judged > 0)
    shares[(total == 0) & np.isfinite(task.scores)] = 0.0
    text = f"{counts.sum():.0f} steps of {len(counts)} problems, each step counting the same"
    info = task.info.model_copy(
        update={
            "title": f"{task.info.title}, steps" if task.info.title else "",
            "part": True,
            "micro": None,
            "notes": (*task.info.notes, Note(kind=NoteKind.QUESTIONS, text=text)),
        }
    )
    return replace(task, info=info, scores=shares, weights=counts)


def _tag(table: pa.Table, name: str) -> pa.Array:
    return pc.struct_field(table["tags"].combine_chunks(), name)


def _placed(values: NDArray[Any], last: NDArray[np.int64], gap: float) -> NDArray[Any]:
    """Return ``values[last]``, with ``gap`` at the places where ``last`` is -1."""
    placed = np.full(last.shape, gap, dtype=values.dtype)
    placed[last >= 0] = values[last[last >= 0]]
    return placed


def _integers(column: pa.ChunkedArray | pa.Array) -> NDArray[np.int64]:
    filled = pc.fill_null(column, 0)
    integers: NDArray[np.int64] = np.asarray(filled).astype(np.int64)
    return integers
