"""Share jobs among crews: those of this host first, then those of other nodes."""

from __future__ import annotations

import itertools
import json
import threading
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial

import orjson

import k2eval
from k2eval.grading.channel import Channel, PipeChannel
from k2eval.grading.dispatcher import as_reply
from k2eval.grading.link import CrewLink
from k2eval.grading.orders import CrewSettings, Hello, Word
from k2eval.grading.registry import grader_for
from k2eval.grading.seat import START_LIMIT_S, Job
from k2eval.records import Grade, Json, Outcome

_LOOK_S = 1.0
_FAILURES = 16
"""Failures of another node, and more than half of its grades, after which it is left."""
_LOSSES = 5
"""Crews that may end while they have a job before the job is given up."""
_RESTARTS = 3
"""New starts in a row of a crew that gave no grade in between."""
_AT_HOME = (b'"grader_error"', b'"timeout"', b'"memory"')
"""Outcomes by which another node could differ from this one."""


class Crews:
    """Crews of this host and of other nodes, with a queue in front of them.

    A crew that ends or says nothing costs only its unfinished jobs, which go to others. One of this host is started
    again. A failure, or a comparison that did not end, on another node is no verdict: it is graded again here.

    Args:
        sizes: Number of workers of each crew of this host.
        stall_s: Seconds without any progress after which a worker, or a crew, counts as stalled.
        graders: Graders that the workers load at once.
        idle: Whether the workers take only the processor time that nothing else wants.
    """

    def __init__(self, sizes: Iterable[int], *, stall_s: float, graders: Iterable[str], idle: bool) -> None:
        self._stall_s = stall_s
        self._graders = sorted(set(graders))
        self._idle = idle
        self._queue: deque[Job] = deque()
        self._at_home: deque[Job] = deque()
        """Jobs that have been at a crew already; this host grades them, before all others."""
        self._links: list[CrewLink] = []
        self._numbers = itertools.count()
        self._own = 0
        """Crews of this host that are there, or will be."""
        self._end = ""
        """The reason of the last crew that was lost."""
        self._closing = False
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._wanted: deque[tuple[int, int]] = deque()
        """Crews of this host to start: workers, and starts in a row that led to no grade."""
        with self._lock:
            for size in sizes:
                self._want(size, 0)
        self._thread = threading.Thread(target=self._watch, name="k2eval-crews", daemon=True)
        self._thread.start()

    def put(self, job: Job) -> None:
        """Queue a job; from any thread."""
        with self._lock:
            self._queue.append(job)
            self._share()

    @property
    def waiting(self) -> int:
        """Jobs that no crew has room for."""
        return len(self._at_home) + len(self._queue)

    @property
    def workers(self) -> int:
        """Workers of all crews that may be given jobs, or are starting on this host."""
        with self._lock:
            starting = sum(workers for workers, _ in self._wanted)
            return starting + sum(link.workers for link in self._links if link.is_ready)

    def join(self, channel: Channel, tell: Callable[[str], None]) -> None:
        """Open the channel to a crew of another node; it gets jobs once it has tried its graders.

        Args:
            channel: The way to it.
            tell: Takes sentences about it, in any thread.
        """
        link = CrewLink(channel, 1, None, tell)
        self._add(link)

    def _add(self, link: CrewLink) -> None:
        with self._lock:
            if self._closing:
                return
            self._links.append(link)
            try:
                link.channel.open(partial(self._receive, link))
            except OSError:
                self._links.remove(link)
                raise
            self._share()

    def forget_questions(self) -> None:
        """Let all crews forget the questions that they have got: no job will name them any more."""
        with self._lock:
            for link in self._links:
                link.forget()

    def hasten(self) -> None:
        """Let workers take their share of the processors from now on, even if they were idle ones so far."""
        with self._lock:
            self._idle = False
            for link in self._links:
                link.hasten()
                link.flush()

    def pids(self) -> list[int]:
        """Return the process ids of the living workers of this host."""
        with self._lock:
            return [pid for link in self._links if link.is_own for pid in link.pids]

    def close(self) -> None:
        """End all crews. Answers that are still being graded are cancelled."""
        with self._lock:
            self._closing = True
            links, jobs = self._links, [*self._at_home, *self._queue]
            self._links = []
            self._at_home.clear()
            self._queue.clear()
            self._changed.notify_all()
        closing = [threading.Thread(target=link.channel.close) for link in links]
        for thread in closing:
            thread.start()
        for job in [*(job for link in links for job in link.jobs.values()), *jobs]:
            job.cancel()
        for thread in [*closing, self._thread]:
            thread.join(timeout=10)

    def _share(self) -> None:
        """Hand out jobs. Crews of this host go first, and among equals the one with the fewest jobs a worker."""
        given = set()
        for jobs, is_for_all in ((self._at_home, False), (self._queue, True)):
            while jobs and not self._is_over:
                able = [
                    link for link in self._links if link.has_room(jobs[0]) and (link.is_own or is_for_all)
                ]
                if not able:
                    break
                link = min(able, key=lambda link: (not link.is_own, link.load))
                link.give(jobs.popleft())
                given.add(link)
            while jobs and self._is_over:
                jobs.popleft().finish(_given_up(f"no grading crew is left; the last one: {self._end}"))
        for link in given:
            link.flush()

    @property
    def _is_over(self) -> bool:
        """Whether no crew of this host is left, nor will be."""
        return not self._own

    def _receive(self, link: CrewLink, data: bytes) -> None:
        """Take what a crew has written; in the thread of its channel."""
        with self._lock:
            if link not in self._links:
                return
            if not data:
                self._lose(link, link.channel.end)
                return
            lines = link.lines(data)
            graded = []
            for line in lines:
                word, content = line[:1], line[1:]
                if word == Word.GRADE:
                    number, _, reply = content.partition(b" ")
                    job = link.jobs.pop(int(number), None)
                    if job is not None:
                        graded.append((job, reply))
                elif word == Word.PIDS:
                    link.pids = orjson.loads(content)
                elif word == Word.READY:
                    self._meet(link, orjson.loads(content))
            link.graded += len(graded)
            self._share()
        for job, reply in graded:
            if link.is_own or not _may_differ(job, reply):
                job.finish(reply)
            else:
                self._take_back(link, job)

    def _take_back(self, link: CrewLink, job: Job) -> None:
        with self._lock:
            job.losses += 1
            self._at_home.append(job)
            link.failed += 1
            if link.failed >= _FAILURES and 2 * link.failed > link.graded and link in self._links:
                self._lose(link, f"{link.failed} of its {link.graded} grades were failures")
            self._share()

    def _meet(self, link: CrewLink, fields: Json) -> None:
        if link.is_own:
            return
        if fields.get("version") != k2eval.__version__:  # whose other fields may be others
            reason = f"expected k2eval {k2eval.__version__}, got {fields.get('version')}"
            link.tell(f"{link.channel.name} does not grade: {reason}.")
            self._lose(link, reason)
            return
        hello = Hello(**fields)
        failures = dict(hello.failures)
        labels = {name: grader_for(name).label for name in hello.labels}
        failures |= {
            name: f"expected grader {label}, got {hello.labels[name]}"
            for name, label in labels.items()
            if hello.labels[name] != label
        }
        link.graders = set(labels) - set(failures)
        for name, reason in failures.items():
            link.tell(f"{link.channel.name} does not grade {name}: {reason}.")
        if not link.graders:
            self._lose(link, "it has no grader to use")
            return
        link.workers, link.is_ready = hello.workers, True
        link.tell(f"{link.channel.name} grades with {link.workers} workers.")

    def _lose(self, link: CrewLink, reason: str) -> None:
        """Give the unfinished jobs of a crew to others, and start a crew of this host again."""
        self._links.remove(link)
        self._end = reason
        if link.jobs:
            link.tell(f"{link.channel.name} was lost: {reason}. Others grade its {len(link.jobs)} answers.")
        threading.Thread(target=link.channel.close, daemon=True).start()
        if link.is_own:
            self._own -= 1
            self._want(link.workers, 0 if link.graded else link.starts + 1)
        for job in link.jobs.values():
            job.losses += 1
            if job.losses >= _LOSSES:
                job.finish(_given_up(f"{_LOSSES} crews ended while they had it; the last one: {reason}"))
            else:
                self._at_home.append(job)
        self._share()

    def _want(self, workers: int, starts: int) -> None:
        if starts <= _RESTARTS:
            self._own += 1
            self._wanted.append((workers, starts))
            self._changed.notify_all()

    def _watch(self) -> None:
        """Start crews of this host, which Linux ends with the thread that starts them, and look after all crews."""
        while True:
            with self._lock:
                while not self._wanted and not self._closing:
                    if not self._changed.wait(_LOOK_S):
                        break
                if self._closing:
                    return
                wanted = list(self._wanted)
                self._wanted.clear()
            for size, starts in wanted:
                self._start(size, starts)
            self._look()

    def _start(self, workers: int, starts: int) -> None:
        settings = CrewSettings(workers, self._stall_s, self._graders, self._idle, proves=False)
        channel = PipeChannel(f"crew {next(self._numbers)}", json.dumps(settings))
        try:
            self._add(CrewLink(channel, workers, starts))
        except OSError as error:
            with self._lock:
                self._end = f"{type(error).__name__}: {error}"
                self._own -= 1
                self._want(workers, starts + 1)
                self._share()

    def _look(self) -> None:
        with self._lock:
            for link in list(self._links):
                limit_s = self._stall_s if link.has_spoken else START_LIMIT_S
                if link.silence_s() >= limit_s:
                    self._lose(link, f"it said nothing for {limit_s:.0f} s")


def _may_differ(job: Job, reply: bytes) -> bool:
    """Tell whether a grade of another node could be that node's and not the answer's."""
    if not any(outcome in reply for outcome in _AT_HOME):
        return False
    try:
        outcome = Grade.model_validate_json(reply).outcome
    except ValueError:
        return True
    is_theirs = outcome in (Outcome.TIMEOUT, Outcome.MEMORY) and not job.runs_programs
    return outcome is Outcome.GRADER_ERROR or is_theirs


def _given_up(reason: str) -> bytes:
    return as_reply(Grade.of(Outcome.GRADER_ERROR, reason=reason[:500]))
