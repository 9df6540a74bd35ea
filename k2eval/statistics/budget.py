"""Scores of answers that may cost no more than so many tokens, and what a token buys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from k2eval.statistics.estimate import Array, Scores, question_means, t_quantile


def scores_within(scores: Scores, tokens: NDArray[np.int64], budget: float) -> Scores:
    """Return the scores of the answers that ended by a budget; a longer answer scores 0.

    >>> scores_within(np.array([[1.0, 1.0, np.nan]]), np.array([[90, 110, 10]]), 100)
    array([[ 1.,  0., nan]])

    Args:
        scores: Scores of shape (questions, repeats), NaN if a sample is missing.
        tokens: Tokens of the samples, in the same shape.
        budget: The most tokens of one sample.
    """
    return np.where(np.isfinite(scores) & (tokens > budget), 0.0, scores)


class Ratio(NamedTuple):
    """A ratio of two means with its interval."""

    value: float
    low: float
    high: float


def ratio(above: Scores, below: Scores, confidence: float = 0.95) -> Ratio:
    """Return the mean of ``above`` divided by that of ``below``, clustered by question.

    The interval is that of the linearised ratio R: the spread over questions of ``above`` - R ``below`` (Cochran 1977,
    Sampling Techniques, chapter 2.11), with t over the questions. It is cut at 0.

    >>> ratio(np.array([[1.0], [0.0]]), np.array([[2.0], [2.0]])).value
    0.25

    Args:
        above: Values of shape (questions, repeats), NaN if a sample is missing.
        below: Values of the same samples.
        confidence: The interval's confidence.
    """
    known = np.isfinite(above) & np.isfinite(below)
    tops, bottoms = (question_means(np.where(known, values, np.nan)) for values in (above, below))
    tops, bottoms = tops[np.isfinite(tops)], bottoms[np.isfinite(bottoms)]
    n = len(tops)
    if n == 0 or bottoms.mean() <= 0:
        return Ratio(np.nan, np.nan, np.nan)
    value = float(tops.mean() / bottoms.mean())
    if n == 1:
        return Ratio(value, np.nan, np.nan)
    se = float((tops - value * bottoms).std(ddof=1) / np.sqrt(n) / bottoms.mean())
    margin = t_quantile(confidence, n - 1) * se
    return Ratio(value, max(value - margin, 0.0), value + margin)


def dominating(costs: Sequence[float] | Array, scores: Sequence[float] | Array) -> list[int | None]:
    """Return for each point the best point that costs no more and scores more; None on the frontier.

    A point that scores the same for less dominates, too. NaN neither dominates nor is on the frontier: it gets itself.

    >>> dominating([100, 200, 300, 300], [0.5, 0.4, 0.7, 0.6])
    [None, 0, None, 2]
    """
    cost, score = np.asarray(costs, dtype=float), np.asarray(scores, dtype=float)
    found: list[int | None] = []
    for index in range(len(cost)):
        if not np.isfinite(cost[index] * score[index]):
            found.append(index)
            continue
        better = (cost <= cost[index]) & (score > score[index]) | (cost < cost[index]) & (
            score == score[index]
        )
        candidates = np.flatnonzero(better)
        best = min(candidates, key=lambda other: (-score[other], cost[other])) if len(candidates) else None
        found.append(None if best is None else int(best))
    return found
