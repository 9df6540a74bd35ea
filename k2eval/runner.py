"""The one queue: keeps the engine full across all tasks, grades meanwhile, and journals everything."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import deque
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from rich.console import Console
from tenacity import AsyncRetrying, retry_if_not_exception_type, stop_after_attempt, wait_exponential

from k2eval.acceptance import add_counts, total_speculation
from k2eval.config import RunConfig
from k2eval.engines.protocol import Engine
from k2eval.errors import EngineError, EngineStopped, PromptTooLong
from k2eval.grading.pool import GradingPool
from k2eval.journal import Archive, Journal
from k2eval.judging import judged
from k2eval.progress import Progress
from k2eval.recipes.sample import ROLES, Role
from k2eval.records import Generation, Json, Outcome, Place, Request, Response, SpeculativeCounts
from k2eval.work import Assignment, Work, failed, merge_run, now, verdict_of

_ATTEMPTS = 3
_SAVE_EVERY_S = 10.0
_GRADING_BACKLOG = 2048


@dataclass(slots=True)
class Session:
    """What one start of a run did."""

    started: str = field(default_factory=now)
    generated: int = 0
    """New generations."""
    replayed: int = 0
    """Generations taken from the journal."""
    generated_tokens: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    first_request: float | None = None
    last_generation: float | None = None
    last_verdict: float | None = None
    speculative: dict[str, SpeculativeCounts] = field(default_factory=dict)
    engine_speculative: SpeculativeCounts | None = None
    """What the engines counted in all, requests that were never finished included."""

    def count(self, generation: Generation) -> None:
        """Count a new generation."""
        self.generated += 1
        self.generated_tokens += generation.output_tokens
        self.prompt_tokens += generation.prompt_tokens
        self.cached_tokens += generation.cached_tokens
        self.last_generation = time.monotonic()
        if generation.speculative:
            before = self.speculative.get(generation.task)
            self.speculative[generation.task] = add_counts(before, generation.speculative)

    def describe(self) -> dict[str, Json]:
        """The session's entry in ``run.json``."""
        return {
            "started": self.started,
            "finished": now(),
            "generated": self.generated,
            "replayed": self.replayed,
            "generated_tokens": self.generated_tokens,
            "prompt_tokens": self.prompt_tokens,
            "cached_tokens": self.cached_tokens,
            "generation_s": _seconds(self.first_request, self.last_generation),
            "work_s": _seconds(self.first_request, self.last_verdict),
            "speculative": {
                task: counts.model_dump(mode="json") for task, counts in self.speculative.items()
            },
            "engine_speculative": self.engine_speculative and self.engine_speculative.model_dump(mode="json"),
        }


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
        self._archive = Archive(config.reuse)
        self._journal: Journal
        self._pool: GradingPool
        self._progress: Progress
        self._grading: set[asyncio.Task[None]] = set()
        self._interrupted = False

    async def run(self) -> Summary:
        """Make and grade every sample that the run directory does not hold yet.

        Raises:
            JournalError: When the directory cannot be written or holds a different run.
            EngineStopped: When the engine died; everything finished is kept.
        """
        assignments = list(self.work.assignments())
        with Journal(self.config.out) as self._journal:
            described = self.work.describe(self._engines["solver"].info, self._fingerprints())
            run = merge_run(self._journal.read_run(), described)
            settled = {
                place for place, verdict in self._journal.verdicts.items() if self.work.is_settled(verdict)
            }
            missing = [assignment for assignment in assignments if assignment.place not in settled]
            if missing:
                self._journal.write_run(run)
                try:
                    await self._make(assignments, missing, run)
                finally:
                    self._session.engine_speculative = self._drafted_so_far()
                    run["sessions"] = [*run["sessions"], self._session.describe()]
                    self._finish(run, assignments)
            elif not run["complete"]:
                self._finish(run, assignments)
            return self._summary(assignments)

    def _fingerprints(self) -> dict[Role, str]:
        return {role: engine.info.fingerprint for role, engine in self._engines.items()}

    def _drafted_so_far(self) -> SpeculativeCounts | None:
        total: SpeculativeCounts | None = None
        for engine in {id(engine): engine for engine in self._engines.values()}.values():
            if engine.info.speculation is not None:
                total = add_counts(total, engine.info.speculation)
        return total

    async def _make(
        self, assignments: list[Assignment], missing: list[Assignment], run: dict[str, Json]
    ) -> None:
        totals: dict[str, int] = {}
        for assignment in assignments:
            totals[assignment.question.task] = totals.get(assignment.question.task, 0) + 1
        self._progress = Progress(totals, self._console)
        wanted = {assignment.place for assignment in assignments} - {
            assignment.place for assignment in missing
        }
        for place in wanted:
            self._progress.on_verdict(self._journal.verdicts[place])
        async with AsyncExitStack() as stack:
            # The pool's processes start before the engine, so that they inherit nothing of it.
            self._pool = await stack.enter_async_context(
                GradingPool(self.config.workers or default_workers())
            )
            for engine in {id(engine): engine for engine in self._engines.values()}.values():
                await stack.enter_async_context(engine)
            self._note_engines(run)
            stack.enter_context(self._progress)
            try:
                await self._drain(deque(self._longest_first(missing)), run)
            finally:
                self._note_engines(run)

    def _note_engines(self, run: dict[str, Json]) -> None:
        """Keep what engines know once they have started, and what they noticed while they worked."""
        info = self._engines["solver"].info
        run["engine"]["notes"] = list(info.notes)
        run["model"]["context"] = info.context
        run["reproducible"] = info.honours_seeds
        for role, engine in self._engines.items():
            if engine is not self._engines["solver"]:
                run["engine"]["notes"] += [f"{role}: {note}" for note in engine.info.notes]

    def _longest_first(self, missing: list[Assignment]) -> list[Assignment]:
        """Tasks with the longest answers first, so that the tail is short; journalled means where there are any."""
        lengths: dict[str, list[int]] = {}
        for verdict in self._journal.verdicts.values():
            lengths.setdefault(verdict.task, []).append(verdict.recipe_tokens)
        expected = {task: sum(tokens) / len(tokens) for task, tokens in lengths.items()}
        return sorted(missing, key=lambda one: -expected.get(one.question.task, one.sampling.max_tokens))

    async def _drain(self, queue: deque[Assignment], run: dict[str, Json]) -> None:
        workers = min(len(queue), max(engine.capacity for engine in self._engines.values()))
        tasks = [asyncio.create_task(self._worker(queue)) for _ in range(workers)]
        saver = asyncio.create_task(self._save_sometimes(run))
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._interrupt, tasks)
        try:
            await asyncio.gather(*tasks)
            await asyncio.gather(*self._grading)
        except asyncio.CancelledError:
            if not self._interrupted:
                raise
        finally:
            loop.remove_signal_handler(signal.SIGINT)
            for task in (*tasks, saver, *self._grading):
                task.cancel()
            await asyncio.gather(*tasks, saver, *self._grading, return_exceptions=True)

    def _interrupt(self, tasks: list[asyncio.Task[None]]) -> None:
        self._interrupted = True
        for task in tasks:
            task.cancel()

    async def _worker(self, queue: deque[Assignment]) -> None:
        while queue:
            assignment = queue.popleft()
            response = await self._respond(assignment)
            if response is not None:
                grading = asyncio.create_task(self._grade(assignment, response))
                self._grading.add(grading)
                grading.add_done_callback(self._graded)
                if len(self._grading) > _GRADING_BACKLOG:
                    await asyncio.wait(self._grading, return_when=asyncio.FIRST_COMPLETED)

    def _graded(self, task: asyncio.Task[None]) -> None:
        # A failed one stays, so that its error is raised where all are awaited.
        if not task.cancelled() and task.exception() is None:
            self._grading.discard(task)

    async def _respond(self, assignment: Assignment) -> Response | None:
        sample = assignment.sample(self.config.seed, self._fingerprints(), self._ask)
        try:
            return await self.work.recipe(sample)
        except EngineStopped:
            if self._interrupted:
                raise asyncio.CancelledError from None
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
        if self._session.first_request is None:
            self._session.first_request = time.monotonic()
        async for attempt in AsyncRetrying(
            stop=stop_after_attempt(_ATTEMPTS),
            wait=wait_exponential(multiplier=0.2, max=5),
            retry=retry_if_not_exception_type((PromptTooLong, EngineStopped, asyncio.CancelledError)),
            reraise=True,
        ):
            with attempt:
                generation = await self._engines[role].generate(request)
        self._journal.add_generation(generation)
        self._session.count(generation)
        self._progress.on_generation(generation)
        return generation

    async def _grade(self, assignment: Assignment, response: Response) -> None:
        grade = await self._pool.grade(assignment.question, response.text, response.finish_reason == "length")
        verdict = verdict_of(assignment, response, grade)
        if self.work.answer_judged:
            sample = assignment.sample(self.config.seed, self._fingerprints(), self._ask)
            verdict = await judged(sample, response, verdict)
        self._session.last_verdict = time.monotonic()
        self._journal.add_verdict(verdict)
        self._progress.on_verdict(verdict)

    async def _save_sometimes(self, run: dict[str, Json]) -> None:
        while True:
            await asyncio.sleep(_SAVE_EVERY_S)
            self._journal.write_run({**run, "sessions": [*run["sessions"], self._session.describe()]})

    def _finish(self, run: dict[str, Json], assignments: list[Assignment]) -> None:
        done = {place for place, verdict in self._journal.verdicts.items() if self.work.is_settled(verdict)}
        run["complete"] = all(assignment.place in done for assignment in assignments)
        run["speculative"] = total_speculation(run["sessions"])
        self._journal.write_run(run)

    def _summary(self, assignments: list[Assignment]) -> Summary:
        places: list[Place] = [assignment.place for assignment in assignments]
        verdicts = [self._journal.verdicts[place] for place in places if place in self._journal.verdicts]
        return Summary(
            total=len(places),
            done=len(verdicts),
            infrastructure=sum(verdict.outcome.is_infrastructure for verdict in verdicts),
            generated=self._session.generated,
            interrupted=self._interrupted,
        )


def _seconds(start: float | None, end: float | None) -> float:
    return round(end - start, 3) if start is not None and end is not None else 0.0


def default_workers() -> int:
    """Grading processes to start: all cores but one, which feeds the engine."""
    return max(1, min(32, (os.cpu_count() or 2) - 1))
