"""Check that a run directory is what it claims: its verdicts follow from its texts, and its texts from its settings.

No engine is asked. The recipe is replayed over the journal, so every request is written again from the questions at
hand, and its key must be that of a generation that the journal has. Every response is graded again. Only the model
could tell if a text is its own; a signature says who vouches for that.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from k2eval.errors import EngineError, first_error
from k2eval.grading import GradingPool
from k2eval.journal import Archive, RunRecord, read_run, read_verdicts
from k2eval.recipes import judged
from k2eval.records import Generation, Outcome, Request, Role, SampleKey, Verdict
from k2eval.run.plan import Assignment, Work, verdict_of
from k2eval.run.regrade import check_same, config_of, recorded, stored
from k2eval.system import cores

_WINDOW = 256
_SEED = 0


@dataclass(slots=True)
class Verification:
    """The checks of a run directory, and their contradictions."""

    run: RunRecord
    asked: int = 0
    """Samples that the run asked for."""
    verdicts: int = 0
    """Samples that have a verdict."""
    checked: int = 0
    """Samples that were graded again."""
    faults: list[str] = field(default_factory=list)
    """The contradictions, a sentence each."""
    notes: list[str] = field(default_factory=list)
    """Facts that a reader must know, though they contradict nothing."""

    @property
    def holds(self) -> bool:
        """Whether nothing contradicts the run."""
        return not self.faults

    @property
    def is_whole(self) -> bool:
        """Whether every sample has a verdict, and every verdict was checked."""
        return self.checked == self.verdicts == self.asked


async def verify_run(
    folder: Path,
    *,
    data: Path | None = None,
    include: Sequence[Path] = (),
    sample: int | None = None,
    workers: int | None = None,
) -> Verification:
    """Check a run directory, which is only read.

    Args:
        folder: The run directory.
        data: Folder with the rows of the benchmarks; that of the run if None.
        include: Folders with the user's own tasks; those of the run if there are none.
        sample: How many samples to grade again, chosen at random; all if None.
        workers: Number of grading processes; one for each core if None.

    Raises:
        ConfigError: If a task, a recipe or the data is not at hand.
        JournalError: If the folder is not a run directory, a line of it cannot be read, or it is about other questions.
    """
    run = read_run(folder)
    work = Work(config_of(run, folder, data, include))
    check_same(run, work)
    verdicts = {verdict.sample_key: verdict for verdict in read_verdicts(folder, run)}
    archive = Archive((folder,))
    assignments = list(recorded(work, run))
    result = Verification(run, asked=len(assignments), verdicts=len(verdicts))
    known = {assignment.sample_key for assignment in assignments}
    strange = sorted(key for key in verdicts if key not in known)
    result.faults += [f"{_name(key)}: a verdict on a question that the task does not have" for key in strange]
    chosen = [assignment for assignment in assignments if assignment.sample_key in verdicts]
    if sample is not None and sample < len(chosen):
        chosen = random.Random(_SEED).sample(chosen, sample)
    used = await _check_all(work, run, chosen, verdicts, archive, result, workers)
    if result.checked == len(assignments):
        unused = len(archive.keys - used)
        if unused:
            result.notes.append(
                f"{unused} generations belong to no response (such as those of failed samples)"
            )
    failed = sum(verdict.outcome.is_infrastructure for verdict in verdicts.values())
    if failed:
        result.notes.append(f"{failed} samples failed where the run was made, and are in no score")
    _note_grading(work, run, result)
    return result


async def _check_all(
    work: Work,
    run: RunRecord,
    chosen: Iterable[Assignment],
    verdicts: dict[SampleKey, Verdict],
    archive: Archive,
    result: Verification,
    workers: int | None,
) -> set[str]:
    """Check the chosen samples, and return the keys of all generations that they need."""
    window, used = asyncio.Semaphore(_WINDOW), set[str]()

    async def ask(request: Request, role: Role) -> Generation:
        before = verdicts[SampleKey(request.task, request.question_id, request.repeat_index)]
        generation = stored(request, archive.find(request.key), before)
        fault = _misplaced(generation, request)
        if fault:
            result.faults.append(fault)
        used.add(request.key)
        return generation

    async def check(assignment: Assignment) -> None:
        before = verdicts[assignment.sample_key]
        try:
            sample = assignment.sample(work.config.seed, run.engine.fingerprints, ask, run.reasoning)
            response = await work.respond(sample)
            cut = response.finish_reason == "length"
            grade = await pool.grade(assignment.question, response.text, cut, reasoning=response.reasoning)
            after = verdict_of(assignment, response, grade)
            if work.answer_judged:
                after = await judged(sample, response, after)
            result.faults += _differences(before, after)
        except EngineError as error:
            if not before.outcome.is_infrastructure:  # a sample that failed has no answer to show
                result.faults.append(f"{_name(assignment.sample_key)}: {error}")
        finally:
            result.checked += 1
            window.release()

    try:
        async with GradingPool(workers or cores.count()) as pool, asyncio.TaskGroup() as group:
            for assignment in chosen:
                await window.acquire()
                group.create_task(check(assignment))
    except BaseExceptionGroup as errors:
        raise first_error(errors) from errors
    return used


def _misplaced(generation: Generation, request: Request) -> str | None:
    """Return why a generation cannot be the answer to a request with its key, or None if it can."""
    for name in ("task", "question_id", "repeat_index", "stage", "seed"):
        there, here = getattr(generation, name), getattr(request, name)
        if there != here:
            return f"generation {generation.key}: expected {name} {here!r} by its key, got {there!r:.100}"
    return None


def _differences(before: Verdict, after: Verdict) -> list[str]:
    """Return a sentence if a verdict does not repeat."""
    if before.outcome is Outcome.GRADER_ERROR:  # another machine may have had the time that was lacking
        return []
    fields = ("outcome", "score", "extracted", "selected", "generations", "output_tokens", "recipe_tokens")
    changed = [name for name in fields if getattr(before, name) != getattr(after, name)]
    if before.notes.get("answer_judge") != after.notes.get("answer_judge"):
        changed.append("notes")
    if not changed:
        return []
    name = changed[0]
    there, here = (str(getattr(verdict, name))[:80] for verdict in (before, after))
    return [f"{_name(before.sample_key)}: {name} is {there!r} in the run, and {here!r} by its texts"]


def _note_grading(work: Work, run: RunRecord, result: Verification) -> None:
    for questions in work.sets:
        there, here = run.tasks[questions.task.name].grader, work.grader_label(questions)
        if there != here:
            result.notes.append(f"{questions.task.name} was graded by {there}, and checked by {here}")
    if result.verdicts < result.asked:
        result.notes.append(f"{result.asked - result.verdicts} of {result.asked} samples have no verdict")
    if result.checked < result.verdicts:
        result.notes.append(f"{result.checked} of {result.verdicts} verdicts were checked")


def _name(key: SampleKey) -> str:
    return f"{key.task}, question {key.question_id!r:.60}, repeat {key.repeat_index}"
