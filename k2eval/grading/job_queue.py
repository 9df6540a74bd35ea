"""Jobs that no worker has yet. The answers to one question go to one worker, if that leaves no worker without work."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from k2eval.grading.seat import Job, Seat

_MOST_HOMES = 100_000
"""Questions whose worker is remembered; all are forgotten if there are more."""


class JobQueue:
    """A queue of jobs, in which workers have questions of their own.

    Reading a gold costs more than most comparisons with it, and a worker keeps what it has read. So the worker that
    takes a question's first answer gets the others too. One that has nothing else to do takes the later half of what
    waits for the worker with the most. Answers of programs belong to nobody.

    Any thread may call `put`; all else belongs to one thread.
    """

    def __init__(self) -> None:
        self._arrived: deque[Job] = deque()
        self._free: deque[Job] = deque()
        """Jobs of nobody, and some that turn out to be somebody's when they are looked at."""
        self._own: dict[Seat, deque[Job]] = {}
        self._homes: dict[int, Seat] = {}
        """Who has a question, by the question's number."""

    def __len__(self) -> int:
        return len(self._arrived) + len(self._free) + sum(map(len, list(self._own.values())))

    def put(self, job: Job) -> None:
        """Queue a job behind the others."""
        self._arrived.append(job)

    def put_back(self, jobs: Iterable[Job]) -> None:
        """Queue jobs before the others, in their order."""
        self._free.extendleft(reversed(list(jobs)))

    def enter(self, seat: Seat) -> None:
        """Let a worker have questions."""
        self._own[seat] = deque()

    def leave(self, seat: Seat) -> None:
        """Give the questions of a worker back to all, and forget it with all that it holds."""
        self.put_back(self._own.pop(seat, ()))
        self._homes = {question: home for question, home in self._homes.items() if home is not seat}

    def has_own(self, seat: Seat) -> bool:
        """Tell whether answers to a worker's own questions are waiting."""
        self._sort()
        return bool(self._own[seat])

    def first(self, seat: Seat) -> Job | None:
        """Return what a worker that is busy would take next: an answer to a question of its own, or of nobody."""
        self._sort()
        if self._own[seat]:
            return self._own[seat][0]
        while self._free:
            home = self._home_of(self._free[0])
            if home is None or home is seat:
                return self._free[0]
            self._own[home].append(self._free.popleft())
        return None

    def take(self, seat: Seat) -> Job:
        """Take a worker's next job, which may be another worker's if there is nothing else.

        Raises:
            IndexError: If there is no job at all.
        """
        job = self.first(seat)
        if job is None:
            self._rob(seat)
        if job is None or self._own[seat]:
            return self._own[seat].popleft()
        if job.question_id and not job.runs_programs:
            if len(self._homes) >= _MOST_HOMES:
                self._homes.clear()
            self._homes[job.question_id] = seat
        return self._free.popleft()

    def _rob(self, seat: Seat) -> None:
        """Let a worker have the later half of the longest queue, so that it need not come for each answer."""
        longest = max(self._own.values(), key=len)
        some = [longest.pop() for _ in range((len(longest) + 1) // 2)]
        self._own[seat].extend(reversed(some))

    def drain(self) -> Iterator[Job]:
        """Take all jobs."""
        for jobs in (self._free, *list(self._own.values()), self._arrived):
            while jobs:
                yield jobs.popleft()

    def _sort(self) -> None:
        while self._arrived:
            job = self._arrived.popleft()
            home = self._home_of(job)
            (self._free if home is None else self._own[home]).append(job)

    def _home_of(self, job: Job) -> Seat | None:
        home = None if job.runs_programs else self._homes.get(job.question_id)
        return home if home in self._own else None
