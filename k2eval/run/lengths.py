"""The expected lengths of samples, from siblings, from samples that are being made, and from earlier runs."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from k2eval.journal import read_run, read_verdicts
from k2eval.records import SampleKey, Verdict

_SPREAD = 0.35
"""Standard deviation of the logarithms of lengths within a question, before anything is known."""
_FREEDOM = 20.0
"""Degrees of freedom, which are siblings beyond the first of each question, that this value is worth."""
_NARROWEST, _WIDEST = 0.02, 2.0
_SIBLINGS = 1.0
"""Number of siblings that the length of the task is worth as a length of the question."""
_EARLIER_SIBLINGS = 4.0
"""Number of siblings that an earlier run's length of the same question is worth."""
_SAMPLES = 4.0
"""Number of samples that the length expected of a task before it has any is worth."""
_SHARE = 0.5
"""Share of its limit that a task is expected to need before anything is known."""
_FAR = 5.0


class QuestionKey(NamedTuple):
    """One question of a run."""

    task: str
    question_id: str


@dataclass(slots=True)
class Spread:
    """Squared deviations of logarithms from the mean of their question, and their degrees of freedom."""

    squares: float = 0.0
    freedom: float = 0.0

    @property
    def deviation(self) -> float:
        """The standard deviation: the root of the pooled variance, shrunk towards what is assumed of any model.

        >>> Spread().deviation
        0.35
        >>> round(Spread(squares=100 * 0.2**2, freedom=100).deviation, 2)
        0.23
        """
        variance = (_FREEDOM * _SPREAD**2 + self.squares) / (_FREEDOM + self.freedom)
        return min(_WIDEST, max(_NARROWEST, math.sqrt(variance)))


class EarlierLengths:
    """The lengths of tasks and questions in earlier runs, as means of logarithms.

    Args:
        runs: The verdicts of each run.
    """

    def __init__(self, runs: Iterable[Iterable[Verdict]]) -> None:
        self.tasks: dict[str, float] = {}
        """The mean of each task; of several runs the last one's."""
        self.within = Spread()
        """The spread within questions."""
        self._offsets: dict[QuestionKey, list[float]] = defaultdict(list)
        for verdicts in runs:
            self._add(verdicts)

    def _add(self, verdicts: Iterable[Verdict]) -> None:
        tasks: dict[str, dict[QuestionKey, list[float]]] = defaultdict(lambda: defaultdict(list))
        for verdict in verdicts:
            if has_length(verdict):
                key = QuestionKey(verdict.task, verdict.question_id)
                tasks[verdict.task][key].append(math.log(verdict.recipe_tokens))
        for task, questions in tasks.items():
            means = {key: sum(lengths) / len(lengths) for key, lengths in questions.items()}
            mean = self.tasks[task] = sum(means.values()) / len(means)
            for key, lengths in questions.items():
                certainty = len(lengths) / (len(lengths) + _SIBLINGS)
                self._offsets[key].append(certainty * (means[key] - mean))
                self.within.squares += sum((length - means[key]) ** 2 for length in lengths)
                self.within.freedom += len(lengths) - 1

    def offset(self, key: QuestionKey) -> float | None:
        """Return the logarithm of a question's length over its task's; None if no run has the question."""
        offsets = self._offsets.get(key)
        return sum(offsets) / len(offsets) if offsets else None


def read_lengths(folders: Sequence[Path]) -> EarlierLengths:
    """Read the lengths of earlier runs.

    Raises:
        JournalError: If a folder is not a run directory, or a line in it is bad.
    """
    return EarlierLengths(list(read_verdicts(folder, read_run(folder))) for folder in folders)


def has_length(verdict: Verdict) -> bool:
    """Return whether a verdict tells how long a sample is; a failure on our side does not."""
    return verdict.recipe_tokens > 0 and not verdict.outcome.is_infrastructure


@dataclass(slots=True)
class _Evidence:
    """Logarithms of lengths: their sum, and their number, in which one that is not finished counts less."""

    logarithms: float = 0.0
    count: float = 0.0

    def add(self, logarithm: float, count: float = 1.0) -> None:
        self.logarithms += count * logarithm
        self.count += count

    def shrunk(self, prior: float, weight: float) -> float:
        """Return the mean with a prior mean that is worth ``weight`` logarithms."""
        return (weight * prior + self.logarithms) / (weight + self.count)


