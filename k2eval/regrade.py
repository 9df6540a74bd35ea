"""Grading again from the journal: recipes are replayed over kept generations, with no engine loaded."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from k2eval.config import RunConfig
from k2eval.errors import EngineError, EngineStopped, JournalError
from k2eval.grading.pool import GradingPool
from k2eval.journal import Journal, read_run
from k2eval.judging import judged
from k2eval.recipes.sample import Role
from k2eval.records import Generation, Place, Request, Response
from k2eval.runner import default_workers
from k2eval.work import Assignment, Work, identity, verdict_of


class NotKept(EngineStopped):
    """A generation that the journal does not hold; ends a recipe where another failure may not."""


@dataclass(slots=True)
class Regraded:
    """What grading again did."""

    graded: int = 0
    changed: int = 0
    """Verdicts that differ from before, the grader's version aside."""
    missing: int = 0
    """Samples whose generations are not all there."""
    infrastructure: int = 0


async def regrade(folder: Path, data: Path | None = None, workers: int | None = None) -> Regraded:
    """Grade every finished sample of a run again and append the verdicts that changed.

    Raises:
        JournalError: When the folder is not a run directory, or the tasks are not what they were.
    """
    run = read_run(folder)
    config = RunConfig.model_validate(run["config"])
    changes = {"out": folder, "tasks": tuple(run["tasks"])} | ({"data": data} if data else {})
    work = Work(config.model_copy(update=changes))
    check_same(run, work)
    fingerprints: dict[Role, str] = run["engine"]["fingerprints"]
    result = Regraded()
    window = asyncio.Semaphore(256)

    with Journal(folder) as journal:

        async def ask(request: Request, role: Role) -> Generation:
            kept = journal.find(request.key)
            if kept is None:
                before = journal.verdicts.get(Place(request.task, request.question_id, request.run_index))
                lost = before.notes.get("lost", []) if before else []
                for one in lost:
                    if request.stage.partition(".")[0] == one["stage"]:
                        raise EngineError(one["reason"])
                raise NotKept("not in the journal")
            return kept

        async def one(assignment: Assignment) -> None:
            try:
                response: Response = await work.recipe(assignment.sample(config.seed, fingerprints, ask))
            except EngineError:
                result.missing += 1
                return
            finally:
                window.release()
            grade = await pool.grade(assignment.question, response.text, response.finish_reason == "length")
            verdict = verdict_of(assignment, response, grade)
            before = journal.verdicts.get(assignment.place)
            if work.answer_judged:
                with contextlib.suppress(NotKept):
                    verdict = await judged(
                        assignment.sample(config.seed, fingerprints, ask), response, verdict
                    )
            result.graded += 1
            result.infrastructure += verdict.outcome.is_infrastructure
            if before != verdict:
                same = before is not None and before.model_copy(update={"grader": verdict.grader}) == verdict
                result.changed += not same
                journal.add_verdict(verdict)

        async with GradingPool(workers or default_workers()) as pool, asyncio.TaskGroup() as group:
            for assignment in _with_runs(work, run):
                await window.acquire()
                group.create_task(one(assignment))
        for questions in work.sets:
            run["tasks"][questions.task.name] = {
                **run["tasks"][questions.task.name],
                "grader": work.grader_label(questions),
            }
        journal.write_run(run)
    return result


def _with_runs(work: Work, run: dict[str, dict[str, dict[str, int]]]) -> Iterator[Assignment]:
    for assignment in work.assignments():
        if assignment.run_index < run["tasks"][assignment.question.task]["runs"]:
            yield assignment


def check_same(run: dict[str, dict[str, str]], work: Work) -> None:
    """Make sure that the questions at hand are those of a run.

    Raises:
        JournalError: When they are not.
    """
    there = identity(run)
    for questions in work.sets:
        name = questions.task.name
        if there[f"{name}.questions"] != questions.fingerprint:
            raise JournalError(
                f"The questions of {name} are not those of the run: fingerprint {there[f'{name}.questions']} there, "
                f"{questions.fingerprint} in {questions.source}. Give the data of that run with --data."
            )
