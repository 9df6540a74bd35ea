"""Grading again from the journal: recipes are replayed over kept generations, with no engine loaded."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from k2eval.config import RunConfig, TaskOverrides
from k2eval.errors import EngineError, EngineStopped, JournalError, first_error
from k2eval.grading import GradingPool
from k2eval.journal import Journal, RunRecord, read_run
from k2eval.recipes import judged
from k2eval.records import SWITCHES, Generation, Json, Request, Role, SampleKey, Verdict
from k2eval.run.identity import is_complete
from k2eval.run.plan import Assignment, Work, verdict_of
from k2eval.system import cores

_WINDOW = 256
"""Responses in memory at once."""


class NotKept(EngineStopped):
    """A generation that the journal does not hold; ends a recipe where another failure may not."""


@dataclass(slots=True)
class Regraded:
    """Counts of grading again."""

    graded: int = 0
    changed: int = 0
    """Verdicts that differ from before, the grader's version aside."""
    missing: int = 0
    """Samples whose generations are not all there."""
    infrastructure: int = 0

    def count(self, before: Verdict | None, verdict: Verdict) -> None:
        """Count a new verdict on a sample."""
        self.graded += 1
        self.infrastructure += verdict.outcome.is_infrastructure
        same = before is not None and before.model_copy(update={"grader": verdict.grader}) == verdict
        self.changed += not same


async def regrade_run(
    folder: Path, data: Path | None = None, workers: int | None = None, include: Sequence[Path] = ()
) -> Regraded:
    """Grade every finished sample of a run again and append the verdicts that changed.

    Args:
        folder: The run directory.
        data: Folder with the rows of the benchmarks; that of the run if None.
        workers: Number of grading processes; one for each core if None.
        include: Folders with the user's own tasks; those of the run if there are none.

    Raises:
        JournalError: If the folder is not a run directory, or the tasks are not what they were.
    """
    run = read_run(folder)
    work = Work(config_of(run, folder, data, include))
    check_same(run, work)
    result = Regraded()
    window = asyncio.Semaphore(_WINDOW)

    async def ask(request: Request, role: Role) -> Generation:
        generation = journal.find(request.key)
        if generation is None:
            before = journal.verdicts.get(SampleKey(request.task, request.question_id, request.repeat_index))
            lost = before.notes.get("lost", []) if before else []
            for candidate in lost:
                if request.stage.partition(".")[0] == candidate["stage"]:
                    raise EngineError(candidate["reason"])
            raise NotKept("not in the journal")
        return generation

    async def grade_again(assignment: Assignment) -> None:
        sample = assignment.sample(work.config.seed, run.engine.fingerprints, ask)
        try:
            response = await work.respond(sample)
            grade = await pool.grade(assignment.question, response.text, response.finish_reason == "length")
        except EngineError:
            result.missing += 1
            return
        finally:
            window.release()
        verdict = verdict_of(assignment, response, grade)
        if work.answer_judged:
            with contextlib.suppress(NotKept):
                sample = assignment.sample(work.config.seed, run.engine.fingerprints, ask)
                verdict = await judged(sample, response, verdict)
        result.count(journal.verdicts.get(assignment.sample_key), verdict)
        if journal.verdicts.get(assignment.sample_key) != verdict:
            journal.add_verdict(verdict)

    with Journal(folder) as journal:
        try:
            async with (
                GradingPool(workers or cores.count()) as pool,
                asyncio.TaskGroup() as group,
            ):
                for assignment in recorded(work, run):
                    await window.acquire()
                    group.create_task(grade_again(assignment))
        except BaseExceptionGroup as errors:
            raise first_error(errors) from errors
        settled = [key for key, verdict in journal.verdicts.items() if work.is_settled(verdict)]
        journal.write_run(_with_graders(run, work).model_copy(update={"complete": is_complete(run, settled)}))
    return result


def _with_graders(run: RunRecord, work: Work) -> RunRecord:
    """Return the run with the versions of the graders at hand."""
    labels = {questions.task.name: work.grader_label(questions) for questions in work.sets}
    tasks = {
        name: task.model_copy(update={"grader": labels.get(name, task.grader)})
        for name, task in run.tasks.items()
    }
    return run.model_copy(update={"tasks": tasks})


def config_of(run: RunRecord, folder: Path, data: Path | None, include: Sequence[Path] = ()) -> RunConfig:
    """Return the configuration that makes all that the run holds, whatever its last start asked for."""
    unset = dict.fromkeys(SWITCHES)  # a task's sampling holds them
    overrides = {}
    for name, task in run.tasks.items():
        before = run.config.overrides.get(name, TaskOverrides())
        changes: dict[str, Json] = {
            "sampling": task.sampling.model_dump(mode="json"),
            "repeats": task.repeats,
            "options": task.options,
        }
        overrides[name] = before.model_copy(update={**unset, **changes})
    changes = {
        **unset,
        "sampling": {},
        "out": folder,
        "tasks": tuple(run.tasks),
        "overrides": overrides,
        "limit": None,
        "seed": run.seed,
    }
    if data:
        changes["data"] = data
    if include:
        changes["include_path"] = tuple(include)
    return run.config.model_copy(update=changes)


def recorded(work: Work, run: RunRecord) -> Iterator[Assignment]:
    """Yield the samples that the run asked for: of each task the first questions, as many as it says."""
    asked = {
        questions.task.name: {
            item.id for item in questions.items()[: run.tasks[questions.task.name].questions]
        }
        for questions in work.sets
    }
    for assignment in work.assignments():
        if assignment.question.id in asked[assignment.question.task]:
            yield assignment


def check_same(run: RunRecord, work: Work) -> None:
    """Make sure that the questions at hand are those of a run.

    Raises:
        JournalError: If they are not, or the prompts are not those of the run.
    """
    for questions in work.sets:
        name = questions.task.name
        there, here = run.tasks[name], work.describe_task(questions)
        if there.fingerprint != here.fingerprint:
            raise JournalError(
                f"The questions of {name} are not those of the run: fingerprint {there.fingerprint} there, "
                f"{here.fingerprint} in {questions.source}. Give the data of that run with --data."
            )
        pairs = {"version": (there.version, here.version), "prompt": (there.prompt, here.prompt)}
        changed = [key for key, (old, new) in pairs.items() if old != new]
        if changed:
            raise JournalError(
                f"The {' and '.join(changed)} of task {name} changed since the run, so its generations cannot be "
                "matched. Grade it with the k2eval that made it, or run it again."
            )
