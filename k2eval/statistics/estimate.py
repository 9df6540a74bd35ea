"""Averages over questions, their intervals, and the sources of their uncertainty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, stdtrit

Array: TypeAlias = NDArray[np.float64]
Scores: TypeAlias = NDArray[np.float64]
"""Shape (questions, repeats); scores in [0, 1]; NaN if a sample is missing."""

Method = Literal["t", "wilson", "clopper-pearson", "bootstrap", "mover", "fisher", "none"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """An average over questions with its interval: fractions, or errors in their unit."""

    value: float
    low: float
    high: float
    se: float
    """Standard error, clustered by question."""
    questions: int
    """Number of questions with at least one score."""
    samples: int
    """Number of scores averaged."""
    method: Method
    """The kind of interval."""

    @property
    def margin(self) -> float:
        """The longer arm of the interval."""
        return max(self.value - self.low, self.high - self.value)


NOTHING = Estimate(np.nan, np.nan, np.nan, np.nan, 0, 0, "none")


def question_means(scores: Scores) -> Array:
    """Return each question's average over its repeats, NaN for a question without a score; shape (questions,).

    >>> question_means(np.array([[1.0, 0.0], [1.0, np.nan]]))
    array([0.5, 1. ])
    """
    scores = _checked(scores)
    known = np.isfinite(scores)
    counts = known.sum(axis=1)
    sums = np.where(known, scores, 0.0).sum(axis=1)
    means: Array = np.divide(sums, counts, out=np.full(len(scores), np.nan), where=counts > 0)
    return means


def average(scores: Scores, confidence: float = 0.95) -> Estimate:
    """Return avg@k: the mean of the per-question means, with a t-interval over questions.

    Repeats of one question are not independent, so the standard error is that of the per-question means
    (Miller 2024, arXiv 2411.00640, section 2.2). It includes both the choice of questions and the noise of the
    repeats, for any number of repeats of each question. `average_of` describes the interval near 0 and 1.

    >>> estimate = average(np.tile([[1.0, 1.0], [0.0, 1.0], [0.0, 0.0]], (10, 1)))
    >>> f"{estimate.value:.2f} ({estimate.low:.2f} – {estimate.high:.2f}), {estimate.questions} questions"
    '0.50 (0.34 – 0.66), 30 questions'
    >>> average(np.zeros((30, 16))).high  # 0 of 30 questions, however many repeats
    0.11570330822202778
    """
    estimate = average_of(question_means(scores), confidence)
    return replace(estimate, samples=int(np.isfinite(scores).sum()))


def average_of(means: Array, confidence: float = 0.95) -> Estimate:
    """Return the mean of per-question values in [0, 1] with its interval; NaN is no value.

    A t-interval fails near 0 and 1: if all questions score 0, its width is 0. The interval is Clopper and
    Pearson's for a proportion if the t-interval would reach beyond 0 or 1, or if there is no spread to make it
    from (one question, or equal means). The *questions* are its trials, the sum of their means its successes.
    A score between 0 and 1 varies at most as much as a score of 0 or 1, so this interval errs on the side of being
    too wide.

    The interval is Wilson's (see `wilson`) if the average is below 1/4 or above 3/4 and a t-interval of twice
    the width would reach beyond 0 or 1. Such means are skewed, and a t-interval would hold the truth in only
    about 92 % of cases.
    """
    means = means[np.isfinite(means)]
    n = len(means)
    if n == 0:
        return NOTHING
    value = float(np.clip(means.mean(), 0.0, 1.0))
    se = float(means.std(ddof=1) / np.sqrt(n)) if n > 1 else np.nan
    margin = t_quantile(confidence, n - 1) * se if n > 1 else np.nan
    room = min(value, 1.0 - value)
    if n > 1 and np.ptp(means) > 1e-12 and margin <= room:
        if room >= 0.25 or 2 * margin <= room:
            return Estimate(value, value - margin, value + margin, se, n, n, "t")
        low, high = wilson(value, se, t_quantile(confidence, n - 1))
        return Estimate(value, low, high, se, n, n, "wilson")
    low, high = clopper_pearson(value * n, n, confidence)
    return Estimate(value, min(low, value), max(high, value), se, n, n, "clopper-pearson")


def bootstrap(scores: Scores, confidence: float = 0.95, draws: int = 10_000, seed: int = 0) -> Estimate:
    """Return avg@k with a bootstrap-t interval over questions; the same ``seed`` gives the same interval.

    Quantiles of the resampled t statistics take the place of the t distribution's (Efron and Tibshirani 1993, An
    Introduction to the Bootstrap, section 12.5), on the scale of arcsin √p, which evens out the spread of
    proportions. The statistic of a resample without spread is infinite. No end is further out than that of
    Clopper and Pearson's interval with the questions as trials (see `average_of`). If all questions agree, that
    interval is the result.
    """
    means = question_means(scores)
    means = means[np.isfinite(means)]
    plain = average(scores, confidence)
    if len(means) < 2 or np.ptp(means) <= 1e-12:
        return plain
    n, tail = len(means), (1 - confidence) / 2
    weights = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), draws) / n
    gaps = weights @ (means - plain.value)
    drawn = np.clip(plain.value + gaps, 0.0, 1.0)
    errors = np.sqrt(np.maximum(weights @ (means - plain.value) ** 2 - gaps**2, 0.0) / (n - 1))
    centre, scale = np.arcsin(np.sqrt(plain.value)), 2 * np.sqrt(plain.value * (1 - plain.value))
    moved = (np.arcsin(np.sqrt(drawn)) - centre) * 2 * np.sqrt(drawn * (1 - drawn))
    ratios = np.divide(moved, errors, out=np.copysign(np.inf, gaps), where=errors > 1e-9)
    up, down = np.quantile(ratios, [tail, 1 - tail], method="nearest")
    low, high = np.sin(np.clip(centre - np.array([down, up]) * plain.se / scale, 0.0, np.pi / 2)) ** 2
    least, most = clopper_pearson(plain.value * n, n, confidence)
    return replace(plain, low=max(float(low), least), high=min(float(high), most), method="bootstrap")


def pool(estimates: Sequence[Estimate], weights: Sequence[float]) -> Estimate:
    """Return a weighted average over benchmarks.

    Numbers of questions as weights give the micro-average, equal weights the macro-average. The interval is
    recovered from the intervals of the parts, arm by arm (MOVER; Zou and Donner 2008, doi:10.1002/sim.3095). So a
    benchmark at 0 % adds its true upper arm and not a variance of zero.

    >>> none_right, all_right = average(np.zeros((30, 2))), average(np.ones((10, 2)))
    >>> micro = pool([none_right, all_right], [30, 10])
    >>> f"{micro.value:.2f} ({micro.low:.2f} – {micro.high:.2f})"
    '0.25 (0.17 – 0.34)'

    Raises:
        ValueError: If the numbers of estimates and weights differ, or a weight is negative.
    """
    shares = np.asarray(weights, dtype=float)
    if len(estimates) != len(shares) or (shares < 0).any():
        raise ValueError(f"expected one weight >= 0 per estimate, got {len(estimates)} and {list(weights)}")
    if not estimates or shares.sum() == 0:
        return NOTHING
    shares = shares / shares.sum()
    value, low, high, se = (
        np.array([getattr(estimate, name) for estimate in estimates])
        for name in ("value", "low", "high", "se")
    )
    centre = float(shares @ value)
    down, up = (float(np.sqrt(((shares * arm) ** 2).sum())) for arm in (value - low, high - value))
    return Estimate(
        value=centre,
        low=max(centre - down, 0.0),
        high=min(centre + up, 1.0),
        se=float(np.sqrt(np.nansum((shares * se) ** 2))),
        questions=sum(estimate.questions for estimate in estimates),
        samples=sum(estimate.samples for estimate in estimates),
        method="mover",
    )


@dataclass(frozen=True, slots=True)
class Spread:
    """The sources of the uncertainty of avg@k, as fractions; NaN if a single repeat cannot tell."""

    total_se: float
    """Standard error for questions like these; the interval of `average` is made from it."""
    question_se: float
    """The part that more repeats cannot remove: other questions would have been harder or easier."""
    repeat_se: float
    """The part that more repeats do remove: the same questions would have been answered differently."""
    repeat_sd: float
    """Standard deviation of the score of a single repeat of these questions."""


def spread(scores: Scores) -> Spread:
    """Split the standard error of avg@k into question sampling and noise of repeats (one-way random effects).

    The noise of one question's mean is its sample variance divided by its number of repeats. A question with one
    repeat takes the mean variance of the others. Question sampling is the rest of the variance, never below zero.

    >>> parts = spread(np.tile([[1.0, 1.0], [0.0, 1.0], [0.0, 0.0]], (10, 1)))
    >>> f"{parts.total_se:.3f}² = {parts.question_se:.3f}² + {parts.repeat_se:.3f}²"
    '0.076² = 0.054² + 0.053²'
    """
    scores = _checked(scores)
    counts = np.isfinite(scores).sum(axis=1)
    scores, counts = scores[counts > 0], counts[counts > 0]
    n = len(scores)
    if n == 0:
        return Spread(np.nan, np.nan, np.nan, np.nan)
    total = average(scores).se
    repeated = counts > 1
    if not repeated.any():
        return Spread(total, np.nan, np.nan, np.nan)
    variances = np.zeros(n)
    variances[repeated] = np.nanvar(scores[repeated], axis=1, ddof=1)
    variances[~repeated] = variances[repeated].mean()
    repeat_variance = float((variances / counts).sum()) / n**2
    question = float(np.sqrt(max(total**2 - repeat_variance, 0.0))) if n > 1 else np.nan
    return Spread(total, question, float(np.sqrt(repeat_variance)), float(np.sqrt(variances.sum())) / n)


def detectable(se: float, questions: int, confidence: float = 0.95, power: float = 0.8) -> float:
    """Return the minimum detectable effect: the true difference that a test would show ``power`` of the time.

    >>> round(detectable(0.04, 30), 3)
    0.116

    Args:
        se: Standard error of the difference.
        questions: Number of questions; the degrees of freedom are one less.
        confidence: One minus the level of the two-sided test.
        power: Probability that the test shows a difference of that size.
    """
    if questions < 2:
        return float("nan")
    return float((t_quantile(confidence, questions - 1) + stdtrit(questions - 1, power)) * se)


def t_quantile(confidence: float, df: float) -> float:
    """Return the factor by which a two-sided t-interval exceeds the standard error."""
    return float(stdtrit(df, (1 + confidence) / 2))


def clopper_pearson(successes: float, trials: float, confidence: float = 0.95) -> tuple[float, float]:
    """Return the exact interval of a proportion (Clopper and Pearson 1934, Biometrika 26).

    The ends are quantiles of beta distributions, so ``successes`` may be fractional.

    >>> clopper_pearson(0, 30)
    (0.0, 0.11570330822202778)
    """
    tail = (1 - confidence) / 2
    failures = trials - successes
    low = 0.0 if successes <= 0 else float(betaincinv(successes, failures + 1, tail))
    high = 1.0 if failures <= 0 else float(betaincinv(successes + 1, failures, 1 - tail))
    return low, high


def wilson(value: float, se: float, quantile: float) -> tuple[float, float]:
    """Return Wilson's score interval of a proportion with standard error ``se``.

    The number of trials is the number that would give a plain proportion that standard error: the effective
    sample size of survey statistics (Korn and Graubard 1998, Survey Methodology 24). The quantile is that of t
    instead of the normal distribution.

    >>> low, high = wilson(0.908, 0.025, t_quantile(0.95, 29))
    >>> f"{low:.3f} – {high:.3f}"
    '0.844 – 0.947'
    """
    spread = (quantile * se) ** 2 / (value * (1 - value))
    centre = (value + spread / 2) / (1 + spread)
    margin = np.sqrt(spread * (value * (1 - value) + spread / 4)) / (1 + spread)
    return float(max(centre - margin, 0.0)), float(min(centre + margin, 1.0))


def _checked(scores: Scores) -> Scores:
    scores = np.asarray(scores, dtype=np.float64)
    if scores.ndim != 2:
        raise ValueError(f"expected scores of shape (questions, repeats), got shape {scores.shape}")
    return scores
