"""The one queue: keeps the engine full across all tasks, grades meanwhile, and journals everything."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter, deque
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

from rich.console import Console
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_exponential

from k2eval.config.run import RunConfig
from k2eval.engines.protocol import Engine
from k2eval.errors import EngineError, EngineStopped, JournalError, PromptTooLong, first_error
from k2eval.grading.pool import GradingPool
from k2eval.grading.registry import grader_name
from k2eval.journal.journal import Archive, Journal
from k2eval.recipes.answer_judge import judged
from k2eval.records import (
    ROLES,
    Generation,
    Json,
    Outcome,
    Request,
    Response,
    Role,
    SampleKey,
    SpeculativeCounts,
)
from k2eval.run.identity import is_complete, limits_of_context, merge_run
from k2eval.run.interruption import Interruption
from k2eval.run.plan import Assignment, Work, failed, verdict_of
from k2eval.run.progress import Progress
from k2eval.run.session import Session
from k2eval.statistics.acceptance import add_counts, total_speculation
from k2eval.system import cores

_ATTEMPTS = 3
_SAVE_EVERY_S = 10.0
_GRADING_BACKLOG = 512
"""Responses that may wait for their grade; beyond that the engine waits."""
_SIGNAL_DELAY_S = 0.5
"""How much later than an engine's process this one may learn of the signal that ended both."""


@dataclass(slots=True)
class Summary:
    """How a run ended."""

    total: int
    done: int
    infrastructure: int
    """Samples that our own side could not finish."""
    generated: int
    interrupted: bool


