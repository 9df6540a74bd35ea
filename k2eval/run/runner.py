"""Carry out a configuration in its run directory: open everything, keep ``run.json``, and end in order."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from rich.console import Console

from k2eval.config import RunConfig
from k2eval.engines import Anticipates, Engine, Reports, WarmEngines
from k2eval.errors import EngineError, JournalError, first_error
from k2eval.grading import GradingPool, grader_name
from k2eval.journal import Archive, Journal, RunRecord
from k2eval.reasoning import setting_of
from k2eval.records import ROLES, Note, NoteKind, Role, SampleKey, Verdict
from k2eval.run.batches import Batches
from k2eval.run.demand import demand_of, mixed, was_eager
from k2eval.run.engines import RoleEngines
from k2eval.run.graders import NodeGraders, workers_here
from k2eval.run.identity import is_complete, limits_of_context, merge_run
from k2eval.run.interruption import Interruption
from k2eval.run.lengths import read_lengths
from k2eval.run.order import Order
from k2eval.run.plan import Assignment, Work, machine_record, model_record
from k2eval.run.progress import Progress
from k2eval.run.queue import SampleQueue
from k2eval.run.rehearsal import Asked, rehearse
from k2eval.run.session import Session, total_speculation
from k2eval.system import cores, remove_leftovers, told, watched_loop

_SAVE_EVERY_S, _CHECK_EVERY_S = 10.0, 2.0
_EARLIER = "in an earlier start: "
_MOST_EARLIER = 50
"""Notes on replicas of earlier starts that ``run.json`` keeps, so that a run of many starts does not fill it."""


@dataclass(slots=True)
class Summary:
    """The end of a run."""

    total: int
    done: int
    infrastructure: int
    """Samples that our own side could not finish."""
    generated: int
    interrupted: bool
    signal: int | None = None
    """The signal that ended the run early; None if none did."""


class Runner:
    """The execution of a configuration in its run directory.

    Args:
        config: The configuration.
        engines: Engines by role, at least that of ``solver``. A role that is not named has the solver's engine.
        console: The console for progress.
        work: The work, if it differs from that of the configuration.
        signals: Whether to end in order on Ctrl-C and SIGTERM.
        batches: Chooses the samples batch by batch, in place of all that are missing.
        warm: Keeps the engines for the next run, and has those of the run before.
        look: Function that is called every few seconds while samples are made.
    """

    def __init__(
        self,
        config: RunConfig,
        engines: Mapping[Role, Engine],
        console: Console,
        work: Work | None = None,
        signals: bool = True,
        batches: Batches | None = None,
        warm: WarmEngines | None = None,
        look: Callable[[Progress], None] | None = None,
    ) -> None:
        self.config = config
        self._warm = warm
        self._look = look
        self._signals = signals
        self._batches = batches
        self.work = work or Work(config)
        self.engines = RoleEngines(engines, config)
        self._console = console
        self._archive = Archive(config.reuse)
        self._earlier = read_lengths(config.lengths_from)

    async def run(self) -> Summary:
        """Make and grade every sample that the run directory does not hold yet.

        Raises:
            JournalError: If the directory cannot be written or holds a different run.
            EngineStopped: If the engine died; everything finished is kept.
        """
        remove_leftovers()
        assignments = list(self.work.assignments())
        with Interruption(self._console, self._signals) as interruption, Journal(self.config.out) as journal:
            before = None if journal.is_empty else journal.read_run()
            now = self.work.describe(self.engines.solver, self.engines.fingerprints, self.engines.reasoning)
            start = _Start(self.work, self.engines, journal, merge_run(before, now))
            missing = start.missing(assignments)
            if missing:
                with told(f"recipe {self.config.recipe} in its rehearsal, which asks no engine"):
                    asked = await rehearse(self.work, self.engines, missing)
                if self._warm is None:  # else other runs follow, of which this one knows nothing
                    self._anticipate(start, missing, asked)
                start.save()
                try:
                    async with watched_loop():
                        await self._make(start, assignments, missing)
                except BaseException as error:
                    if not _was_asked_to_stop(interruption, error):
                        with contextlib.suppress(JournalError):  # the first error says more
                            start.finish()
                        raise
            elif self._batches is not None:
                async for _ in self._in_batches(start, []):
                    pass
            if missing or before is None or not before.complete:
                start.finish(self._batches.ending if self._batches else None)
            return start.summary(assignments, interruption)

    def _anticipate(self, start: _Start, missing: Sequence[Assignment], asked: Sequence[Asked]) -> None:
        """Tell the engines what they will be asked, before they start."""
        candidates = getattr(self.work.recipe, "n", 1)
        for engine in self.engines.distinct:
            if isinstance(engine, Anticipates):
                demand = demand_of(
                    engine,
                    self.engines,
                    missing,
                    asked,
                    candidates if isinstance(candidates, int) else 1,
                    start.journal.verdicts.values(),
                    self._earlier,
                )
                engine.anticipate(demand._replace(eager=was_eager(start.run)))

    async def _make(
        self, start: _Start, assignments: Sequence[Assignment], missing: Sequence[Assignment]
    ) -> None:
        totals = Counter(assignment.question.task for assignment in assignments)
        questions = {name: len(task.hashes) for name, task in start.run.tasks.items()}
        at_most = self._batches is not None
        progress = Progress(totals, self._console, start.session, questions, start.journal.show, at_most)
        open_keys = {assignment.sample_key for assignment in missing}
        for key in {assignment.sample_key for assignment in assignments} - open_keys:
            progress.on_verdict(start.journal.verdicts[key])
        async with AsyncExitStack() as stack:
            # The pool's processes start before the engine, so that they inherit nothing of it.
            graders = {grader_name(assignment.question) for assignment in missing}
            cluster = self.config.fleet.cluster
            pool = await stack.enter_async_context(
                GradingPool(
                    workers_here(self.config.workers, cluster is not None, len(missing)),
                    graders=graders,
                    idle=cores.are_few(),
                    nodes=cluster is not None,
                )
            )
            for engine in self.engines.distinct:
                if isinstance(engine, Reports):
                    engine.listen(progress.tell)
                await stack.enter_async_context(self._started(engine, progress))
            start.note_engines()
            self._show_reasoning()
            for note in start.run.engine.notes:
                self._console.print(f"Note: {note.text}.", soft_wrap=True, highlight=False)
            stack.enter_context(progress)
            if cluster is not None:
                await stack.enter_async_context(
                    NodeGraders(pool, cluster, self.config.workers, graders, progress.tell)
                )
            await stack.enter_async_context(
                _saving(start, self._look and functools.partial(self._look, progress))
            )
            try:
                queue = SampleQueue(
                    self.work, self.engines, self._archive, start.journal, pool, progress, start.session
                )
                async for batch in self._in_batches(start, missing):
                    await queue.drain(Order(batch, start.journal.verdicts.values(), self._earlier))
            finally:
                start.note_engines()

    async def _in_batches(
        self, start: _Start, missing: Sequence[Assignment]
    ) -> AsyncIterator[Sequence[Assignment]]:
        """Yield the samples to make: all at once, or as `Batches` chooses them."""
        if self._batches is None:
            yield missing
            return
        left = {assignment.sample_key: assignment for assignment in missing}
        while (keys := await self._batches.next(start.journal.verdicts)) is not None:
            batch = [left.pop(key) for key in keys if key in left]
            if batch:
                yield batch

    @contextlib.asynccontextmanager
    async def _started(self, engine: Engine, progress: Progress) -> AsyncIterator[None]:
        """Start an engine, or take over the one that the run before has left."""
        if self._warm is not None:
            async with self._warm.hold(engine, progress.starting, progress.tell):
                yield
            return
        async with contextlib.AsyncExitStack() as stack:
            with progress.starting(engine):
                await stack.enter_async_context(engine)
            yield

    def _show_reasoning(self) -> None:
        sentences = {role: self.engines.detection(role).sentence for role in ROLES}
        others = [f"{role}: {text}" for role, text in sentences.items() if text != sentences["solver"]]
        line = "; ".join([sentences["solver"], *others])
        self._console.print(f"Reasoning: {line}", soft_wrap=True, highlight=False)


class _Start:
    """One start of a run: its session, and ``run.json`` as it stands."""

    def __init__(self, work: Work, engines: RoleEngines, journal: Journal, run: RunRecord) -> None:
        self.journal = journal
        self.run = run
        self.session = Session()
        self._before = run
        # A start that was killed may have answered more than its session says.
        self._is_first = not journal.generation_count and not any(each.generated for each in run.sessions)
        self._work = work
        self._engines = engines

    def missing(self, assignments: Sequence[Assignment]) -> list[Assignment]:
        """Return the samples about which something is left to do."""
        settled = self._settled()
        return [assignment for assignment in assignments if assignment.sample_key not in settled]

    def _settled(self) -> Collection[SampleKey]:
        verdicts = self.journal.verdicts
        return {
            key
            for key, verdict in verdicts.items()
            if self._work.is_settled(verdict) and self._has_generations(verdict)
        }

    def _has_generations(self, verdict: Verdict) -> bool:
        """Tell whether the journal holds the generations of a verdict: a damaged line may have been removed.

        A directory of which only the verdicts were kept stays as it is. A recipe of the user's names what it likes.
        """
        is_exempt = not self.journal.generation_count or ":" in self.run.recipe
        return is_exempt or all(map(self.journal.has_generation, verdict.generations))

    def note_engines(self) -> None:
        """Take over what is known only after start-up (device, context), and the notes that engines add meanwhile."""
        info = self._engines.solver
        notes = (
            *_of_earlier_starts(self._before),
            *info.notes,
            *mixed(self._before, info.settings),
            *limits_of_context(self.run.tasks, info.context),
            *self._engines.notes_of_others,
            *self._unseen_marks(),
        )
        engine = self.run.engine.model_copy(update={"settings": info.settings, "notes": notes})
        self.run = self.run.model_copy(
            update={
                "model": model_record(info),
                "machine": machine_record(info),
                "engine": engine,
                "reasoning": self._engines.reasoning,
                "reproducible": self._engines.honour_seeds and (self.run.reproducible or self._is_first),
            }
        )

    def _unseen_marks(self) -> Iterator[Note]:
        """Yield a note if the user has named a reasoning format, and no answer looks like it."""
        session, setting = self.session, self._work.config.reasoning
        if setting != "auto" and session.unmarked and not session.shows_marks:
            shown = setting_of(self._engines.reasoning["solver"])
            yield Note(
                kind=NoteKind.REASONING,
                text=f"none of {session.unmarked} answers shows a mark of the reasoning format {shown}, which is set: "
                "the model does not reason, another format is right, or the engine leaves the marks out. Reasoning "
                "without marks counts as answer",
            )

    def _with_session(self) -> RunRecord:
        if self.session.is_empty:
            return self.run
        session = self.session.describe(self._engines.speculation, self._engines.solver.swapped_from)
        sessions = (*self.run.sessions, session)
        speculative = total_speculation(sessions)
        return self.run.model_copy(update={"sessions": sessions, "speculative": speculative})

    def save(self) -> None:
        """Write ``run.json`` as it stands, for the case that there is no end in order."""
        self.journal.write_run(self._with_session())

    def finish(self, ending: str | None = None) -> None:
        """Write ``run.json`` for the last time.

        Args:
            ending: The reason why samples that are missing were not to be made.
        """
        complete = is_complete(self.run, self._settled())
        ends = {"complete": complete, "stopped_early": None if complete else ending}
        self.journal.write_run(self._with_session().model_copy(update=ends))

    def summary(self, assignments: Sequence[Assignment], interruption: Interruption) -> Summary:
        """Return how the start ended."""
        keys = [assignment.sample_key for assignment in assignments]
        verdicts = [self.journal.verdicts[key] for key in keys if key in self.journal.verdicts]
        return Summary(
            total=len(keys),
            done=len(verdicts),
            infrastructure=sum(not self._work.is_settled(verdict) for verdict in verdicts),
            generated=self.session.generated,
            interrupted=interruption.happened,
            signal=interruption.signal,
        )


def _of_earlier_starts(before: RunRecord) -> list[Note]:
    """Return what happened to replicas before: notes of this start would take their place."""
    told = [note.text for note in before.engine.notes if note.kind is NoteKind.REPLICAS]
    texts = dict.fromkeys(f"{_EARLIER}{text.removeprefix(_EARLIER)}" for text in told)
    return [Note(kind=NoteKind.REPLICAS, text=text) for text in [*texts][-_MOST_EARLIER:]]


def _was_asked_to_stop(interruption: Interruption, error: BaseException) -> bool:
    # The signal may have reached the engine too, and its end may be noticed first.
    return interruption.happened and isinstance(error, (asyncio.CancelledError, EngineError))


@contextlib.asynccontextmanager
async def _saving(start: _Start, look: Callable[[], None] | None) -> AsyncIterator[None]:
    """Look after the run directory meanwhile, and write ``run.json`` every few seconds.

    Args:
        start: The start of the run.
        look: Function that is called at each look.

    Raises:
        JournalError: If the directory can no longer be written. The block is cancelled then.
    """

    async def save() -> None:
        while True:
            for _ in range(round(_SAVE_EVERY_S / _CHECK_EVERY_S)):
                await asyncio.sleep(_CHECK_EVERY_S)
                start.journal.check()
                if look:
                    look()
            start.note_engines()
            start.save()

    try:
        async with asyncio.TaskGroup() as group:
            saver = group.create_task(save())
            try:
                yield
            finally:
                saver.cancel()
    except BaseExceptionGroup as errors:
        raise first_error(errors) from errors
