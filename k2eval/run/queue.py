"""The queue, which keeps the engines full across all tasks, and grades meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Iterable

from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_exponential

from k2eval.errors import EngineError, EngineGaveUp, EngineStopped, PromptTooLong, first_error
from k2eval.grading import GradingPool
from k2eval.journal import Archive, Journal
from k2eval.recipes import Sample, judged
from k2eval.records import Generation, Request, Response, Role
from k2eval.run.engines import RoleEngines
from k2eval.run.plan import Assignment, Work, failed, verdict_of
from k2eval.run.progress import Progress
from k2eval.run.session import Session

_ATTEMPTS = 3
_GRADING_BACKLOG = 512
"""Responses that may wait for their grade; beyond that the engine waits."""
_OF_PLACES = 8
"""A fleet answers so many at once that more may wait: one for so many of its places."""
_FOLLOW_EVERY_S = 0.5
"""Time between two looks at the engines' capacity."""
_SIGNAL_DELAY_S = 0.5
"""How much later than an engine's process this one may learn of the signal that ended both."""


class Backlog:
    """Responses that wait for their grade. Once there are too many, none is let in until most have gone.

    So the engine rests meanwhile, and all processors grade. If it went on with each place that is freed, it would work
    on a few requests at a time, which takes as much of the processors as many do and leaves little to the graders.

    Args:
        most: How many there may be.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._count = 0
        self._open = asyncio.Event()
        self._open.set()

    @property
    def is_closed(self) -> bool:
        """Whether none is let in now."""
        return not self._open.is_set()

    async def enter(self) -> None:
        """Wait until there is room, and take a place."""
        while self.is_closed:
            await self._open.wait()
        self._count += 1
        if self._count >= self._most:
            self._open.clear()

    def leave(self) -> None:
        """Give a place back."""
        self._count -= 1
        if self._count <= self._most // 4:
            self._open.set()


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
        self._backlog = Backlog(max(_GRADING_BACKLOG, engines.capacity // _OF_PLACES))
        self._workers = 0
        self._emptied = asyncio.Event()

    async def drain(self, assignments: Iterable[Assignment]) -> None:
        """Make and grade all samples.

        Raises:
            EngineStopped: If an engine died.
            JournalError: If the run directory cannot be written.
        """
        queue = deque(_longest_first(assignments, self._journal))
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._follow_capacity(queue, group))
        except BaseExceptionGroup as errors:
            raise first_error(errors) from errors

    async def _follow_capacity(self, queue: deque[Assignment], group: asyncio.TaskGroup) -> None:
        """Have as many workers as the engines have places; engines of several replicas grow and shrink."""
        while queue:
            for _ in range(min(len(queue), self._engines.capacity - self._workers)):
                self._workers += 1
                group.create_task(self._work_off(queue, group))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._emptied.wait(), _FOLLOW_EVERY_S)

    async def _work_off(self, queue: deque[Assignment], group: asyncio.TaskGroup) -> None:
        while queue and self._workers <= self._engines.capacity:
            assignment = queue.popleft()
            if not queue:
                self._emptied.set()
            response = await self._respond(assignment)
            if response is None:
                continue
            if self._work.is_graded(assignment):
                with self._progress.waiting(self._backlog.is_closed):
                    await self._backlog.enter()
                group.create_task(self._grade(assignment, response))
            else:
                self._progress.on_response(assignment.question.task)
        self._workers -= 1

    async def _respond(self, assignment: Assignment) -> Response | None:
        try:
            return await self._work.respond(self._sample(assignment))
        except EngineStopped:
            raise
        except EngineError as error:
            verdict = failed(assignment, error)
            self._journal.add_verdict(verdict)
            self._progress.on_verdict(verdict)
        return None

    def _sample(self, assignment: Assignment) -> Sample:
        return assignment.sample(
            self._work.config.seed, self._engines.fingerprints, self._ask, self._engines.reasoning
        )

    async def _ask(self, request: Request, role: Role) -> Generation:
        generation = self._journal.find(request.key)
        if generation is None and (generation := self._archive.find(request.key)) is not None:
            self._journal.add_generation(generation)
        if generation is not None:
            self._session.replayed += 1
            return generation
        try:
            generation = await self._ask_engine(request, role)
        except EngineStopped:
            await asyncio.sleep(_SIGNAL_DELAY_S)  # cancelled meanwhile, if a signal ended the engine
            raise
        self._journal.add_generation(generation)
        self._session.count(generation)
        self._progress.on_generation(generation)
        return generation

    async def _ask_engine(self, request: Request, role: Role) -> Generation:
        retrying = AsyncRetrying(
            stop=stop_after_attempt(_ATTEMPTS),
            wait=wait_exponential(multiplier=0.2, max=5),
            retry=retry_if_exception(_may_pass),
            reraise=True,
        )
        return await retrying(self._ask_once, request, role)

    async def _ask_once(self, request: Request, role: Role) -> Generation:
        with self._session.asking():
            return await self._engines[role].generate(request)

    async def _grade(self, assignment: Assignment, response: Response) -> None:
        try:
            with self._progress.grading():
                grade = await self._pool.grade(
                    assignment.question,
                    response.text,
                    response.finish_reason == "length",
                    reasoning=response.reasoning,
                )
        finally:
            self._backlog.leave()
        verdict = verdict_of(assignment, response, grade)
        if self._work.answer_judged:
            verdict = await judged(self._sample(assignment), response, verdict)
        self._session.last_verdict = time.monotonic()
        self._journal.add_verdict(verdict)
        self._progress.on_verdict(verdict)


def _longest_first(assignments: Iterable[Assignment], journal: Journal) -> list[Assignment]:
    """Sort tasks with the longest answers first, so that the tail is short, by the means in the journal if it has any.

    Before anything is known, the steps of a question that is solved one after the other count.
    """
    lengths: dict[str, list[int]] = {}
    for verdict in journal.verdicts.values():
        lengths.setdefault(verdict.task, []).append(verdict.recipe_tokens)
    expected = {task: sum(tokens) / len(tokens) for task, tokens in lengths.items()}

    def length(assignment: Assignment) -> float:
        question = assignment.question
        steps = int(question.tags.get("steps", 1)) if assignment.solver is not None else 1
        return expected.get(question.task, assignment.sampling.max_tokens * steps)

    return sorted(assignments, key=length, reverse=True)


def _may_pass(error: BaseException) -> bool:
    """Return whether to ask the engine again. Other errors are bugs; trying again would hide them.

    An engine that tries again by itself, as an endpoint does ``attempts`` times, ends with EngineGaveUp.
    """
    return isinstance(error, EngineError) and not isinstance(
        error, (EngineGaveUp, PromptTooLong, EngineStopped)
    )
