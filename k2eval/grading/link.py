"""One crew as the driver sees it: what it has, what it has been told, and when it spoke last."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

import orjson

from k2eval.grading.channel import Channel
from k2eval.grading.orders import Order
from k2eval.grading.seat import Job

_QUIET_S = 5.0
"""Seconds without a word of a crew that has jobs after which its clocks are read."""
_AHEAD = 16
"""Answers for each worker that a crew may have, if they are not programs."""


class CrewLink:
    """One crew as the driver sees it. Its owner holds a lock around all calls.

    Args:
        channel: The way to it.
        workers: Number of its workers.
        starts: Starts in a row of this crew that led to no grade; None if it is on another node.
        tell: Takes sentences about it.
    """

    def __init__(
        self, channel: Channel, workers: int, starts: int | None, tell: Callable[[str], None] = lambda _: None
    ) -> None:
        self.channel = channel
        self.workers = workers
        self.starts = starts or 0
        self.tell = tell
        self.is_own = starts is not None
        """Whether it is on this host."""
        self.is_ready = self.is_own
        """Whether it may be given jobs; a crew of another node must have tried its graders first."""
        self.graders: set[str] | None = None
        """Graders that it can use; None for all."""
        self.jobs: dict[int, Job] = {}
        self.pids: list[int] = []
        self.graded = 0
        self.failed = 0
        """Grades that another node could have made otherwise than this one."""
        self._numbers = itertools.count()
        self._known: set[int] = set()
        self._orders: list[bytes] = []
        self._heard = time.monotonic()
        self.has_spoken = False
        """Whether it has started."""
        self._quiet: tuple[float, float] | None = None
        self._unread: list[bytes] = []

    def has_room(self, job: Job) -> bool:
        """Tell whether it may be given a job now."""
        most = self.workers * (2 if job.runs_programs else _AHEAD)
        is_able = self.is_ready and (self.graders is None or job.grader in self.graders)
        return is_able and len(self.jobs) < most

    @property
    def load(self) -> float:
        """Jobs for each of its workers."""
        return len(self.jobs) / self.workers

    def give(self, job: Job) -> None:
        """Give it a job, and the question if it has not got it yet; see `flush`."""
        if not self.jobs:
            self._heard = time.monotonic()
        number = next(self._numbers)
        self.jobs[number] = job
        if job.question_id not in self._known:
            self._known.add(job.question_id)
            self._orders.append(b"%b%d %b\n" % (Order.QUESTION.value, job.question_id, job.question))
        header = (number, job.question_id, job.grader, job.limit_s, job.runs_programs)
        self._orders.append(b"%b%b\n%b\n" % (Order.JOB.value, orjson.dumps(header), job.rest))

    def forget(self) -> None:
        """Let it forget the questions that it has got."""
        self._known.clear()
        self._orders.append(Order.FORGET.value + b"\n")

    def hasten(self) -> None:
        """Let its workers take their share of the processors."""
        self._orders.append(Order.HASTEN.value + b"\n")

    def flush(self) -> None:
        """Send what is to be sent."""
        if self._orders:
            orders, self._orders = self._orders, []
            self.channel.send(b"".join(orders))

    def lines(self, data: bytes) -> list[bytes]:
        """Return the lines that are complete with what has come now."""
        self._heard, self._quiet, self.has_spoken = time.monotonic(), None, True
        if b"\n" not in data:
            self._unread.append(data)
            return []
        *lines, rest = b"".join([*self._unread, data]).split(b"\n")
        self._unread = [rest]
        return lines

    def silence_s(self) -> float:
        """Return the seconds in which it had jobs, could have had a processor, and said nothing."""
        now = time.monotonic()
        if not self.jobs or now - self._heard < _QUIET_S:
            return 0.0
        waited_s = self.channel.waited_s()
        if self._quiet is None:
            self._quiet = now, waited_s
        began, before_s = self._quiet
        return now - began - (waited_s - before_s)
