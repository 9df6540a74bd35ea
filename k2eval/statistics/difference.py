"""Paired and unpaired comparisons of two runs by their per-question means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
from scipy.special import stdtr

from k2eval.statistics.estimate import Array, Scores, average_of, detectable, question_means, t_quantile
from k2eval.statistics.strays import Strays

EXACT_UP_TO = 20
"""Largest number of non-zero differences for which the sign-flip test tries all signs (2^20 sums)."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The second average minus the first, as fractions."""

    value: float
    low: float
    high: float
    se: float
    p: float
    """Two-sided p-value of "no difference": by sign flips over questions if paired, else by Welch's t-test."""
    detectable: float
    """The true difference that such a comparison shows in 80 % of cases."""
    questions: int
    """Number of questions compared; the smaller number of the two sides if unpaired."""
    paired: bool

    @property
    def margin(self) -> float:
        """The longer arm of the interval."""
        return max(self.value - self.low, self.high - self.value)


NO_DIFFERENCE_KNOWN = Difference(np.nan, np.nan, np.nan, np.nan, np.nan, np.nan, 0, True)


def paired(first: Scores, second: Scores, confidence: float = 0.95, test: bool = True) -> Difference:
    """Compare two sets of scores question by question; row i of both is the same question.

    The difference is the mean over questions of the difference of their means, with a t-interval over
    questions. The numbers of repeats may differ. If few questions show any difference, or none does, there is too
    little spread to make an interval from. So its arms also leave room for the questions that were not seen (`Strays`).

    >>> plain = np.array([[0.0, 1.0], [0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 0.0]])
    >>> better = np.array([[1.0, 1.0], [0.0, 1.0], [1.0, 1.0], [1.0, 1.0], [0.0, 1.0]])
    >>> difference = paired(plain, better)
    >>> f"{difference.value:.2f} ({difference.low:.2f} – {difference.high:.2f}), p = {difference.p}"
    '0.40 (-0.12 – 0.68), p = 0.125'

    Args:
        first: Scores of shape (questions, repeats).
        second: Scores of shape (questions, other repeats).
        confidence: The interval's confidence.
        test: Whether to test; False leaves the p-value NaN, which is much faster.

    Raises:
        ValueError: If the numbers of questions differ.
    """
    if len(first) != len(second):
        raise ValueError(f"expected the same questions on both sides, got {len(first)} and {len(second)}")
    return paired_means(question_means(first), question_means(second), confidence, test)


def paired_means(
    first: Array, second: Array, confidence: float = 0.95, test: bool = True, bounded: bool = True
) -> Difference:
    """Compare as `paired` does, from per-question means of shape (questions,).

    Args:
        first: Means of the first side.
        second: Means of the second side, of the same questions.
        confidence: The interval's confidence.
        test: Whether to test.
        bounded: Whether means are in [0, 1]; errors have no bound, so equal differences give them no interval.
    """
    gaps = second - first
    gaps = gaps[np.isfinite(gaps)]
    n = len(gaps)
    if n == 0:
        return NO_DIFFERENCE_KNOWN
    value = float(gaps.mean())
    p = sign_flip_p(gaps) if test else np.nan
    below, above = Strays.of(gaps).arms(confidence) if bounded else (0.0, 0.0)
    if n == 1 or np.ptp(gaps) <= 1e-12:
        se = 0.0 if n > 1 else np.nan
        if not bounded:
            return Difference(value, np.nan, np.nan, se, p, np.nan, n, True)
        return Difference(value, value - below, value + above, se, p, max(below, above), n, True)
    se = float(gaps.std(ddof=1) / np.sqrt(n))
    margin, most = t_quantile(confidence, n - 1) * se, 1.0 if bounded else np.inf
    low, high = max(value - max(margin, below), -most), min(value + max(margin, above), most)
    return Difference(value, low, high, se, p, detectable(se, n, confidence), n, True)


def unpaired(first: Scores, second: Scores, confidence: float = 0.95) -> Difference:
    """Compare scores on different questions: Welch's t-interval and test on per-question means.

    This comparison is much blunter than `paired`, as the choice of questions no longer cancels. If a side is so close
    to 0 or 1, or has so little spread, that a t-interval does not fit it (`average_of`), then the interval is made from
    those of both sides, arm by arm (Zou and Donner 2008, doi:10.1002/sim.3095).

    >>> plain = np.array([[0.0, 1.0], [0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 0.0]])
    >>> better = np.array([[1.0, 1.0], [0.0, 1.0], [1.0, 1.0], [1.0, 1.0], [0.0, 1.0]])
    >>> difference = unpaired(plain, better)
    >>> f"{difference.value:.2f} ({difference.low:.2f} – {difference.high:.2f}), p = {difference.p:.3f}"
    '0.40 (-0.29 – 0.93), p = 0.117'
    """
    return unpaired_means(question_means(first), question_means(second), confidence)


