"""Intervals of places in a ranking."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from k2eval.statistics.estimate import Array


class RankInterval(NamedTuple):
    """Places in a ranking, 1 the best."""

    rank: int
    low: int
    """The best place within the interval."""
    high: int
    """The worst place within the interval."""


def resample(means: Array, draws: int = 2_000, seed: int = 0) -> Array:
    """Return the average scores of several rows on resampled questions; shape (draws, rows).

    All rows get the same questions in one draw, so that the difficulty of the questions cancels.

    >>> resample(np.array([[1.0, 0.5], [0.0, 1.0]]), draws=5).shape
    (5, 2)

    Args:
        means: Per-question means of shape (questions, rows), NaN if a row lacks a question.
        draws: Number of bootstrap samples.
        seed: Seed of the resampling.
    """
    n = len(means)
    if n == 0:
        return np.full((draws, means.shape[1]), np.nan)
    weights = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), draws).astype(float)
    known = np.isfinite(means)
    if known.all():
        return np.asarray(weights @ means / n)
    counts = weights @ known
    sums = weights @ np.where(known, means, 0.0)
    averages: Array = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return averages


def rank_intervals(values: Array, draws: Array, confidence: float = 0.95) -> list[RankInterval | None]:
    """Return the rank of each row, and the range that its rank takes over bootstrap draws.

    Equal values share the better place. A row whose value is NaN is not ranked: it gets None.

    >>> means = np.array([[1.0, 0.5], [0.0, 1.0], [1.0, 1.0], [0.5, 0.5]])
    >>> rank_intervals(means.mean(axis=0), resample(means))
    [RankInterval(rank=2, low=1, high=2), RankInterval(rank=1, low=1, high=2)]

    Args:
        values: Scores of the rows, shape (rows,).
        draws: Bootstrap scores of the rows, shape (draws, rows).
        confidence: Share of draws within the range.
    """
    ranked = np.flatnonzero(np.isfinite(values))
    intervals: list[RankInterval | None] = [None] * len(values)
    if len(ranked) == 0:
        return intervals
    tail = (1 - confidence) / 2
    places = np.stack([_places(row) for row in draws[:, ranked]])
    low = np.quantile(places, tail, axis=0, method="lower")
    high = np.quantile(places, 1 - tail, axis=0, method="higher")
    for column, (row, place) in enumerate(zip(ranked, _places(values[ranked]), strict=True)):
        worst, best = max(int(high[column]), place), min(int(low[column]), place)
        intervals[row] = RankInterval(int(place), best, worst)
    return intervals


def _places(values: Array) -> NDArray[np.int64]:
    """Return 1 + the number of strictly better values for each value; ties within rounding share a place."""
    ordered = np.sort(values)
    return 1 + len(values) - np.searchsorted(ordered, values + 1e-12, side="right").astype(np.int64)
