"""Check that a run directory is what it claims: its verdicts follow from its texts, and its texts from its settings.

No engine is asked. The recipe is replayed over the journal, so every request is written again from the questions at
hand, and its key must be that of a generation that the journal has. Every response is graded again. Only the model
could tell if a text is its own; a signature says who vouches for that.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from k2eval.errors import EngineError, first_error
from k2eval.grading import GradingPool
from k2eval.journal import Archive, RunRecord, read_run, read_verdicts
from k2eval.recipes import judged
from k2eval.records import Generation, Outcome, Request, Role, SampleKey, Verdict
from k2eval.run.claims import check_claims, differences, unasked_repeats
from k2eval.run.extent import SPARE_TOKENS, Lengths, doubts_of_extent, faults_of_extent, notes_on_extent
from k2eval.run.plan import Assignment, Work, verdict_of
from k2eval.run.regrade import recorded, stored, work_of
from k2eval.system import cores

_WINDOW = 256


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
    ungraded: int = 0
    """Samples whose grader failed here, so that nothing is known of them."""
    seed: int | None = None
    """The seed by which a part was chosen; None if all samples were checked."""
    faults: list[str] = field(default_factory=list)
    """The contradictions, a sentence each."""
    doubts: list[str] = field(default_factory=list)
    """Claims that nobody can check here, because of which no table calls the run verified."""
    notes: list[str] = field(default_factory=list)
    """Facts that a reader must know, though they contradict nothing."""

    @property
    def holds(self) -> bool:
        """Whether nothing contradicts the run."""
        return not self.faults

    @property
    def is_whole(self) -> bool:
        """Whether the run holds, every sample has a verdict, every verdict was checked, and nothing is in doubt."""
        return (
            self.holds and self.checked == self.verdicts == self.asked and not (self.doubts or self.ungraded)
        )


async def verify_run(
    folder: Path,
    *,
    data: Path | None = None,
    include: Sequence[Path] = (),
    recipe: str | None = None,
    sample: int | None = None,
    seed: int | None = None,
    workers: int | None = None,
) -> Verification:
    """Check a run directory, which is only read.

    Args:
        folder: The run directory.
        data: Folder with the rows of the benchmarks; ``K2EVAL_DATA`` or the hub if None. That of the run is not taken,
            since a forger could put other answers there.
        include: Folders with the user's own tasks. Those of the run are not taken, since tasks name code to import.
        recipe: The recipe of the run, if it is a function to import. It is imported only if it is given.
        sample: How many samples to grade again, chosen at random; all if None.
        seed: The seed of that choice; another one each time if None, since a forger who knew it would forge elsewhere.
        workers: Number of grading processes; one for each core if None.

    Raises:
        ConfigError: If a task, a recipe or the data is not at hand.
        JournalError: If the folder is not a run directory, a line of it cannot be read, or it is about other questions.
    """
    run = read_run(folder)
    work = work_of(run, folder, data, include, recipe)
    verdicts = {verdict.sample_key: verdict for verdict in read_verdicts(folder, run)}
    archive = Archive((folder,))
    assignments = list(recorded(work, run))
    result = Verification(run, asked=len(assignments), verdicts=len(verdicts))
    known = {assignment.sample_key for assignment in assignments}
    strange = sorted(key for key in verdicts if key not in known)
    result.faults += [f"{_name(key)}: a verdict on a question that the task does not have" for key in strange]
    chosen = [assignment for assignment in assignments if assignment.sample_key in verdicts]
    if sample is not None and sample < len(chosen):
        result.seed = secrets.randbits(32) if seed is None else seed
        chosen = random.Random(result.seed).sample(chosen, sample)
    used = await _check_all(work, run, chosen, verdicts, archive, result, workers, lengths := Lengths())
    if result.checked == len(assignments):
        unused = len(archive.keys - used)
        if unused:
            result.notes.append(
                f"{unused} generations belong to no response (such as those of failed samples)"
            )
    failed = sum(verdict.outcome.is_infrastructure for verdict in verdicts.values())
    if failed:
        result.doubts.append(
            f"{failed} samples failed where the run was made, and are in no score; nobody can tell if they were wrong"
        )
    unnamed = {key.question_id for key in verdicts if key.question_id not in run.tasks[key.task].hashes}
    if unnamed:
        result.doubts.append(
            f"{len(unnamed)} questions with verdicts are not those that run.json names, as k2eval 0.1.0 wrote it for "
            "lm-eval"
        )
    claims = check_claims(run, work, archive)
    result.faults += [*claims.faults, *unasked_repeats(run, verdicts), *faults_of_extent(run, work, lengths)]
    result.doubts += [*claims.doubts, *doubts_of_extent(run, work, lengths)]
    result.notes += notes_on_extent(run, lengths)
    others = sum(verdict.grader != run.tasks[verdict.task].grader for verdict in verdicts.values())
    if others:
        result.doubts.append(f"{others} verdicts are by another grader than run.json names")
    if result.ungraded:
        result.doubts.append(f"{result.ungraded} samples could not be graded here")
    _note_counts(result)
    return result


async def _check_all(
    work: Work,
    run: RunRecord,
    chosen: Iterable[Assignment],
    verdicts: dict[SampleKey, Verdict],
    archive: Archive,
    result: Verification,
    workers: int | None,
    lengths: Lengths,
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
        lengths.add(run, generation, request, role)
        return generation

    async def check(assignment: Assignment) -> None:
        before = verdicts[assignment.sample_key]
        try:
            sample = assignment.sample(work.config.seed, run.engine.fingerprints, ask, run.reasoning)
            response = await work.respond(sample)
            grade = await pool.grade_response(assignment.question, response)
            after = verdict_of(assignment, response, grade)
            if work.answer_judged:
                after = await judged(sample, response, after)
            _compare(before, after, result)
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
    most = request.sampling.max_tokens
    if generation.output_tokens > most + SPARE_TOKENS:
        return f"generation {generation.key}: expected at most {most} tokens, got {generation.output_tokens}"
    return None


def _compare(before: Verdict, after: Verdict, result: Verification) -> None:
    """Take down in what a verdict does not repeat."""
    name = _name(before.sample_key)
    if after.outcome is Outcome.GRADER_ERROR:
        result.ungraded += 1
    elif before.outcome is Outcome.GRADER_ERROR:  # another machine may have had the time that was lacking
        result.notes.append(
            f"{name}: the grader failed in the run, and says {after.outcome} here; `k2eval grade` counts it"
        )
    elif words := next(differences(before, after), None):
        result.faults.append(f"{name}: {words}")


def _note_counts(result: Verification) -> None:
    if result.verdicts < result.asked:
        result.notes.append(f"{result.asked - result.verdicts} of {result.asked} samples have no verdict")
    if result.checked < result.verdicts:
        drawn = f", drawn with --seed {result.seed}" if result.seed is not None else ""
        result.notes.append(f"{result.checked} of {result.verdicts} verdicts were checked{drawn}")


def _name(key: SampleKey) -> str:
    return f"{key.task}, question {key.question_id!r:.60}, repeat {key.repeat_index}"
