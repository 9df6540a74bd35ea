"""The answers that one worker has, and the clock of the one that it works on."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import orjson

from k2eval.grading.process import (
    STARVED_LIMIT_S,
    Clocks,
    WorkerDied,
    WorkerHung,
    WorkerProcess,
    WorkerStalled,
)

LOOK_EVERY_S = 0.25
"""Seconds between two looks at a worker's clocks."""
START_LIMIT_S = 300.0
"""Seconds in which a worker must have imported a grader."""


@dataclass(slots=True, eq=False)
class Job:
    """One response on its way to a worker, as JSON, and the rules of its grader."""

    question: bytes
    """The question as JSON."""
    rest: bytes
    """Members of a JSON object, without its braces: grader, text, truncated, reasoning."""
    grader: str
    limit_s: float
    """Seconds of processor time; of wall time if ``runs_programs``."""
    runs_programs: bool
    """Whether the grader sets limits of its own, so that running out of time is our failure."""
    finish: Callable[[bytes], None]
    """Takes the grade as JSON, in the thread of whoever has it."""
    cancel: Callable[[], object]
    """Called in place of ``finish`` if there will be no grade."""
    question_id: int = 0
    """Number of the question among those that the driver keeps as JSON."""
    attempts: int = 0
    losses: int = 0
    """Crews that ended while they had this job."""
    is_graded: bool = False
    has_helper: bool = False
    """Whether another worker has it, too."""

    def message(self) -> bytes:
        """Return the job as JSON."""
        return b'{"question":%b,%b}' % (self.question, self.rest)


@dataclass(slots=True, eq=False)
class _Load:
    """A worker's import of a grader, which takes seconds the first time and is no answer's fault."""

    grader: str
    limit_s: float
    runs_programs: bool = True


class Seat:
    """One worker with the answers that were given to it.

    Args:
        process: The worker.
        stall_s: Seconds of neither computing nor waiting for a processor after which it counts as stalled.
        start_limit_s: Seconds in which it must have imported a grader.
    """

    def __init__(self, process: WorkerProcess, stall_s: float, start_limit_s: float = START_LIMIT_S) -> None:
        self.process = process
        self.loaded: set[str] = set()
        self._stall_s = stall_s
        self._start_limit_s = start_limit_s
        self._awaited: deque[Job | _Load] = deque()
        self.began = 0.0
        """Time at which the worker began with its present answer, as far as is known."""
        self._before: Clocks | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a reply is awaited."""
        return bool(self._awaited)

    @property
    def jobs(self) -> list[Job]:
        """Jobs that have been given to the worker, and are not graded."""
        return [awaited for awaited in self._awaited if isinstance(awaited, Job)]

    @property
    def count(self) -> int:
        """Number of replies that are awaited."""
        return len(self._awaited)

    @property
    def last(self) -> Job | None:
        """The job that was given last, if it is not graded."""
        last = self._awaited[-1] if self._awaited else None
        return last if isinstance(last, Job) else None

    def load(self, grader: str) -> bool:
        """Have the worker import a grader; return whether the pipe has taken all that was sent.

        Raises:
            WorkerDied: If the worker has ended.
        """
        if grader in self.loaded:
            return True
        self.loaded.add(grader)
        self._await(_Load(grader, self._start_limit_s))
        return self.process.send(orjson.dumps({"load": grader}))

    def give(self, jobs: list[Job]) -> bool:
        """Give jobs of one grader; return whether the pipe has taken all of them.

        Raises:
            WorkerDied: If the worker has ended.
        """
        self.load(jobs[0].grader)
        for job in jobs:
            self._await(job)
        return self.process.send(b'{"jobs":[%b]}' % b",".join([job.message() for job in jobs]))

    def _await(self, awaited: Job | _Load) -> None:
        if not self._awaited:
            self._begin()
        self._awaited.append(awaited)

    def _begin(self) -> None:
        self.began, self._before = time.monotonic(), None

    def replies(self) -> Iterator[tuple[Job, bytes]]:
        """Yield jobs that are graded by now, with the worker's replies.

        Raises:
            WorkerDied: If the worker has ended, or cannot import a grader.
        """
        for line in self.process.lines():
            if not self._awaited:
                raise WorkerDied("the grading process wrote what nobody had asked for")
            awaited = self._awaited.popleft()
            self._begin()
            if isinstance(awaited, Job):
                yield awaited, line
            elif b'"error"' in line:
                reason = orjson.loads(line)["error"]
                raise WorkerDied(f"grader {awaited.grader!r} cannot be loaded: {reason}")

    def is_due(self, now: float) -> bool:
        """Tell whether the worker has been at its present answer for so long that its clocks must be read."""
        return bool(self._awaited) and now - self.began >= min(LOOK_EVERY_S, self._awaited[0].limit_s)

    def judge(self, clocks: Clocks) -> None:
        """Judge a worker that has not replied.

        The limit of a grader without limits of its own is processor time of the worker, read from the worker's own
        clock. A worker that a busy machine gives no processor waits as long as it takes (up to an hour). A worker
        that neither computes nor waits for a processor is stalled: stopped, or held up by a disk or by memory.
        A grader that runs programs waits for others, so wall time counts, without the seconds in which the worker
        waited for a processor.

        Args:
            clocks: The worker's clocks, read before the last look for replies: since nothing had come by then, all
                that they show was spent on the present answer.

        Raises:
            WorkerHung: If the worker used the limit.
            WorkerStalled: If it made no progress, or ran out of its wall time.
        """
        if not self._awaited:
            return
        if self._before is None:  # most replies have come by now, so the clocks are read only from here on
            self._before = clocks
            return
        awaited, spent = self._awaited[0], clocks.since(self._before)
        passed_s = time.monotonic() - self.began
        if awaited.runs_programs:
            if passed_s - min(spent.waiting_s, STARVED_LIMIT_S) >= awaited.limit_s:
                raise WorkerStalled(f"no grade within {awaited.limit_s:g} s")
            return
        idle_s = passed_s - spent.computing_s - spent.waiting_s
        if spent.computing_s >= awaited.limit_s:
            raise WorkerHung(f"no grade within {awaited.limit_s:g} s of processor time")
        if idle_s >= self._stall_s:
            raise WorkerStalled(
                f"the grading process made no progress for {idle_s:.0f} s (it computed for {spent.computing_s:.1f} s)"
            )
        if spent.waiting_s >= STARVED_LIMIT_S:
            raise WorkerStalled(f"the grading process waited {spent.waiting_s:.0f} s for a processor")
