"""Contestants on the same questions: which difference is decided, looked at after every batch of samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from k2eval.statistics.estimate import Array, Scores
from k2eval.statistics.sequential import SequentialTest, draws_for, spending
from k2eval.statistics.signs import Signs
from k2eval.statistics.strays import Strays

Decision = Literal["better", "worse", "equivalent"]
Pair = tuple[int, int]
"""Indices of two contestants; differences are those of the second minus the first."""

_NOISE_RATIO = 0.03
"""Variance between questions over that between repeats, of paired differences, as long as the data do not tell.

Where it is too large, the level is spent too early, which costs power; so it is rather small.
"""
_NOISE_QUESTIONS = 10
"""Weight of this guess, in questions."""
_MOST_SIZES = 64
"""Distinct sizes of differences up to which signs are drawn for all differences of a size at once."""
_LARGEST_DRAW = 4_000_000
_SAME = 1e-9
"""Relative difference below which two statistics are equal."""


class Estimand(StrEnum):
    """What a difference is about, and so what is a sample of it."""

    THESE = "on these questions"
    """Only the randomness of the contestants is sampled; the pairs of repeats are the sample."""
    LIKE_THESE = "on questions like these"
    """The questions are a sample, too."""


class Hypothesis(NamedTuple):
    """The hypothesis "no difference" between two contestants, on one benchmark or on an average of several."""

    first: int
    """Index of the contestant compared with."""
    second: int
    weights: tuple[tuple[int, float], ...]
    """Index and weight of each benchmark; the weights sum to 1."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one hypothesis stands after a look. Values are fractions, second minus first."""

    value: float
    low: float
    """Lower end of the confidence sequence, which holds over all looks and hypotheses together."""
    high: float
    decision: Decision | None
    """None as long as nothing is decided."""
    look: int | None
    """The look that decided, counted from 1."""
    pairs: int
    """Pairs of samples at the look that decided, or now."""


class _Part(NamedTuple):
    """The difference of two contestants on one benchmark."""

    value: float
    variance: float
    """Variance of the value: with its own mean taken off."""
    flips: Array
    """Statistic as observed and with random signs; shape (1 + draws,)."""
    flip_variance: float
    """Variance of the random ones, about 0."""
    size: int
    """Number of units whose signs are flipped."""
    final_variance: float
    """What `flip_variance` will be about at the end of the budget."""
    pairs: int
    budget: int
    """What `pairs` will be at the end of the budget."""
    strays: Strays | None
    """Units whose difference is unlike that of most; None without any unit."""


