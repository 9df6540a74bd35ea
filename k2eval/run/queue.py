"""The queue, which keeps the engines full across all tasks, and grades meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time

from k2eval.engines import may_think
from k2eval.errors import EngineError, EngineGaveUp, EngineStopped, PromptTooLong, first_error
from k2eval.grading import GradingPool
from k2eval.journal import Archive, Journal
from k2eval.recipes import Sample, judged
from k2eval.records import Generation, Request, Response, Role
from k2eval.run.backlog import Backlog, hasten_if_starved, share_processors
from k2eval.run.engines import RoleEngines
from k2eval.run.order import Order
from k2eval.run.plan import Assignment, Work, failed, verdict_of
from k2eval.run.progress import Progress
from k2eval.run.session import Session

_PAUSES_S = (0.2, 0.4)
"""Seconds before an engine is asked again."""
_IN_STEPS = 1.25
"""Samples in work for each request that keeps the engine full, where a sample asks for one thing after another.

More can be asked at once then, and the requests of samples with the most tokens left go first.
"""
_GRADING_BACKLOG = 512
"""Responses that may wait for their grade; beyond that the engine waits."""
_OF_PLACES = 8
"""A fleet answers so many at once that more may wait: one for so many of its places."""
_OF_WORKERS = 32
"""So many may wait for each grading process."""
_LOOK_EVERY_S = 2.0
_AT_ONCE = 64
"""Samples that begin in one turn of the event loop; a fleet has room for thousands, and answers come meanwhile."""
_TELL_EVERY_S = 30.0
"""Time between two lines about recipes that ask nothing; a multiple of the time between two looks."""
_FOLLOW_EVERY_S = 0.5
"""Time between two looks at the engines' capacity."""
_SIGNAL_DELAY_S = 0.5
"""How much later than an engine's process this one may learn of the signal that ended both."""


