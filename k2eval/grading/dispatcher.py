"""One thread that feeds the workers of a process and reads their grades."""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from collections.abc import Callable, Iterable

import orjson

from k2eval.grading.job_queue import JobQueue
from k2eval.grading.process import STALL_LIMIT_S, WorkerDied, WorkerHung, WorkerProcess, WorkerStalled
from k2eval.grading.seat import LOOK_EVERY_S, START_LIMIT_S, Job, Seat
from k2eval.records import Grade, Outcome
from k2eval.system import remove_leftovers

BATCH = 16
"""Answers that a worker has at most; the limit still holds for each."""
_SLOW_S = 0.5
"""Time at one answer after which workers that have nothing to do are given those that wait behind it, too."""
_ATTEMPTS = 2
_PAUSE_S = 0.001
"""Rest while workers have enough to do, in which several replies come for one look."""
_CLOSE_S = 10.0
_PAUSE_AFTER_FAILURE_S = 1.0
"""Time in which no worker is started after one that could not be, if there are others."""


class Dispatcher:
    """Workers of this process, and the thread that hands out jobs to them.

    A worker has its next answers before it has graded the present ones, so it never waits for this thread. They cannot
    be taken back. If it is slow with one, others that have nothing to do grade those behind it, too, and the first
    grade of each counts. Answers of programs are given one at a time. Workers start when there is something for them,
    or at once if graders are named.

    Args:
        workers: Number of processes, at least 1.
        stall_s: Seconds without any progress after which a worker counts as stalled.
        start_limit_s: Seconds in which a worker must have imported a grader.
        graders: Graders that the workers load at once.
        idle: Whether the workers take only the processor time that nothing else wants, instead of less than others.
        after_turn: Called in the thread whenever grades have been handed out.
    """

    def __init__(
        self,
        workers: int,
        *,
        stall_s: float = STALL_LIMIT_S,
        start_limit_s: float = START_LIMIT_S,
        graders: Iterable[str] = (),
        idle: bool = False,
        after_turn: Callable[[], None] = lambda: None,
    ) -> None:
        self._count = workers
        self._stall_s = stall_s
        self._start_limit_s = start_limit_s
        self._graders = sorted(set(graders))
        self._idle = idle
        self._after_turn = after_turn
        self._queue = JobQueue()
        self._seats: dict[int, Seat] = {}
        """Seats by the file number of their worker's replies."""
        self._writing: dict[int, Seat] = {}
        """Seats whose worker has not taken all that was sent, by the file number of its input."""
        self._relieved: set[Seat] = set()
        """Seats of whose answers others have some, too."""
        self._poll = select.epoll()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll.register(self._wake, select.EPOLLIN)
        self._sleeps = False
        self._closing = self._ended = False
        self._open = threading.Lock()
        """Held while the wake-up file is used or closed."""
        self._next_look = self._starts_from = 0.0
        self._thread = threading.Thread(target=self._serve, name="k2eval-grading", daemon=True)
        self._thread.start()

    def put(self, job: Job) -> None:
        """Queue a job; from any thread."""
        self._queue.put(job)
        if self._ended:
            self._cancel_queue()
        self._rouse()

    def _rouse(self) -> None:
        if self._sleeps:
            self._sleeps = False
            with self._open:
                if not self._ended:
                    os.eventfd_write(self._wake, 1)

    def hasten(self) -> None:
        """Let workers take their share of the processors from now on, even if they were idle ones so far.

        The kernel lets nobody but root raise a process, so idle workers are replaced, and their answers graded anew.
        """
        self._idle = False
        self._rouse()

    @property
    def workers(self) -> int:
        """Number of workers that there may be."""
        return self._count

    @property
    def waiting(self) -> int:
        """Jobs that no worker has."""
        return len(self._queue)

    def pids(self) -> list[int]:
        """Return the process ids of the living workers."""
        return [seat.process.pid for seat in list(self._seats.values())]

    def close(self) -> None:
        """End all workers, hung ones too. Answers that are still being graded are cancelled."""
        self._closing = True
        self._sleeps = True
        self._rouse()
        self._thread.join(timeout=_CLOSE_S)
        self._cancel_queue()

    def _cancel_queue(self) -> None:
        for job in self._queue.drain():
            job.cancel()

    def _serve(self) -> None:
        try:
            self._prepare()
            while not self._closing:
                self._turn()
        finally:
            self._closing = True
            self._end_all()

    def _prepare(self) -> None:
        """Start the workers and have them load their graders; the first answer will tell if that fails."""
        for _ in range(self._count if self._graders else 0):
            with contextlib.suppress(OSError):
                seat = self._start()
                with contextlib.suppress(WorkerDied):
                    for grader in self._graders:
                        self._sent(seat, seat.load(grader))

    def _turn(self) -> None:
        """Hand out jobs, wait for something to happen, and take what has come."""
        self._replace_idle()
        self._end_idlers()
        self._fill()
        self._relieve()
        if len(self._queue) > self._count and not self._runs_programs:
            time.sleep(_PAUSE_S)
        for number, event in self._wait():
            if number == self._wake:
                os.eventfd_read(self._wake)
            elif number in self._writing:
                self._flush(self._writing[number])
            elif (seat := self._seats.get(number)) is not None and event:
                self._read(seat)
        self._look()
        self._after_turn()

    def _wait(self) -> list[tuple[int, int]]:
        self._sleeps = True
        if self._closing or (self._queue and self._has_room) or self._must_replace:  # came in just now
            self._sleeps = False
        is_busy = any(seat.is_busy for seat in self._seats.values())
        limit = (LOOK_EVERY_S if is_busy else -1) if self._sleeps else 0
        try:
            return self._poll.poll(limit)
        finally:
            self._sleeps = False

    @property
    def _runs_programs(self) -> bool:
        return any(seat.last is not None and seat.last.runs_programs for seat in self._seats.values())

    @property
    def _has_room(self) -> bool:
        return self._may_start or any(not seat.is_busy for seat in self._seats.values())

    @property
    def _may_start(self) -> bool:
        is_short = len(self._seats) < self._count
        return is_short and (not self._seats or time.monotonic() >= self._starts_from)

    @property
    def _must_replace(self) -> bool:
        return not self._idle and any(seat.process.idle for seat in self._seats.values())

    def _replace_idle(self) -> None:
        if self._must_replace:
            for seat in [seat for seat in self._seats.values() if seat.process.idle]:
                self._put_back(seat.jobs)
                self._end(seat)

    def _fill(self) -> None:
        """Hand out jobs, first to workers that have none."""
        while self._queue:
            seat = self._seat_without_jobs()
            if seat is None and self._may_start:
                try:
                    seat = self._start()
                except OSError as error:
                    self._starts_from = time.monotonic() + _PAUSE_AFTER_FAILURE_S
                    if not self._seats:
                        self._blame(next(self._queue.drain()), error)
            if seat is not None:
                self._give(seat)
            elif not self._may_start:
                break
        if len(self._queue) > self._count:
            for seat in list(self._seats.values()):
                if seat.count <= BATCH // 2 and self._joins(seat, seat.last):
                    self._give(seat)

    def _relieve(self) -> None:
        """Give answers that wait behind a slow one to workers that have nothing to do, the last ones first."""
        if self._queue:
            return
        now = time.monotonic()
        for seat in list(self._seats.values()):
            if seat.count < 2 or now - seat.began < _SLOW_S:
                continue
            for job in [job for job in seat.jobs[:0:-1] if not (job.is_graded or job.has_helper)]:
                helper = self._seat_without_jobs()
                if helper is None:
                    return
                job.has_helper = True
                self._relieved.add(seat)
                self._give_to(helper, [job])

    def _end_idlers(self) -> None:
        """End workers that are at nothing but answers which others have graded, if there is something to do."""
        for seat in list(self._relieved):
            if self._queue and seat.jobs and all(job.is_graded for job in seat.jobs):
                self._end(seat)
            elif not seat.is_busy:
                self._relieved.discard(seat)

    def _seat_without_jobs(self) -> Seat | None:
        """Return a worker that has no jobs, one whose questions wait before others."""
        seats = [seat for seat in self._seats.values() if not seat.is_busy]
        return next((seat for seat in seats if self._queue.has_own(seat)), seats[0] if seats else None)

    def _joins(self, seat: Seat, last: Job | None) -> bool:
        """Tell whether a worker's next job may wait there behind another."""
        following = self._queue.first(seat)
        if last is None or following is None:
            return False
        is_alone = last.attempts or following.attempts or last.runs_programs
        return not is_alone and following.grader == last.grader

    def _give(self, seat: Seat) -> None:
        if not self._queue:
            return
        jobs = [self._queue.take(seat)]
        share = min(BATCH - seat.count, 1 + len(self._queue) // (2 * self._count))
        while len(jobs) < share and self._joins(seat, jobs[0]):
            jobs.append(self._queue.take(seat))
        self._give_to(seat, jobs)

    def _give_to(self, seat: Seat, jobs: list[Job]) -> None:
        try:
            self._sent(seat, seat.give(jobs))
        except WorkerDied as error:
            self._lose(seat, error)

    def _sent(self, seat: Seat, is_whole: bool) -> None:
        number = seat.process.stdin
        if not is_whole and number not in self._writing:
            self._writing[number] = seat
            self._poll.register(number, select.EPOLLOUT)

    def _flush(self, seat: Seat) -> None:
        try:
            if seat.process.flush():
                del self._writing[seat.process.stdin]
                self._poll.unregister(seat.process.stdin)
        except WorkerDied as error:
            self._lose(seat, error)

    def _read(self, seat: Seat) -> None:
        try:
            for job, reply in seat.replies():
                _finish(job, reply)
        except WorkerDied as error:
            self._lose(seat, error)

    def _look(self) -> None:
        """Judge the workers that have been at one answer for long."""
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + LOOK_EVERY_S
        for seat in [seat for seat in self._seats.values() if seat.is_due(now)]:
            clocks, began = seat.process.clocks(), seat.began
            self._read(seat)
            if seat.began == began:
                try:
                    seat.judge(clocks)
                except (WorkerHung, WorkerStalled) as error:
                    self._lose(seat, error)

    def _start(self) -> Seat:
        seat = Seat(WorkerProcess(self._idle), self._stall_s, self._start_limit_s)
        self._seats[seat.process.stdout] = seat
        self._queue.enter(seat)
        self._poll.register(seat.process.stdout, select.EPOLLIN)
        return seat

    def _end(self, seat: Seat) -> None:
        self._seats.pop(seat.process.stdout, None)
        self._relieved.discard(seat)
        self._queue.leave(seat)
        self._poll.unregister(seat.process.stdout)
        if self._writing.pop(seat.process.stdin, None) is not None:
            self._poll.unregister(seat.process.stdin)
        seat.process.kill()
        remove_leftovers()  # of a worker that was killed in the middle of the sandbox's self-test

    def _lose(self, seat: Seat, error: Exception) -> None:
        """End a worker that failed, and decide about its present answer; the others go back to the queue."""
        if self._seats.get(seat.process.stdout) is not seat:
            return
        jobs = seat.jobs
        self._end(seat)
        self._put_back(jobs[1:])
        if jobs:
            self._blame(jobs[0], error)

    def _blame(self, job: Job, error: Exception) -> None:
        job.attempts += 1
        if not isinstance(error, WorkerHung) and job.attempts < _ATTEMPTS:
            self._put_back([job])
        else:
            _finish(job, _verdict_on(error))

    def _put_back(self, jobs: Iterable[Job]) -> None:
        left = [job for job in jobs if not job.is_graded]
        for job in left:
            job.has_helper = False
        self._queue.put_back(left)

    def _end_all(self) -> None:
        seats = list(self._seats.values())
        for seat in seats:
            seat.process.strike()
        for seat in seats:
            for job in seat.jobs:
                job.cancel()
            self._end(seat)
        self._cancel_queue()
        self._after_turn()
        with self._open:
            self._ended = True
            self._poll.close()
            os.close(self._wake)


def _finish(job: Job, reply: bytes) -> None:
    """Give a job its grade; the first one counts."""
    if not job.is_graded:
        job.is_graded = True
        job.finish(reply)


def _verdict_on(error: Exception) -> bytes:
    if isinstance(error, WorkerHung):
        return as_reply(Grade.of(Outcome.TIMEOUT, reason=str(error)))
    reason = (
        str(error) if isinstance(error, (WorkerDied, WorkerStalled)) else f"{type(error).__name__}: {error}"
    )
    return as_reply(Grade.of(Outcome.GRADER_ERROR, reason=reason[:500]))


def as_reply(grade: Grade) -> bytes:
    """Return a grade as a worker writes it."""
    return orjson.dumps(grade.model_dump(mode="json"))