class Race:
    """A race of contestants on the same benchmarks, looked at after every batch.

    Each hypothesis is a paired sign-flip test with a spent level (`SequentialTest`); the unit whose sign is flipped is
    the pair of repeats (`Estimand.THESE`) or the whole question (`Estimand.LIKE_THESE`). Several hypotheses are tested
    by Holm's procedure, which is a closed test (Maurer and Bretz, Statistics in Biopharmaceutical Research 5, 2013):
    the chance that any true one is ever rejected is at most ``alpha``. The confidence sequence is that of repeated
    confidence intervals (Jennison and Turnbull, J. R. Statist. Soc. B 51, 1989) with the tests' critical values.
    "equivalent" means that the sequence, at the level of Holm's procedure, lies within ``± margin``.

    >>> rng = np.random.default_rng(1)
    >>> chances = rng.uniform(0.2, 0.8, 30)[:, None]
    >>> scores = [(rng.random((30, 8)) < chances + gain).astype(float) for gain in (0.0, 0.2)]
    >>> race = Race([Hypothesis(0, 1, ((0, 1.0),))], [(30, 8)], estimand=Estimand.THESE)
    >>> for repeats in range(1, 9):
    ...     seen = [np.where(np.arange(8) < repeats, one, np.nan) for one in scores]
    ...     (standing,) = race.look([seen])
    ...     if standing.decision:
    ...         break
    >>> standing.decision, repeats
    ('better', 4)

    Args:
        hypotheses: The hypotheses.
        budget: Questions and repeats of each benchmark, as a fixed evaluation would have them.
        estimand: What the differences are about.
        alpha: Chance of any false decision, over all looks and hypotheses.
        margin: Half the width of "equivalent", as a fraction; None never decides for it.
        seed: Seed of the random signs.
        draws: Number of random sign patterns; None takes as many as there is time for.
    """

    def __init__(
        self,
        hypotheses: Sequence[Hypothesis],
        budget: Sequence[tuple[int, int]],
        *,
        estimand: Estimand = Estimand.LIKE_THESE,
        alpha: float = 0.05,
        margin: float | None = None,
        seed: int = 0,
        draws: int | None = None,
    ) -> None:
        self.hypotheses = tuple(hypotheses)
        self._budget = tuple(budget)
        self._alpha = alpha
        self._margin = margin
        questions = max(count for count, _ in budget)
        self._draws = draws or draws_for(len(hypotheses), alpha, questions)
        self._test = SequentialTest(len(hypotheses), alpha)
        self._shares = np.zeros(len(hypotheses))
        self._decided: dict[int, Standing] = {}
        self._intervals: dict[tuple[int, float], tuple[float, float]] = {}
        self.looks = 0
        """Number of looks so far."""
        rng = np.random.default_rng(seed % 2**64)  # a seed may be negative
        kind = _Questions if estimand is Estimand.LIKE_THESE else _Pairs
        self._benchmarks = [kind(questions, repeats, self._draws, rng) for questions, repeats in budget]

    def look(self, scores: Sequence[Sequence[Scores]]) -> tuple[Standing, ...]:
        """Look at the scores so far.

        Args:
            scores: For each benchmark, scores of each contestant of shape (questions, repeats), NaN if not drawn (yet).
                What is drawn must not depend on scores, but for contestants that are out.

        Returns:
            The standing of each hypothesis; what is decided stays.
        """
        self.looks += 1
        parts = self._parts(scores)
        rows = np.zeros((len(self.hypotheses), 1 + self._draws))
        for index, hypothesis in enumerate(self.hypotheses):
            if index not in self._decided:
                members = self._parts_of(hypothesis, parts)
                rows[index] = sum(weight * part.flips for weight, part in members)
                self._shares[index] = max(self._shares[index], _share(members))
        self._test.look(rows, self._shares)
        self._decide(parts)
        return tuple(
            self._decided.get(index) or self._standing(index, parts, len(self.hypotheses), None)
            for index in range(len(self.hypotheses))
        )

    def _parts(self, scores: Sequence[Sequence[Scores]]) -> dict[tuple[int, int, int], _Part]:
        """Return the differences that undecided hypotheses are about, by benchmark and contestants."""
        open_ones = [one for index, one in enumerate(self.hypotheses) if index not in self._decided]
        parts: dict[tuple[int, int, int], _Part] = {}
        for benchmark, (sides, kind) in enumerate(zip(scores, self._benchmarks, strict=True)):
            pairs = {
                (one.first, one.second): sides[one.second] - sides[one.first]
                for one in open_ones
                if any(benchmark == member for member, _ in one.weights)
            }
            if pairs:
                parts |= {(benchmark, *pair): part for pair, part in kind.parts(pairs).items()}
        return parts

    def _parts_of(
        self, hypothesis: Hypothesis, parts: dict[tuple[int, int, int], _Part]
    ) -> list[tuple[float, _Part]]:
        first, second, weights = hypothesis
        return [(weight, parts[benchmark, first, second]) for benchmark, weight in weights]

    def _decide(self, parts: dict[tuple[int, int, int], _Part]) -> None:
        count = len(self.hypotheses)
        again = True
        while again and len(self._decided) < count:
            again = False
            among = count - len(self._decided)
            for index in range(count):
                if index in self._decided:
                    continue
                standing = self._standing(index, parts, among, self._margin)
                if standing.decision:
                    simultaneous = self._standing(index, parts, count, None)
                    self._decided[index] = Standing(
                        standing.value,
                        simultaneous.low,
                        simultaneous.high,
                        standing.decision,
                        self.looks,
                        standing.pairs,
                    )
                    again = True

    def _standing(
        self, index: int, parts: dict[tuple[int, int, int], _Part], among: int, margin: float | None
    ) -> Standing:
        """Return the standing of a hypothesis among so many that share the level."""
        members = self._parts_of(self.hypotheses[index], parts)
        level = self._alpha / among
        value = float(sum(weight * part.value for weight, part in members))
        rejected, critical = self._rejected(index, among, value), self._test.boundary(index, level).critical
        if not rejected:  # then the interval holds 0
            critical = max(critical, abs(value) * (1 + _SAME))
        ends = _ends(value, members, critical, level * spending(self._shares[index]))
        if ends is not None:
            self._intervals[index, level] = ends
        # A look that may spend nothing has no interval of its own; that of an earlier one goes on to hold.
        low, high = self._intervals.get((index, level), (-1.0, 1.0))
        decision: Decision | None = None
        if rejected:
            decision = "better" if value > 0 else "worse"
        elif margin is not None and -margin < low and high < margin:
            decision = "equivalent"
        pairs = sum(part.pairs for _, part in members)
        return Standing(value, low, high, decision, None, pairs)

    def _rejected(self, index: int, among: int, value: float) -> bool:
        """Return whether a hypothesis is rejected among so many, and the difference still has the sign of then.

        A closed test needs a rejection at the level of each smaller number of hypotheses, too. Where paths tie, a
        stricter level may reject without a wider one. A level that opens late looks back, at a difference that may
        have turned since.
        """
        boundaries = (self._test.boundary(index, self._alpha / count) for count in range(among, 0, -1))
        return all(boundary.rejected and boundary.sign * value > 0 for boundary in boundaries)