@dataclass(slots=True)
class _Question:
    """What is known of one question."""

    limit: float
    offset: float
    """The logarithm of its length over that of its task, in earlier runs."""
    weight: float
    finished: _Evidence = field(default_factory=_Evidence)
    started: dict[int, tuple[float, _Evidence]] = field(default_factory=dict)
    """Samples that are being made: the moment at which each began, and what its age told at the last refresh."""
    unfinished: _Evidence = field(default_factory=_Evidence)
    """The sum of the latter."""


class Lengths:
    """The expected lengths of a run's samples. A length is the number of tokens of all generations of a sample.

    The siblings of a sample, which are the other repeats of its question, say most about its length. But few of them
    are finished, and those that finish first are the short ones. So the estimate shrinks towards the length of the
    task, and samples that are being made count too.

    Logarithms of lengths are taken to be normal, with a mean for each question and one standard deviation s for all:
    the pooled one of finished siblings, here and in earlier runs, shrunk towards 0.35.
    If the question is expected to have the mean m, and this is worth w siblings, then its estimate is::

        (w·m + Σ c·y) / (w + Σ c)

    A finished sibling has y = log L and c = 1. Of one that is being made only its length so far is known, a, by its
    age and the mean speed of the samples that ended. With z = (log a - mean) / s, it counts as the mean of the rest
    of the law, y = mean + s·φ(z) / Φ(-z), and with the probability that such a sample would have ended by now, c =
    Φ(z). So a young one tells nothing, and an old one tells that its question is long.

    The expected mean m is the task's, estimated in the same way from all its samples. If an earlier run has the
    question, its logarithmic ratio to the task in that run is added. So another checkpoint or recipe need only agree
    in which questions are long, not in how long they are.

    The shrinkage is that of Efron and Morris (1975, Data analysis using Stein's estimator, JASA 70), and the mean of
    the rest is the step for censored data of Dempster, Laird and Rubin (1977, EM, JRSS B 39), one step at each
    refresh. A weight of earlier runs below that of as many siblings is a power prior (Ibrahim and Chen 2000,
    Statistical Science 15).

    Args:
        limits: The most tokens of a sample of each question.
        earlier: Lengths in earlier runs.
        clock: Function that returns the seconds since a fixed moment.
    """

    def __init__(
        self,
        limits: Mapping[QuestionKey, float],
        earlier: EarlierLengths | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        earlier = earlier or EarlierLengths(())
        self._clock = clock
        self._questions: dict[QuestionKey, _Question] = {}
        for key, limit in limits.items():
            offset = earlier.offset(key)
            weight = _SIBLINGS if offset is None else _EARLIER_SIBLINGS
            self._questions[key] = _Question(limit, offset or 0.0, weight)
        self._priors = _priors(limits, earlier.tasks)
        self._tasks = {task: _Evidence() for task in self._priors}
        self._means = dict(self._priors)
        self._tokens = self._seconds = 0.0
        self._within = Spread(earlier.within.squares, earlier.within.freedom)

    @property
    def deviation(self) -> float:
        """The standard deviation of the logarithms of lengths within a question, as far as is known."""
        return self._within.deviation

    def add(self, key: QuestionKey, length: float) -> None:
        """Count a sample that is finished; one of a question that is not asked any more says nothing."""
        question = self._questions.get(key)
        if question is not None:
            siblings = question.finished
            if siblings.count:
                away = math.log(length) - siblings.logarithms / siblings.count
                self._within.squares += away**2 * siblings.count / (siblings.count + 1)
                self._within.freedom += 1
            siblings.add(math.log(length))
            self._tasks[key.task].add(math.log(length) - question.offset)

    def start(self, sample: SampleKey) -> None:
        """Count a sample that is being made from now on."""
        self._questions[_of(sample)].started[sample.repeat_index] = (self._clock(), _Evidence())

    def end(self, sample: SampleKey, length: float | None) -> None:
        """Count a sample as finished; ``length`` is None if it failed."""
        question = self._questions[_of(sample)]
        start, age = question.started.pop(sample.repeat_index)
        question.unfinished.logarithms -= age.logarithms
        question.unfinished.count -= age.count
        if length:
            self.add(_of(sample), length)
            self._tokens += length
            self._seconds += self._clock() - start

    def expect(self, key: QuestionKey) -> float:
        """Return the expected length of a sample of a question; those being made count as of the last refresh."""
        return math.exp(self._mean(self._questions[key], self._means[key.task]))

    def tokens_left(self, waiting: Mapping[QuestionKey, int]) -> float:
        """Return the tokens that are expected of the samples that are waiting or being made, from their first on.

        Args:
            waiting: Number of samples of each question that did not begin yet.
        """
        total, levels = 0.0, self._seen_levels()
        for key, question in self._questions.items():
            if not waiting.get(key) and not question.started:
                continue
            # The mean of a normal law of logarithms is that of its median, and half of the variance.
            median = self._mean(question, levels[key.task])
            usual = min(question.limit, math.exp(median + self.deviation**2 / 2))
            total += waiting.get(key, 0) * usual
            for _, age in question.started.values():
                old = math.exp(age.logarithms / age.count) if age.count else 0.0
                total += min(question.limit, max(usual, old))
        return total

    def _seen_levels(self) -> dict[str, float]:
        """Return the mean logarithm of each task as its finished samples have it.

        A task without one has what is expected of it, shifted as the others have turned out.
        """
        shifts = [
            seen.logarithms / seen.count - self._priors[task]
            for task, seen in self._tasks.items()
            if seen.count
        ]
        shift = sum(shifts) / len(shifts) if shifts else 0.0
        return {
            task: seen.logarithms / seen.count if seen.count else self._priors[task] + shift
            for task, seen in self._tasks.items()
        }

    def refresh(self) -> None:
        """Estimate the length of each task again, with one look at each question and each started sample."""
        sums = {task: _Evidence(seen.logarithms, seen.count) for task, seen in self._tasks.items()}
        for key, question in self._questions.items():
            if question.started and self._seconds > 0:
                self._look_at_started(question, self._mean(question, self._means[key.task]))
                seen = question.unfinished
                sums[key.task].logarithms += seen.logarithms - seen.count * question.offset
                sums[key.task].count += seen.count
        for task, seen in sums.items():
            self._means[task] = seen.shrunk(self._priors[task], _SAMPLES)

    def _mean(self, question: _Question, level: float) -> float:
        """Return the mean logarithm that is expected of a question, if that of its task is ``level``."""
        both = _Evidence(
            question.finished.logarithms + question.unfinished.logarithms,
            question.finished.count + question.unfinished.count,
        )
        return both.shrunk(level + question.offset, question.weight)

    def _look_at_started(self, question: _Question, mean: float) -> None:
        speed, now, deviation = self._tokens / self._seconds, self._clock(), self.deviation
        question.unfinished = _Evidence()
        for repeat_index, (start, _) in question.started.items():
            so_far = min(question.limit, max(1.0, (now - start) * speed))
            age = told_by_age(so_far, mean, deviation)
            question.started[repeat_index] = (start, age)
            question.unfinished.logarithms += age.logarithms
            question.unfinished.count += age.count


def _of(sample: SampleKey) -> QuestionKey:
    return QuestionKey(sample.task, sample.question_id)


def told_by_age(so_far: float, mean: float, deviation: float = _SPREAD) -> _Evidence:
    """Return what the length so far of an unfinished sample tells; see `Lengths`.

    >>> young, old = told_by_age(100, math.log(1000)), told_by_age(3000, math.log(1000))
    >>> round(young.count, 2), round(old.count, 2), round(math.exp(old.logarithms / old.count))
    (0.0, 1.0, 3301)

    Args:
        so_far: Tokens so far.
        mean: The mean logarithm that is expected of the question's lengths.
        deviation: Their standard deviation.
    """
    z = (math.log(so_far) - mean) / deviation
    if z < -_FAR:
        return _Evidence()
    below = math.erfc(-z / math.sqrt(2)) / 2
    above = math.erfc(z / math.sqrt(2)) / 2
    # Far out the mean of the rest of a normal law is 1/z beyond z (Mills' ratio), which erfc no longer resolves.
    beyond = z + 1 / z if z > _FAR else math.exp(-z * z / 2) / math.sqrt(2 * math.pi) / above
    return _Evidence(below * (mean + deviation * beyond), below)


def _priors(limits: Mapping[QuestionKey, float], earlier: Mapping[str, float]) -> dict[str, float]:
    """Return the logarithm of each task's length before it has any sample.

    A task of an earlier run has the length that it had there. Another one is expected to need the same share of its
    limit as those do.
    """
    most: dict[str, float] = defaultdict(float)
    for key, limit in limits.items():
        most[key.task] = max(most[key.task], limit)
    shares = [earlier[task] - math.log(limit) for task, limit in most.items() if task in earlier]
    share = sum(shares) / len(shares) if shares else math.log(_SHARE)
    return {task: earlier.get(task, share + math.log(limit)) for task, limit in most.items()}
