"""The order in which samples are made: the first repeat of every question, then the longest first."""

from __future__ import annotations

import heapq
import math
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from k2eval.records import Verdict
from k2eval.run.lengths import EarlierLengths, Lengths, QuestionKey, has_length
from k2eval.run.plan import Assignment

_SHARE = 8
"""All are looked at again after an eighth as many answers as there were so far, or as a look takes steps."""
_GOLDEN = (math.sqrt(5) - 1) / 2
"""Share of the questions by which each repeat of all begins further on, as long as their lengths seem equal.

Replicas take samples in turn. If all repeats were in one order, a replica could get every repeat of the same questions.
"""


@dataclass(slots=True)
class _Row:
    """The samples of one question that are still to be made."""

    key: QuestionKey
    number: int
    """Its place among the questions as they are given."""
    is_known: bool
    """Whether a sample of it is finished or being made, so that it has a row in the tables."""
    waiting: deque[Assignment] = field(default_factory=deque)
    started: int = 0
    first: int | None = None
    """The repeat that was the first of this question, if this start began it."""
    version: int = 0


Rank = tuple[bool, float, int, int, int, int]
"""A place in the heap: whether the question is known, minus its length, samples started, turn, number, version."""


class Order:
    """The samples of a run in the order in which they are made, decided again with each answer.

    First comes one sample of each question that has none, those of long tasks first: every table has an early row of
    all its questions, which is not biased by length, and the length of every question becomes known. Then come the
    samples that are expected to be longest (`Lengths`), which is the rule of Graham
    (Bounds on multiprocessing timing anomalies, SIAM J. Appl. Math. 17, 1969). Of questions with equal length the
    one with fewer samples started comes first. Nobody ever waits: whoever asks gets the best sample as things stand.

    Seeds and keys do not depend on the order. A sample takes O(log n) steps for n questions, amortized.

    Args:
        assignments: The samples to be made, each once.
        verdicts: Verdicts of the run so far: those of an earlier start tell lengths too.
        earlier: Lengths in earlier runs.
        clock: Function that returns the seconds since a fixed moment.
    """

    def __init__(
        self,
        assignments: Iterable[Assignment],
        verdicts: Iterable[Verdict] = (),
        earlier: EarlierLengths | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rows: dict[QuestionKey, _Row] = {}
        limits: dict[QuestionKey, float] = {}
        self._left = 0
        verdicts = [verdict for verdict in verdicts if has_length(verdict)]
        known = {QuestionKey(verdict.task, verdict.question_id) for verdict in verdicts}
        for assignment in assignments:
            key = _key(assignment)
            row = self._rows.get(key)
            if row is None:
                row = self._rows[key] = _Row(key, len(self._rows), key in known)
                limits[key] = limit_of(assignment)
            row.waiting.append(assignment)
            self._left += 1
        self._lengths = Lengths(limits, earlier, clock)
        for verdict in verdicts:
            self._lengths.add(QuestionKey(verdict.task, verdict.question_id), verdict.recipe_tokens)
        self._started = self._ended = 0
        self._until_look = 0
        self._heap: list[Rank] = []
        self._by_number = list(self._rows.values())
        self._look()

    def __len__(self) -> int:
        return self._left

    @property
    def unfinished(self) -> int:
        """Number of samples that wait or are being made."""
        return self._left + self._started

    def tokens_left(self) -> float:
        """Return the tokens that are expected of these, from the first of each on; takes a look at each question."""
        return self._lengths.tokens_left({row.key: len(row.waiting) for row in self._by_number})

    def pop(self) -> Assignment:
        """Take the next sample; call `end` when it is made.

        Raises:
            IndexError: If none is left.
        """
        row = self._next_row()
        assignment = row.waiting.popleft()
        self._left -= 1
        row.started += 1
        if not row.is_known:
            row.is_known, row.first = True, assignment.repeat_index
        self._started += 1
        self._lengths.start(assignment.sample_key)
        self._push(row)
        return assignment

    def expect(self, assignment: Assignment) -> float:
        """Return the tokens of all generations of a sample; infinity for the first of its question, which is urgent."""
        row = self._rows[_key(assignment)]
        return math.inf if row.first == assignment.repeat_index else self._lengths.expect(row.key)

    def end(self, assignment: Assignment, length: float | None) -> None:
        """Take notice of a sample's end.

        Args:
            assignment: The sample.
            length: The tokens of all its generations; None if it failed.
        """
        self._started -= 1
        self._ended += 1
        self._lengths.end(assignment.sample_key, length)
        self._until_look -= 1
        if self._until_look <= 0:
            self._look()
        else:
            self._push(self._rows[_key(assignment)])

    def _next_row(self) -> _Row:
        while True:
            *_, number, version = self._heap[0] if self._heap else _nothing_left()
            row = self._by_number[number]
            heapq.heappop(self._heap)
            if row.version == version:
                return row

    def _push(self, row: _Row) -> None:
        row.version += 1
        if row.waiting:
            heapq.heappush(self._heap, self._rank(row))

    def _rank(self, row: _Row) -> Rank:
        count = len(self._by_number)
        turn = (row.number + int(count * (row.started * _GOLDEN % 1))) % count
        return (row.is_known, -self._lengths.expect(row.key), row.started, turn, row.number, row.version)

    def _look(self) -> None:
        """Rank all questions again: the lengths of tasks change, and samples that are being made grow longer."""
        self._lengths.refresh()
        self._heap = [self._rank(row) for row in self._by_number if row.waiting]
        heapq.heapify(self._heap)
        self._until_look = min(self._ended, len(self._by_number) + self._started) // _SHARE


def limit_of(assignment: Assignment) -> float:
    """Return the most tokens that one solution of a question takes; one in several steps may use the limit in each."""
    return float(assignment.sampling.max_tokens * assignment.steps)


def _key(assignment: Assignment) -> QuestionKey:
    return QuestionKey(assignment.question.task, assignment.question.id)


def _nothing_left() -> Rank:
    raise IndexError("No sample is left.")
