"""Grading again from the journal: recipes are replayed over kept generations, with no engine loaded."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from k2eval.config.run import RunConfig, TaskOverrides, explain
from k2eval.errors import EngineError, EngineStopped, JournalError, first_error
from k2eval.grading.pool import GradingPool
from k2eval.journal.journal import RUN, Journal, read_run
from k2eval.recipes.answer_judge import judged
from k2eval.records import Generation, Request, Role, SampleKey, Verdict
from k2eval.run.identity import identity, is_complete
from k2eval.run.plan import Assignment, Work, verdict_of
from k2eval.system import cores

_WINDOW = 256
"""Responses in memory at once."""


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

    def count(self, before: Verdict | None, verdict: Verdict) -> None:
        """Count a new verdict on a sample."""
        self.graded += 1
        self.infrastructure += verdict.outcome.is_infrastructure
        same = before is not None and before.model_copy(update={"grader": verdict.grader}) == verdict
        self.changed += not same


async def regrade(folder: Path, data: Path | None = None, workers: int | None = None) -> Regraded:
    """Grade every finished sample of a run again and append the verdicts that changed.

    Raises:
        JournalError: When the folder is not a run directory, or the tasks are not what they were.
    """
    run = read_run(folder)
    work = Work(config_of(run, folder, data))
    check_same(run, work)
    fingerprints: dict[Role, str] = run["engine"]["fingerprints"]
    result = Regraded()
    window = asyncio.Semaphore(_WINDOW)

    async def ask(request: Request, role: Role) -> Generation:
        kept = journal.find(request.key)
        if kept is None:
            before = journal.verdicts.get(SampleKey(request.task, request.question_id, request.repeat_index))
            lost = before.notes.get("lost", []) if before else []
            for candidate in lost:
                if request.stage.partition(".")[0] == candidate["stage"]:
                    raise EngineError(candidate["reason"])
            raise NotKept("not in the journal")
        return kept

    async def one(assignment: Assignment) -> None:
        try:
            response = await work.recipe(assignment.sample(work.config.seed, fingerprints, ask))
            grade = await pool.grade(assignment.question, response.text, response.finish_reason == "length")
        except EngineError:
            result.missing += 1
            return
        finally:
            window.release()
        verdict = verdict_of(assignment, response, grade)
        if work.answer_judged:
            with contextlib.suppress(NotKept):
                verdict = await judged(
                    assignment.sample(work.config.seed, fingerprints, ask), response, verdict
                )
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
                    group.create_task(one(assignment))
        except BaseExceptionGroup as errors:
            raise first_error(errors) from errors
        settled = [place for place, verdict in journal.verdicts.items() if work.is_settled(verdict)]
        for questions in work.sets:
            run["tasks"][questions.task.name]["grader"] = work.grader_label(questions)
        journal.write_run({**run, "complete": is_complete(run, settled)})
    return result


def config_of(run: dict[str, Any], folder: Path, data: Path | None) -> RunConfig:
    """The configuration that makes all that the run holds, whatever its last start asked for."""
    identity(run)  # says so where something is missing
    try:
        config = RunConfig.model_validate(run["config"])
    except ValidationError as error:
        raise JournalError(explain(error, f"{folder / RUN}: the configuration is not valid")) from error
    overrides = {}
    for name, task in run["tasks"].items():
        before = config.overrides.get(name, TaskOverrides())
        changes = {"sampling": task["sampling"], "repeats": task["repeats"], "options": task["options"]}
        overrides[name] = before.model_copy(update=changes)
    changes = {"out": folder, "tasks": tuple(run["tasks"]), "overrides": overrides, "limit": None}
    return config.model_copy(update=changes | ({"data": data} if data else {}))


def recorded(work: Work, run: dict[str, Any]) -> Iterator[Assignment]:
    """The samples that the run asked for: of each task the first questions, as many as it says."""
    wanted = {
        questions.task.name: {
            item.id for item in questions.items()[: run["tasks"][questions.task.name]["questions"]]
        }
        for questions in work.sets
    }
    for assignment in work.assignments():
        if assignment.question.id in wanted[assignment.question.task]:
            yield assignment


def check_same(run: dict[str, Any], work: Work) -> None:
    """Make sure that the questions at hand are those of a run.

    Raises:
        JournalError: When they are not, or the prompts are not those of the run.
    """
    for questions in work.sets:
        name = questions.task.name
        there, here = run["tasks"][name], work.describe_task(questions)
        if there["fingerprint"] != here["fingerprint"]:
            raise JournalError(
                f"The questions of {name} are not those of the run: fingerprint {there['fingerprint']} there, "
                f"{here['fingerprint']} in {questions.source}. Give the data of that run with --data."
            )
        changed = [key for key in ("version", "prompt") if there[key] != here[key]]
        if changed:
            raise JournalError(
                f"The {' and '.join(changed)} of task {name} changed since the run, so its generations cannot be "
                "matched. Grade it with the k2eval that made it, or run it again."
            )