class SampleQueue:
    """A queue that makes and grades samples while its engines, its pool and its journal are open.

    Args:
        work: The work of the run.
        engines: The engines that answer requests.
        archive: Generations of other runs, used again if their keys are equal.
        journal: The journal for generations and verdicts.
        pool: The pool that grades.
        progress: The display of the run.
        session: The session, which counts.
    """

    def __init__(
        self,
        work: Work,
        engines: RoleEngines,
        archive: Archive,
        journal: Journal,
        pool: GradingPool,
        progress: Progress,
        session: Session,
    ) -> None:
        self._work = work
        self._engines = engines
        self._archive = archive
        self._journal = journal
        self._pool = pool
        self._progress = progress
        self._session = session
        self._reasoning = engines.reasoning
        self._backlog = Backlog(_GRADING_BACKLOG)
        self._workers = 0
        self._responding = 0
        self._emptied = asyncio.Event()
        self._end: Exception | None = None

    async def drain(self, order: Order) -> None:
        """Make and grade all samples.

        Args:
            order: The samples, of which each place of the engine takes the next.

        Raises:
            EngineStopped: If an engine died.
            JournalError: If the run directory cannot be written.
        """
        self._emptied.clear()
        self._progress.follow(order)
        watches = [
            asyncio.create_task(watch)
            for watch in (
                hasten_if_starved(self._backlog, self._pool.hasten),
                share_processors(self._backlog, lambda: self._pool.workers, self._engines.distinct),
                self._tell_of_silence(),
            )
        ]
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._follow_capacity(order, group))
        except BaseExceptionGroup as errors:
            raise first_error(errors) from errors
        finally:
            for watch in watches:
                watch.cancel()

    @property
    def _most(self) -> int:
        """Number of samples that may be in work."""
        capacity = self._engines.capacity
        return capacity if self._work.asks_once else math.ceil(_IN_STEPS * capacity)

    async def _tell_of_silence(self) -> None:
        """Say every now and then that a recipe or a solver waits for something of its own, and asks no engine."""
        stands, before = 0.0, None
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            session = self._session
            now = (session.requests, session.replayed, self._backlog.left)
            waits = self._responding and not session.in_flight and not self._backlog.count
            stands = stands + _LOOK_EVERY_S if waits and now == before else 0.0
            before = now
            if stands and stands % _TELL_EVERY_S == 0:
                self._progress.tell(
                    f"{self._responding} samples wait for {stands:.0f} s in recipe {self._work.config.recipe} or their "
                    "solver, which ask no engine. Ctrl-C ends the run"
                )

    async def _follow_capacity(self, order: Order, group: asyncio.TaskGroup) -> None:
        """Have as many workers as the engines have places; engines of several replicas grow and shrink."""
        while order:
            for index in range(min(len(order), self._most - self._workers)):
                self._workers += 1
                group.create_task(self._work_off(order, group))
                if index % _AT_ONCE == _AT_ONCE - 1:
                    await asyncio.sleep(0)
            self._backlog.widen(max(self._engines.capacity // _OF_PLACES, self._pool.workers * _OF_WORKERS))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_FOLLOW_EVERY_S):
                    await self._emptied.wait()

    async def _work_off(self, order: Order, group: asyncio.TaskGroup) -> None:
        while order and self._workers <= self._most:
            assignment = order.pop()
            expected = order.expect(assignment)
            self._progress.on_start(assignment.sample_key)
            if not order:
                self._emptied.set()
            response = await self._respond(assignment, expected)
            order.end(assignment, response.recipe_tokens if response else None)
            if response is None:
                continue
            if self._work.is_graded(assignment):
                with self._progress.waiting(self._backlog.is_closed):
                    await self._backlog.enter()
                group.create_task(self._grade(assignment, response, expected))
            else:
                self._progress.on_response(assignment.question.task, response.recipe_tokens)
        self._workers -= 1

    async def _respond(self, assignment: Assignment, expected: float) -> Response | None:
        self._responding += 1
        try:
            response = await self._work.respond(self._sample(assignment, expected))
            self._check_alive()
            return response
        except EngineStopped:
            raise
        except EngineError as error:
            self._check_alive()
            verdict = failed(assignment, error)
            self._journal.add_verdict(verdict)
            self._progress.on_verdict(verdict)
        finally:
            self._responding -= 1
        return None

    def _check_alive(self) -> None:
        """Raise the error that ends the run, in case that a recipe of the user's has caught it."""
        if self._end is not None:
            raise self._end

    def _sample(self, assignment: Assignment, expected: float) -> Sample:
        return assignment.sample(
            self._work.config.seed, self._engines.fingerprints, self._ask, self._reasoning, expected
        )

    async def _ask(self, request: Request, role: Role) -> Generation:
        generation = self._journal.find(request.key)
        if generation is None and (generation := self._archive.find(request.key)) is not None:
            self._journal.add_generation(generation)
        if generation is not None:
            self._session.replayed += 1
            self._look_for_marks(generation, request, role)
            return generation
        try:
            generation = await self._ask_engine(request, role)
            self._journal.add_generation(generation)
        except EngineStopped as error:
            self._end = error
            await asyncio.sleep(_SIGNAL_DELAY_S)  # cancelled meanwhile, if a signal ended the engine
            raise
        except EngineError:
            raise
        except Exception as error:
            self._end = error
            raise
        self._session.count(generation)
        self._look_for_marks(generation, request, role)
        self._progress.on_generation(generation, role)
        return generation

    def _look_for_marks(self, generation: Generation, request: Request, role: Role) -> None:
        if role == "solver" and may_think(request.sampling):
            self._session.look_for_marks(generation, self._reasoning[role])

    async def _ask_engine(self, request: Request, role: Role) -> Generation:
        for pause_s in _PAUSES_S:
            try:
                return await self._ask_once(request, role)
            except EngineError as error:
                if not _may_pass(error):
                    raise
            await asyncio.sleep(pause_s)
        return await self._ask_once(request, role)

    async def _ask_once(self, request: Request, role: Role) -> Generation:
        with self._session.asking():
            return await self._engines[role].generate(request)

    async def _grade(self, assignment: Assignment, response: Response, expected: float) -> None:
        try:
            with self._progress.grading():
                grade = await self._pool.grade_response(assignment.question, response)
        finally:
            self._backlog.leave()
        verdict = verdict_of(assignment, response, grade)
        if self._work.answer_judged:
            verdict = await judged(
                self._sample(assignment, expected - response.recipe_tokens), response, verdict
            )
        self._session.last_verdict = time.monotonic()
        self._journal.add_verdict(verdict)
        self._progress.on_verdict(verdict)


def _may_pass(error: EngineError) -> bool:
    """Return whether to ask the engine again.

    An engine that tries again by itself, as an endpoint does ``attempts`` times, ends with EngineGaveUp.
    """
    return not isinstance(error, (EngineGaveUp, PromptTooLong, EngineStopped))