def _share(members: list[tuple[float, _Part]]) -> float:
    """Return the share of the budget's information that is there."""
    now = sum(weight**2 * part.flip_variance for weight, part in members)
    end = sum(weight**2 * part.final_variance for weight, part in members)
    if now > 0:
        return min(1.0, end / now)
    # Without any difference the share is that of the pairs: nothing can be rejected, but equivalence can be decided.
    return min((part.pairs / part.budget for _, part in members), default=0.0)


def _ends(
    value: float, members: list[tuple[float, _Part]], critical: float, spent: float
) -> tuple[float, float] | None:
    """Return the ends of the interval that a critical value of the flipped statistics makes; None if there is none."""
    if not np.isfinite(critical) or spent <= 0 or any(part.strays is None for _, part in members):
        return None
    arms = [(weight, part.strays.arms(1 - spent)) for weight, part in members if part.strays is not None]
    below, above = (float(np.sqrt(sum((weight * arm[side]) ** 2 for weight, arm in arms))) for side in (0, 1))
    half = 0.0
    flip_variance = sum(weight**2 * part.flip_variance for weight, part in members)
    if flip_variance > 0:
        variance = sum(weight**2 * part.variance for weight, part in members)
        size = sum(part.size for _, part in members)
        squared = critical**2 / flip_variance
        if squared >= size:
            return None
        half = float(np.sqrt(squared * (size - 1) / (size - squared) * variance))
    # Sign flips tell whether a difference is above 0, however few units show it. They do not tell how large it can be.
    low = value - max(half, min(below, 0.999999 * value) if half < value else below)
    high = value + max(half, min(above, -0.999999 * value) if half < -value else above)
    return max(low, -1.0), min(high, 1.0)


