"""Grade again from the journal: recipes are replayed over its generations, without an engine."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from k2eval.config import RunConfig, TaskOverrides
from k2eval.errors import EngineError, EngineStopped, JournalError, first_error
from k2eval.grading import GradingPool
from k2eval.journal import Journal, RunRecord, read_run
from k2eval.reasoning import find_format, format_named
from k2eval.recipes import Formats, judged, parts_of, selected_steps
from k2eval.records import SWITCHES, Generation, Json, Note, NoteKind, Request, Role, SampleKey, Verdict
from k2eval.run.identity import is_complete
from k2eval.run.plan import Assignment, Work, verdict_of
from k2eval.run.trust import check_recipe, hinting, trusted_config
from k2eval.system import cores

_WINDOW = 256
"""Responses in memory at once."""


class NotKept(EngineStopped):
    """A generation that the journal does not hold; it ends a recipe even if other failures would not."""


@dataclass(slots=True)
class Regraded:
    """Counts of grading again."""

    graded: int = 0
    changed: int = 0
    """Verdicts that differ from before, the grader's version aside."""
    missing: int = 0
    """Samples whose generations are not all there."""
    infrastructure: int = 0
    stopped: int = 0
    """Responses that a stop string ended inside their reasoning."""

    def count(self, before: Verdict | None, verdict: Verdict) -> None:
        """Count a new verdict on a sample."""
        self.graded += 1
        self.infrastructure += verdict.outcome.is_infrastructure
        same = before is not None and before.model_copy(update={"grader": verdict.grader}) == verdict
        self.changed += not same


async def regrade_run(
    folder: Path,
    data: Path | None = None,
    workers: int | None = None,
    include: Sequence[Path] = (),
    reasoning: str | Mapping[str, Json] | None = None,
    recipe: str | None = None,
) -> Regraded:
    """Grade every finished sample of a run again and append the verdicts that changed.

    Args:
        folder: The run directory.
        data: Folder with the rows of the benchmarks; ``K2EVAL_DATA`` or the hub if None. That of the run is not taken.
        workers: Number of grading processes; one for each core if None.
        include: Folders with the user's own tasks. Those of the run are not taken, since tasks name code to import.
        reasoning: The reasoning format of the run's checkpoint; that of the run if None.
        recipe: The recipe of the run, if it is a function to import.

    Raises:
        ConfigError: If there is no such reasoning format, or a task, a recipe or the data is not at hand.
        JournalError: If the folder is not a run directory, the tasks are not what they were, or another program writes
            to it.
    """
    read = read_run(folder)
    run = read if reasoning is None else with_format(read, reasoning)
    work = work_of(run, folder, data, include, recipe)
    result = Regraded()
    window = asyncio.Semaphore(_WINDOW)

    async def ask(request: Request, role: Role) -> Generation:
        before = journal.verdicts.get(SampleKey(request.task, request.question_id, request.repeat_index))
        return stored(request, journal.find(request.key), before)

    async def grade_again(assignment: Assignment) -> None:
        sample = assignment.sample(work.config.seed, run.engine.fingerprints, ask, run.reasoning)
        try:
            response = await work.respond(sample)
            grade = await pool.grade_response(assignment.question, response)
        except EngineError:
            result.missing += 1
            return
        finally:
            window.release()
        verdict = verdict_of(assignment, response, grade)
        steps = selected_steps(verdict, sample.generations)
        result.stopped += any(stopped_within(step, assignment.sampling.stop, run.reasoning) for step in steps)
        if work.answer_judged:
            with contextlib.suppress(NotKept):
                sample = assignment.sample(work.config.seed, run.engine.fingerprints, ask, run.reasoning)
                verdict = await judged(sample, response, verdict)
        result.count(journal.verdicts.get(assignment.sample_key), verdict)
        if journal.verdicts.get(assignment.sample_key) != verdict:
            journal.add_verdict(verdict)

    with Journal(folder) as journal:
        if journal.read_run() != read:  # it was opened only now, since tasks may take minutes to load
            raise JournalError(
                f"Another program wrote to {folder} while its tasks were loaded. Run the same command again."
            )
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
        regraded = _with_note(_with_graders(run, work), result.stopped)
        journal.write_run(regraded.model_copy(update={"complete": is_complete(run, settled)}))
    return result


