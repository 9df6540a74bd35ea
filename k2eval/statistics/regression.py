"""Figures of numeric answers: the size of their errors, and the order that they put questions in.

Errors have a unit and no upper bound, so their intervals are plain t-intervals over questions. Less is better.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from k2eval.statistics.estimate import NOTHING, Array, Estimate, Scores, question_means, t_quantile


def mean_of(means: Array, confidence: float = 0.95) -> Estimate:
    """Return the mean of per-question values without bounds, with its t-interval over questions; NaN is no value.

    >>> estimate = mean_of(np.array([1.0, 2.0, 3.0, 2.0]))
    >>> f"{estimate.value:.2f} ({estimate.low:.2f} – {estimate.high:.2f})"
    '2.00 (0.70 – 3.30)'
    """
    means = means[np.isfinite(means)]
    n = len(means)
    if n == 0:
        return NOTHING
    value = float(means.mean())
    se = float(means.std(ddof=1) / np.sqrt(n)) if n > 1 else np.nan
    margin = t_quantile(confidence, n - 1) * se if n > 1 else np.nan
    return Estimate(value, value - margin, value + margin, se, n, n, "t" if n > 1 else "none")


def mean_absolute_error(errors: Scores, confidence: float = 0.95) -> Estimate:
    """Return the mean absolute error, clustered by question, in the unit of the errors.

    >>> mean_absolute_error(np.array([[0.5, -0.5], [1.0, np.nan], [0.0, 0.0]])).value
    0.5

    Args:
        errors: Errors of shape (questions, repeats); NaN if no number was read.
        confidence: The interval's confidence.
    """
    estimate = mean_of(question_means(np.abs(errors)), confidence)
    return _with_samples(_from_zero(estimate), errors)


def root_mean_square_error(errors: Scores, confidence: float = 0.95) -> Estimate:
    """Return the root of the mean squared error, clustered by question, in the unit of the errors.

    The ends of the interval are the roots of those of the mean squared error, and its standard error follows from the
    derivative of the root (delta method).

    >>> root_mean_square_error(np.array([[3.0], [-4.0], [0.0], [0.0]])).value
    2.5
    """
    square = _from_zero(mean_of(question_means(np.square(errors)), confidence))
    value = float(np.sqrt(square.value))
    estimate = Estimate(
        value,
        float(np.sqrt(square.low)),
        float(np.sqrt(square.high)),
        square.se / (2 * value) if value > 0 else square.se,
        square.questions,
        square.samples,
        square.method,
    )
    return _with_samples(estimate, errors)


def rank_correlation(
    readings: Scores, golds: NDArray[np.floating[Any]], confidence: float = 0.95
) -> Estimate:
    """Return Spearman's rank correlation of readings and golds, the mean over repeats.

    The interval is that of a single repeat over the questions, by Fisher's transformation with the variance
    (1 + r²/2) / (n - 3) (Bonett and Wright 2000, Psychometrika 65). More repeats of the same questions do not narrow
    it, so it errs on the side of being too wide.

    >>> golds = np.arange(10.0)
    >>> round(rank_correlation(np.stack([golds**3, -golds], axis=1)[:, :1], golds).value, 3)
    1.0

    Args:
        readings: Numbers read, of shape (questions, repeats); NaN if none was.
        golds: The right number of each question.
        confidence: The interval's confidence.
    """
    found, counts = [], []
    for column in np.asarray(readings, dtype=np.float64).T:
        both = np.isfinite(column) & np.isfinite(golds)
        given, right = column[both], golds[both]
        if len(given) > 3 and np.ptp(given) > 0 and np.ptp(right) > 0:
            found.append(float(np.corrcoef(_ranks(given), _ranks(right))[0, 1]))
            counts.append(len(given))
    if not found:
        return NOTHING
    value, n = float(np.mean(found)), float(np.mean(counts))
    se = np.sqrt((1 + value**2 / 2) / (n - 3))
    arm = float(ndtri((1 + confidence) / 2)) * se
    centre = np.arctanh(np.clip(value, -1 + 1e-12, 1 - 1e-12))
    low, high = (float(np.tanh(centre + side)) for side in (-arm, arm))
    slope = 1 - value**2
    return Estimate(
        value, min(low, value), max(high, value), float(se * slope), round(n), int(sum(counts)), "fisher"
    )


def _ranks(values: Array) -> Array:
    """Return the rank of each value from 1; equal values share the mean of their ranks."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Array = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return ranks


def _from_zero(estimate: Estimate) -> Estimate:
    """Return an estimate of a size, whose interval does not reach below 0."""
    low = estimate.low if np.isnan(estimate.low) else max(estimate.low, 0.0)
    return replace(estimate, low=low)


def _with_samples(estimate: Estimate, errors: Scores) -> Estimate:
    return replace(estimate, samples=int(np.isfinite(errors).sum()))