class _Questions:
    """Differences of whole questions, whose signs are flipped."""

    def __init__(self, questions: int, repeats: int, draws: int, rng: np.random.Generator) -> None:
        self._questions = questions
        self._repeats = repeats
        self._total = questions * repeats
        self._signs = Signs(draws, questions, rng)

    def parts(self, gaps: Mapping[Pair, Scores]) -> dict[Pair, _Part]:
        """Return the difference of each pair of contestants; one product makes the flips of all."""
        known = {pair: np.isfinite(table) for pair, table in gaps.items()}
        counts = {pair: mask.sum(axis=1) for pair, mask in known.items()}
        filled = {pair: np.where(known[pair], table, 0.0) for pair, table in gaps.items()}
        means = {pair: table.sum(axis=1) / np.maximum(counts[pair], 1) for pair, table in filled.items()}
        flips = self._signs.sums(np.column_stack(list(means.values())))
        parts = {}
        for column, pair in enumerate(gaps):
            squares = float(np.vdot(filled[pair], filled[pair]))
            within = max(0.0, squares - float(counts[pair] @ means[pair] ** 2))
            parts[pair] = self._part(means[pair], counts[pair], within, flips[:, column])
        return parts

    def _part(self, means: Array, counts: NDArray[np.intp], within: float, flips: Array) -> _Part:
        there = counts > 0
        n = int(there.sum())
        if n == 0:
            return _Part(0.0, 0.0, flips, 0.0, 0, 0.0, 0, self._total, None)
        between = float(means @ means) / n
        value = float(means.sum()) / n
        flips = flips / n
        centred = means[there] - value
        return _Part(
            value=value,
            variance=float(centred @ centred) / max(n - 1, 1) / n,
            flips=flips,
            flip_variance=between / n,
            size=n,
            final_variance=self._final(between, within, counts[there]),
            pairs=int(counts.sum()),
            budget=self._total,
            strays=Strays.of(means[there]),
        )

    def _final(self, between: float, within: float, counts: NDArray[np.intp]) -> float:
        """Return the variance at the end of the budget, by the ratio of both kinds of noise."""
        degrees = int((counts - 1).sum())
        inverse = float((1 / counts).mean())
        ratio = _NOISE_RATIO
        if degrees and within > 0:
            noise = within / degrees
            weight = min(degrees, len(counts))
            seen = max(0.0, between - noise * inverse) / noise
            ratio = (weight * seen + _NOISE_QUESTIONS * _NOISE_RATIO) / (weight + _NOISE_QUESTIONS)
        return between / self._questions * (ratio + 1 / self._repeats) / (ratio + inverse)


class _Pairs:
    """Differences of pairs of repeats, whose signs are flipped one by one."""

    def __init__(self, questions: int, repeats: int, draws: int, rng: np.random.Generator) -> None:
        self._total = questions * repeats
        self._draws = draws
        self._rng = rng
        self._taken: dict[Pair, NDArray[np.bool_]] = {}
        self._sums: dict[Pair, Array] = {}

    def parts(self, gaps: Mapping[Pair, Scores]) -> dict[Pair, _Part]:
        """Return the difference of each pair of contestants."""
        return {pair: self._part(pair, table) for pair, table in gaps.items()}

    def _part(self, contestants: Pair, gaps: Scores) -> _Part:
        known = np.isfinite(gaps)
        taken = self._taken.get(contestants)
        new = gaps[known] if taken is None else gaps[known & ~taken]
        self._taken[contestants] = known
        sums = self._sums.setdefault(contestants, np.zeros(1 + self._draws))
        sums[0] += new.sum()
        sums[1:] += self._flipped(np.abs(new))
        values = gaps[known]
        n = len(values)
        if n == 0:
            return _Part(0.0, 0.0, sums, 0.0, 0, 0.0, 0, self._total, None)
        squares = float(values @ values)
        return _Part(
            value=float(values.sum()) / n,
            variance=max(0.0, squares - float(values.sum()) ** 2 / n) / max(n - 1, 1) / n,
            flips=sums / n,
            flip_variance=squares / n**2,
            size=n,
            final_variance=squares / n / self._total,
            pairs=n,
            budget=self._total,
            strays=Strays.of(values),
        )

    def _flipped(self, sizes: Array) -> Array:
        """Return sums of these sizes with random signs; shape (draws,)."""
        sizes = sizes[sizes > 0]
        distinct, counts = np.unique(np.round(sizes, 9), return_counts=True)
        if len(distinct) <= _MOST_SIZES:
            total = np.zeros(self._draws)
            for size, count in zip(distinct, counts, strict=True):
                total += size * (2.0 * self._rng.binomial(count, 0.5, self._draws) - count)
            return total
        total = np.zeros(self._draws)
        step = max(1, _LARGEST_DRAW // self._draws)
        for start in range(0, len(sizes), step):
            part = sizes[start : start + step]
            signs = self._rng.integers(0, 2, (self._draws, len(part)), dtype=np.int8)
            total += 2.0 * (signs @ part) - part.sum()
        return total