def stored(request: Request, generation: Generation | None, before: Verdict | None) -> Generation:
    """Return the generation that a journal holds for a request.

    Args:
        request: The request, as a recipe sends it again.
        generation: The generation in the journal; None if there is none.
        before: The verdict on the sample, which says which candidates were lost.

    Raises:
        EngineError: If there is none because its candidate was lost when the run was made.
        NotKept: If there is none for another reason.
    """
    if generation is not None:
        return generation
    lost = before.notes.get("lost") if before else None
    for candidate in lost if isinstance(lost, list) else []:
        if isinstance(candidate, dict) and request.stage.partition(".")[0] == candidate.get("stage"):
            raise EngineError(str(candidate.get("reason")))
    raise NotKept(f"the journal lacks the generation of stage {request.stage}")


def with_format(run: RunRecord, reasoning: str | Mapping[str, Json]) -> RunRecord:
    """Return the run with another reasoning format for every role that the solver's checkpoint has.

    Raises:
        ConfigError: If there is no such format.
    """
    format_named(reasoning)
    config = run.config.model_copy(update={"reasoning": reasoning})
    form = find_format(config.model, config.reasoning, config.engine.arguments).form
    solver = run.engine.fingerprints["solver"]
    own = {role: form for role, fingerprint in run.engine.fingerprints.items() if fingerprint == solver}
    return run.model_copy(update={"reasoning": {**run.reasoning, **own}, "config": config})


def stopped_within(generation: Generation, stop: Sequence[str], formats: Formats) -> bool:
    """Return whether a stop string ended a generation inside its reasoning, as k2eval 0.1.0 let it."""
    at_stop = generation.finish_reason == "stop" and generation.text.endswith(tuple(stop))
    return at_stop and not parts_of(generation, formats).complete


def _with_note(run: RunRecord, stopped: int) -> RunRecord:
    notes = [note for note in run.engine.notes if note.kind is not NoteKind.STOPPED]
    if stopped:
        text = (
            f"{stopped} responses were ended inside their reasoning by a stop string, and count as truncated: generate "
            "them again in another directory"
        )
        notes.append(Note(kind=NoteKind.STOPPED, text=text))
    return run.model_copy(update={"engine": run.engine.model_copy(update={"notes": tuple(notes)})})


def _with_graders(run: RunRecord, work: Work) -> RunRecord:
    """Return the run with the versions of the graders at hand."""
    labels = {questions.task.name: work.grader_label(questions) for questions in work.sets}
    tasks = {
        name: task.model_copy(update={"grader": labels.get(name, task.grader)})
        for name, task in run.tasks.items()
    }
    return run.model_copy(update={"tasks": tasks})


def work_of(
    run: RunRecord,
    folder: Path,
    data: Path | None = None,
    include: Sequence[Path] = (),
    recipe: str | None = None,
) -> Work:
    """Return the work that makes all that a run holds, whatever its last start asked for.

    Args:
        run: The run.
        folder: Its directory.
        data: The user's folder with the rows of the benchmarks.
        include: The user's folders with own tasks.
        recipe: The recipe of the run, if it is a function to import.

    Raises:
        ConfigError: If a task or the recipe is not at hand.
        DataError: If the questions are not.
        JournalError: If the questions at hand are not those of the run.
    """
    check_recipe(run, recipe)
    with hinting(run, data, include):
        work = Work(_config_of(run, folder, data, include))
        check_same(run, work)
    return work


def _config_of(run: RunRecord, folder: Path, data: Path | None, include: Sequence[Path]) -> RunConfig:
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
    return trusted_config(run, data, include).model_copy(update=changes)


def recorded(work: Work, run: RunRecord) -> Iterator[Assignment]:
    """Yield the samples that the run asked for: those it names, or of each task the first questions.

    Runs of k2eval 0.1.0 that lm-eval made name other questions than they asked.
    """
    asked: dict[str, Collection[str]] = {}
    for questions in work.sets:
        task = run.tasks[questions.task.name]
        named = not run.k2eval.startswith("0.1.") and task.hashes
        asked[questions.task.name] = (
            task.hashes if named else {item.id for item in questions.items()[: task.questions]}
        )
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