class Runner:
    """Carries out a configuration in its run directory.

    Args:
        config: What to do.
        engines: One for each role; ``solver`` at least. Roles not named are the solver's.
        console: Where progress is shown.
        work: What there is to do, where it is not what the configuration alone says.
    """

    def __init__(
        self,
        config: RunConfig,
        engines: Mapping[Role, Engine],
        console: Console,
        work: Work | None = None,
    ) -> None:
        self.config = config
        self.work = work or Work(config)
        self._engines: dict[Role, Engine] = {role: engines.get(role, engines["solver"]) for role in ROLES}
        self._console = console
        self._session = Session()
        self._fingerprints = {role: engine.info.fingerprint for role, engine in self._engines.items()}
        self._archive = Archive(config.reuse)
        self._journal: Journal
        self._pool: GradingPool
        self._progress: Progress
        self._group: asyncio.TaskGroup
        self._interruption = Interruption(console)
        self._backlog = asyncio.Semaphore(_GRADING_BACKLOG)

    async def run(self) -> Summary:
        """Make and grade every sample that the run directory does not hold yet.

        Raises:
            JournalError: When the directory cannot be written or holds a different run.
            EngineStopped: When the engine died; everything finished is kept.
        """
        assignments = list(self.work.assignments())
        with self._interruption, Journal(self.config.out) as self._journal:
            before = {} if self._journal.is_empty else self._journal.read_run()
            run = merge_run(before, self.work.describe(self._engines["solver"].info, self._fingerprints))
            settled = self._settled()
            missing = [assignment for assignment in assignments if assignment.sample_key not in settled]
            if missing:
                self._journal.write_run(run)
                try:
                    await self._make(assignments, missing, run)
                except BaseException as error:
                    if not self._was_asked_to_stop(error):
                        with contextlib.suppress(JournalError):  # the first error says more
                            self._finish(run)
                        raise
                self._finish(run)
            elif not before.get("complete"):
                self._finish(run)
            return self._summary(assignments)

    def _was_asked_to_stop(self, error: BaseException) -> bool:
        # The signal may have reached the engine too, and its end may be noticed first.
        return self._interruption.happened and isinstance(error, (asyncio.CancelledError, EngineError))

    def _settled(self) -> set[SampleKey]:
        return {place for place, verdict in self._journal.verdicts.items() if self.work.is_settled(verdict)}

    def _drafted_so_far(self) -> SpeculativeCounts | None:
        total: SpeculativeCounts | None = None
        for engine in {id(engine): engine for engine in self._engines.values()}.values():
            if engine.info.speculation is not None:
                total = add_counts(total, engine.info.speculation)
        return total

    async def _make(
        self, assignments: list[Assignment], missing: list[Assignment], run: dict[str, Json]
    ) -> None:
        totals = Counter(assignment.question.task for assignment in assignments)
        self._progress = Progress(totals, self._console, self._session)
        for place in {one.sample_key for one in assignments} - {one.sample_key for one in missing}:
            self._progress.on_verdict(self._journal.verdicts[place])
        async with AsyncExitStack() as stack:
            # The pool's processes start before the engine, so that they inherit nothing of it.
            self._pool = await stack.enter_async_context(
                GradingPool(
                    self.config.workers or cores.for_grading(),
                    graders={grader_name(one.question) for one in missing},
                    idle=cores.are_few(),
                )
            )
            for engine in {id(engine): engine for engine in self._engines.values()}.values():
                with self._progress.starting(engine):
                    await stack.enter_async_context(engine)
            self._note_engines(run)
            for note in run["engine"]["notes"]:
                self._console.print(f"Note: {note}.", soft_wrap=True, highlight=False)
            stack.enter_context(self._progress)
            try:
                await self._drain(deque(self._longest_first(missing)), run)
            finally:
                self._note_engines(run)

    def _note_engines(self, run: dict[str, Json]) -> None:
        """Keep what engines know once they have started, and what they noticed while they worked."""
        info = self._engines["solver"].info
        described = self.work.describe(info, self._fingerprints)
        run.update({key: described[key] for key in ("model", "engine")})
        # All that shape a response; the answer judge does not.
        shaping = (self._engines[role] for role in ROLES if role != "answer_judge")
        run["reproducible"] = all(engine.info.honours_seeds for engine in shaping)
        run["engine"]["notes"] += limits_of_context(run, info.context)
        for role, engine in self._engines.items():
            if engine is not self._engines["solver"]:
                run["engine"]["notes"] += [f"{role}: {note}" for note in engine.info.notes]

    def _longest_first(self, missing: list[Assignment]) -> list[Assignment]:
        """Tasks with the longest answers first, so that the tail is short; journalled means where there are any.

        Before anything is known, the steps of a question that is solved one after the other count.
        """
        lengths: dict[str, list[int]] = {}
        for verdict in self._journal.verdicts.values():
            lengths.setdefault(verdict.task, []).append(verdict.recipe_tokens)
        expected = {task: sum(tokens) / len(tokens) for task, tokens in lengths.items()}

        def length(one: Assignment) -> float:
            steps = int(one.question.tags.get("steps", 1)) if one.solver is not None else 1
            return expected.get(one.question.task, one.sampling.max_tokens * steps)

        return sorted(missing, key=length, reverse=True)

    async def _drain(self, queue: deque[Assignment], run: dict[str, Json]) -> None:
        workers = min(len(queue), max(engine.capacity for engine in self._engines.values()))
        saver = asyncio.create_task(self._save_sometimes(run))
        try:
            async with asyncio.TaskGroup() as self._group:
                for _ in range(workers):
                    self._group.create_task(self._worker(queue))
        except BaseExceptionGroup as errors:
            raise first_error(errors) from errors
        finally:
            saver.cancel()
            await asyncio.wait([saver])

    async def _worker(self, queue: deque[Assignment]) -> None:
        while queue:
            assignment = queue.popleft()
            response = await self._respond(assignment)
            if response is not None:
                await self._backlog.acquire()
                self._group.create_task(self._grade(assignment, response))

    async def _respond(self, assignment: Assignment) -> Response | None:
        sample = assignment.sample(self.config.seed, self._fingerprints, self._ask)
        try:
            return await self.work.recipe(sample)
        except EngineStopped:
            raise
        except PromptTooLong as error:
            self._fail(assignment, Outcome.PROMPT_TOO_LONG, error)
        except EngineError as error:
            self._fail(assignment, Outcome.ENGINE_ERROR, error)
        return None

    def _fail(self, assignment: Assignment, outcome: Outcome, error: EngineError) -> None:
        verdict = failed(assignment, outcome, str(error))
        self._journal.add_verdict(verdict)
        self._progress.on_verdict(verdict)

    async def _ask(self, request: Request, role: Role) -> Generation:
        kept = self._journal.find(request.key)
        if kept is None and (kept := self._archive.find(request.key)) is not None:
            self._journal.add_generation(kept)
        if kept is not None:
            self._session.replayed += 1
            return kept
        try:
            async for attempt in AsyncRetrying(
                stop=stop_after_attempt(_ATTEMPTS),
                wait=wait_exponential(multiplier=0.2, max=5),
                retry=retry_if_exception(_may_pass),
                reraise=True,
            ):
                with attempt, self._session.asking():
                    generation = await self._engines[role].generate(request)
        except EngineStopped:
            await asyncio.sleep(_SIGNAL_DELAY_S)  # cancelled meanwhile, if a signal ended the engine
            raise
        self._journal.add_generation(generation)
        self._session.count(generation)
        self._progress.on_generation(generation)
        return generation

    async def _grade(self, assignment: Assignment, response: Response) -> None:
        try:
            grade = await self._pool.grade(
                assignment.question, response.text, response.finish_reason == "length"
            )
        finally:
            self._backlog.release()
        verdict = verdict_of(assignment, response, grade)
        if self.work.answer_judged:
            sample = assignment.sample(self.config.seed, self._fingerprints, self._ask)
            verdict = await judged(sample, response, verdict)
        self._session.last_verdict = time.monotonic()
        self._journal.add_verdict(verdict)
        self._progress.on_verdict(verdict)

    async def _save_sometimes(self, run: dict[str, Json]) -> None:
        while True:
            await asyncio.sleep(_SAVE_EVERY_S)
            self._journal.write_run({**run, "sessions": [*run["sessions"], self._session.describe()]})

    def _finish(self, run: dict[str, Json]) -> None:
        if self._session.generated or self._session.replayed:
            self._session.engine_speculative = self._drafted_so_far()
            run["sessions"] = [*run["sessions"], self._session.describe()]
        run["complete"] = is_complete(run, self._settled())
        run["speculative"] = total_speculation(run["sessions"])
        self._journal.write_run(run)

    def _summary(self, assignments: list[Assignment]) -> Summary:
        places: list[SampleKey] = [assignment.sample_key for assignment in assignments]
        verdicts = [self._journal.verdicts[place] for place in places if place in self._journal.verdicts]
        return Summary(
            total=len(places),
            done=len(verdicts),
            infrastructure=sum(not self.work.is_settled(verdict) for verdict in verdicts),
            generated=self._session.generated,
            interrupted=self._interruption.happened,
        )


def _may_pass(error: BaseException) -> bool:
    """Whether asking the engine again may help. Other errors are bugs, and are not hidden by trying again."""
    return isinstance(error, EngineError) and not isinstance(error, (PromptTooLong, EngineStopped))
