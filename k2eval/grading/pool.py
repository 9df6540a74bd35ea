"""Grade in worker processes, with a hard limit on the cost of one answer.

Each worker has a thread of the parent that feeds it and waits for it, so a stalled event loop cannot turn a
finished answer into a timeout, and the same pool serves ``await pool.grade(…)`` and `grade_all`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple, Self

import orjson

from k2eval.errors import ConfigError, DataError
from k2eval.grading.process import STALL_LIMIT_S, WorkerDied, WorkerHung, WorkerProcess, WorkerStalled
from k2eval.grading.registry import DEFAULT_LIMIT_S, Grader, grader_for, grader_name
from k2eval.reasoning import AUTO
from k2eval.records import Grade, Outcome, Question, ReasoningFormat
from k2eval.system import cores, remove_leftovers

_BATCH = 8
"""Answers in one message; the limit still holds for each."""

_ATTEMPTS = 2


class GradingJob(NamedTuple):
    """One response to grade."""

    question: Question
    text: str
    truncated: bool = False
    grader: str | None = None
    """Name of the grader; None for the one that the question asks for."""
    reasoning: ReasoningFormat = AUTO
    """The reasoning format of whoever wrote the text."""


@dataclass(slots=True, eq=False)
class _Job:
    question: Question
    text: str
    truncated: bool
    reasoning: ReasoningFormat
    grader: Grader
    limit_s: float
    finish: Callable[[Grade], None]
    """Takes the grade, in the thread of a worker."""
    cancel: Callable[[], object]
    """Called in place of ``finish`` if there will be no grade."""
    attempts: int = 0

    def message(self) -> bytes:
        """Return the job as JSON."""
        rest = {
            "grader": self.grader.name,
            "question": self.question.model_dump(mode="python"),
            "truncated": self.truncated,
            "reasoning": self.reasoning.model_dump(mode="json"),
        }
        return b'{"text":%b,%b' % (_as_json(self.text), json.dumps(rest).encode()[1:])


class GradingPool:
    """Processes that grade.

    An answer whose comparison does not end is ``timeout`` (wrong): its worker demonstrably computed for the whole
    limit. A worker that dies or stalls is replaced, and its answer is tried once more before it is
    ``grader_error``. Use as ``with`` or ``async with``; start it before any engine.

    Args:
        workers: Number of processes, at least 1.
        limit_s: Seconds of processor time that one answer may cost. A grader that runs programs sets its own limit,
            of wall time; exceeding that limit is never the answer's fault.
        stall_s: Seconds without any progress after which a worker counts as stalled.
        graders: Graders that the workers load at once; others are loaded when they are first needed.
        idle: Whether the workers take only the processor time that nothing else wants, instead of less than others.
    """

    def __init__(
        self,
        workers: int,
        *,
        limit_s: float = DEFAULT_LIMIT_S,
        stall_s: float = STALL_LIMIT_S,
        graders: Iterable[str] = (),
        idle: bool = False,
    ) -> None:
        if workers < 1:
            raise ConfigError(f"Expected at least 1 grading worker, got {workers}.")
        self._limit_s = limit_s
        self._stall_s = stall_s
        self._graders = sorted(set(graders))
        self._idle = idle
        self._jobs: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._workers: set[WorkerProcess] = set()
        self._count = workers
        self._threads = [
            threading.Thread(target=self._serve, name=f"k2eval-grading-{index}", daemon=True)
            for index in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, item: GradingJob) -> Future[Grade]:
        """Queue one response; the future gives its grade.

        Raises:
            ConfigError: If there is no such grader, or the pool is closed.
        """
        result: Future[Grade] = Future()

        def finish(grade: Grade) -> None:
            with contextlib.suppress(InvalidStateError):  # cancelled meanwhile
                result.set_result(grade)

        self._queue(item, finish, result.cancel)
        return result

    def _queue(self, item: GradingJob, finish: Callable[[Grade], None], cancel: Callable[[], object]) -> None:
        grader = grader_for(grader_name(item.question, item.grader))
        try:
            limit = grader.limit(item.question, self._limit_s)
        except DataError as error:
            finish(Grade.of(Outcome.GRADER_ERROR, reason=str(error)[:500]))
            return
        job = _Job(item.question, item.text, item.truncated, item.reasoning, grader, limit, finish, cancel)
        with self._changed:
            if self._closing:
                raise ConfigError("Expected an open grading pool, got one that is closed.")
            self._jobs.append(job)
            self._changed.notify()

    def hasten(self) -> None:
        """Let workers take their share of the processors from now on, even if they were idle ones so far.

        The kernel lets nobody but root raise a process, so idle workers are replaced, and their answers graded anew.
        """
        with self._changed:
            self._idle = False
            for worker in self._workers:
                if worker.idle:
                    worker.strike()

    async def grade(
        self,
        question: Question,
        text: str,
        truncated: bool = False,
        *,
        grader: str | None = None,
        reasoning: ReasoningFormat = AUTO,
    ) -> Grade:
        """Grade one response; see `GradingJob` for the arguments."""
        loop = asyncio.get_running_loop()
        result: asyncio.Future[Grade] = loop.create_future()

        def settle(grade: Grade | None) -> None:
            if result.done():
                return
            if grade is None:
                result.cancel()
            else:
                result.set_result(grade)

        def finish(grade: Grade | None = None) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(settle, grade)

        self._queue(GradingJob(question, text, truncated, grader, reasoning), finish, finish)
        return await result

    def pids(self) -> list[int]:
        """Return the process ids of the living workers."""
        with self._changed:
            return [worker.pid for worker in self._workers]

    def close(self) -> None:
        """End all workers, hung ones too. Answers that are still being graded are cancelled."""
        with self._changed:
            self._closing = True
            for job in self._jobs:
                job.cancel()
            self._jobs.clear()
            self._changed.notify_all()
            busy = list(self._workers)
        for worker in busy:
            worker.kill()
        for thread in self._threads:
            thread.join(timeout=5)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.close)

    def _serve(self) -> None:
        """Feed one worker until the pool closes, replacing it when it must be killed."""
        worker = self._prepared() if self._graders else None
        while batch := self._next_batch():
            try:
                worker = worker or self._start()
                self._run(worker, batch)
            except Exception as error:
                was_struck = worker is not None and worker.idle and not self._idle
                if worker is not None:
                    self._end(worker)
                worker = None
                self._recover(batch, error, was_struck and isinstance(error, WorkerDied))
        if worker is not None:
            self._end(worker)

    def _prepared(self) -> WorkerProcess | None:
        """Start a worker and load its graders; return None if that fails, which the first answer will tell."""
        worker = self._start()
        try:
            for grader in self._graders:
                worker.load(grader)
        except Exception:
            self._end(worker)
            return None
        return worker

    def _start(self) -> WorkerProcess:
        worker = WorkerProcess(self._idle)
        with self._changed:
            self._workers.add(worker)
            if worker.idle and not self._idle:  # hastened meanwhile
                worker.strike()
        return worker

    def _end(self, worker: WorkerProcess) -> None:
        with self._changed:
            self._workers.discard(worker)
        worker.kill()
        remove_leftovers()  # of a worker that was killed in the middle of the sandbox's self-test

    def _next_batch(self) -> deque[_Job]:
        """Return the next answers for one worker; none if the pool closes."""
        with self._changed:
            while not self._jobs and not self._closing:
                self._changed.wait()
            if self._closing:
                return deque()
            batch = deque([self._jobs.popleft()])
            share = min(_BATCH, 1 + len(self._jobs) // (2 * self._count))
            while len(batch) < share and self._joins(batch[0]):
                batch.append(self._jobs.popleft())
            return batch

    def _joins(self, first: _Job) -> bool:
        following = self._jobs[0]
        alone = first.attempts > 0 or following.attempts > 0 or first.grader.time_limit is not None
        return not alone and following.grader.name == first.grader.name

    def _run(self, worker: WorkerProcess, batch: deque[_Job]) -> None:
        worker.load(batch[0].grader.name)
        worker.send(b'{"jobs":[' + b",".join(job.message() for job in batch) + b"]}")
        while batch:
            limit = batch[0].limit_s
            own_limit = batch[0].grader.time_limit is not None
            reply = worker.receive_within(limit) if own_limit else worker.receive(limit, self._stall_s)
            batch.popleft().finish(Grade.model_validate(reply))

    def _recover(self, batch: deque[_Job], error: Exception, is_ours: bool) -> None:
        """Decide about the answer that a worker failed at; the others of its batch go back to the queue.

        Args:
            batch: The answers that the worker had and has not graded.
            error: Its failure.
            is_ours: Whether the pool ended it, so that no answer is to blame.
        """
        with self._changed:
            if self._closing:
                for job in batch:
                    job.cancel()
                return
            if is_ours:
                self._jobs.extendleft(reversed(batch))
                self._changed.notify_all()
                return
            if not batch:
                return
            failed = batch.popleft()
            failed.attempts += 1
            self._jobs.extendleft(reversed(batch))
            if not isinstance(error, WorkerHung) and failed.attempts < _ATTEMPTS:
                self._jobs.appendleft(failed)
                self._changed.notify_all()
                return
            self._changed.notify_all()
        failed.finish(_verdict_on(failed, error))


def _as_json(text: str) -> bytes:
    """Return a text as JSON; responses have hundreds of thousands of characters, which `json` takes its time for."""
    try:
        return orjson.dumps(text)
    except TypeError:  # unpaired surrogates
        return json.dumps(text).encode()


def _verdict_on(job: _Job, error: Exception) -> Grade:
    if isinstance(error, WorkerHung):
        return Grade.of(Outcome.TIMEOUT, reason=f"no grade within {job.limit_s:g} s of processor time")
    reason = (
        str(error) if isinstance(error, (WorkerDied, WorkerStalled)) else f"{type(error).__name__}: {error}"
    )
    return Grade.of(Outcome.GRADER_ERROR, reason=reason[:500])


def grade_all(
    items: Iterable[GradingJob], workers: int | None = None, *, limit_s: float = DEFAULT_LIMIT_S
) -> Iterator[Grade]:
    """Grade ``items`` in worker processes, in order; reads ahead only as far as keeps the workers busy.

    Args:
        items: The jobs to grade; may be endless.
        workers: Number of processes; one per processor if None.
        limit_s: Seconds that one answer may cost, if its grader sets no limit.
    """
    count = workers or cores.count()
    waiting: deque[Future[Grade]] = deque()
    with GradingPool(count, limit_s=limit_s) as pool:
        for item in items:
            waiting.append(pool.submit(item))
            if len(waiting) >= count * _BATCH * 8:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