def unpaired_means(first: Array, second: Array, confidence: float = 0.95, bounded: bool = True) -> Difference:
    """Compare as `unpaired` does, from per-question means; ``bounded`` as in `paired_means`."""
    first, second = (means[np.isfinite(means)] for means in (first, second))
    n = min(len(first), len(second))
    if n == 0:
        return NO_DIFFERENCE_KNOWN
    value = float(second.mean() - first.mean())
    most = 1.0 if bounded else np.inf
    if n == 1:
        return Difference(value, -most, most, np.nan, np.nan, np.nan, n, False)
    parts = np.array([means.var(ddof=1) / len(means) for means in (first, second)])
    se = float(np.sqrt(parts.sum()))
    arms = _arms_of_sides(first, second, confidence) if bounded else None
    if se <= 1e-12:
        p = 1.0 if abs(value) < 1e-12 else 2 / comb(len(first) + len(second), n)
        below, above = arms or (np.nan, np.nan)
        return Difference(value, value - below, value + above, 0.0, p, max(below, above), n, False)
    df = parts.sum() ** 2 / (parts**2 / (np.array([len(first), len(second)]) - 1)).sum()
    margin = t_quantile(confidence, df) * se
    below, above = arms or (margin, margin)
    p = float(2 * stdtr(df, -abs(value) / se))
    low, high = max(value - max(margin, below), -most), min(value + max(margin, above), most)
    return Difference(value, low, high, se, p, detectable(se, round(df) + 1, confidence), n, False)


def _arms_of_sides(first: Array, second: Array, confidence: float) -> tuple[float, float] | None:
    """Return the arms that the intervals of both sides make together; None if a t-interval fits both sides."""
    left, right = average_of(first, confidence), average_of(second, confidence)
    if left.method == right.method == "t":
        return None
    return (
        float(np.hypot(right.value - right.low, left.high - left.value)),
        float(np.hypot(right.high - right.value, left.value - left.low)),
    )


def sign_flip_p(gaps: Array, draws: int = 100_000, seed: int = 0) -> float:
    """Return the two-sided p-value of the sign-flip permutation test of per-question differences.

    Under "no difference" the sign of each question's difference is a coin toss. The test tries all signs of up
    to 20 non-zero differences. For more differences it draws ``draws`` random signs with a fixed seed. The
    observed signs count as one of these draws, so that p is never 0.

    >>> sign_flip_p(np.array([0.5, 0.5, 0.25, 0.5, 0.5]))  # 2 of the 32 signs reach this sum
    0.0625
    """
    gaps = gaps[np.abs(gaps) > 1e-12]
    if len(gaps) == 0:
        return 1.0
    limit = abs(gaps.sum()) - 1e-9
    if len(gaps) <= EXACT_UP_TO:
        sums = np.zeros(1)
        for gap in gaps[1:]:
            sums = np.concatenate([sums + gap, sums - gap])
        return float((np.abs(sums + gaps[0]) >= limit).mean())
    rng = np.random.default_rng(seed)
    extreme, drawn = 1, 0
    while drawn < draws:
        batch = min(draws - drawn, max(1, 4_000_000 // len(gaps)))
        signs = rng.integers(0, 2, (batch, len(gaps)), dtype=np.int8)
        extreme += int((np.abs(2.0 * (signs @ gaps) - gaps.sum()) >= limit).sum())
        drawn += batch
    return extreme / (draws + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust the p-values of several benchmarks by Holm's step-down procedure; NaN stays NaN.

    The adjustment is that of Holm (1979, Scandinavian Journal of Statistics 6).

    >>> holm([0.01, 0.04, float("nan"), 0.03])
    [0.03, 0.06, nan, 0.06]
    """
    p = np.asarray(p_values, dtype=float)
    adjusted = np.full(len(p), np.nan)
    known = np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known], kind="stable")]
    steps = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0) if len(order) else steps
    return [float(value) for value in adjusted]


def combine(differences: Sequence[Difference], weights: Sequence[float], p: float = np.nan) -> Difference:
    """Combine differences into that of weighted averages over benchmarks; intervals as in `k2eval.statistics.pool`.

    >>> one_benchmark = Difference(0.4, 0.1, 0.7, 0.1, 0.1, 0.4, 5, True)
    >>> both = combine([one_benchmark, one_benchmark], [1, 1])
    >>> f"{both.value:.2f} ({both.low:.2f} – {both.high:.2f})"
    '0.40 (0.19 – 0.61)'

    Args:
        differences: One difference per benchmark.
        weights: The numbers of questions for a micro-average, equal weights for a macro-average.
        p: The p-value of the whole, such as `sign_flip_p` of all gaps, each times its benchmark's share.
    """
    shares = np.asarray(weights, dtype=float) / np.sum(weights)
    value, low, high, se, least = (
        np.array([getattr(difference, name) for difference in differences])
        for name in ("value", "low", "high", "se", "detectable")
    )
    centre = float(shares @ value)
    down, up, together, least_shown = (
        float(np.sqrt(((shares * arm) ** 2).sum()))
        for arm in (value - low, high - value, np.nan_to_num(se), least)
    )
    return Difference(
        value=centre,
        low=max(centre - down, -1.0),
        high=min(centre + up, 1.0),
        se=together,
        p=p,
        detectable=least_shown,
        questions=sum(difference.questions for difference in differences),
        paired=all(difference.paired for difference in differences),
    )
