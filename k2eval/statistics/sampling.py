"""Gains from more attempts: unbiased pass@k and majority votes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from k2eval.statistics.estimate import Array, Estimate, Scores, average_of


def pass_at_k(scores: Scores, confidence: float = 0.95) -> list[Estimate]:
    """Return pass@k for k = 1 … repeats: the chance that at least one of k repeats is fully right (score 1).

    For a question with n repeats of which c are right, pass@k is 1 - C(n-c, k) / C(n, k), the unbiased estimator
    of Chen et al. 2021 (arXiv 2107.03374). It is averaged over the questions that have at least k repeats.
    ``Estimate.questions`` is their number.

    >>> curve = pass_at_k(np.array([[1.0, 1.0, 0.0, 1.0], [0.0, 0.0, 1.0, 0.0]]))
    >>> [round(estimate.value, 3) for estimate in curve]
    [0.5, 0.75, 0.875, 1.0]
    """
    known = np.isfinite(scores)
    n = known.sum(axis=1)
    right = (np.where(known, scores, 0.0) >= 1.0).sum(axis=1)
    all_wrong = np.ones(len(scores))
    curve = []
    for k in range(1, int(n.max(initial=0)) + 1):
        possible = n >= k
        all_wrong *= np.maximum(n - right - k + 1, 0) / np.maximum(n - k + 1, 1)
        estimate = average_of(np.where(possible, 1.0 - all_wrong, np.nan), confidence)
        curve.append(estimate)
    return curve


def supported(curve: Sequence[Estimate]) -> list[Estimate]:
    """Return the part of a curve of pass@k or maj@k that is made from at least nine in ten of its questions.

    If samples are missing, the last points are made from the few questions that have all samples. They would rise
    or fall for that reason alone.

    >>> curve = pass_at_k(np.array([[1.0, 1.0], [0.0, np.nan]]))  # the second point has one question of two
    >>> len(curve), len(supported(curve))
    (2, 1)
    """
    most = curve[0].questions if curve else 0
    return [estimate for estimate in curve if estimate.questions >= 0.9 * most]


class Vote(NamedTuple):
    """The vote of one repeat."""

    answer: str | None
    """The extracted answer; None casts no vote, but still uses up an attempt."""
    right: bool


def majority_at_k(votes: Sequence[Sequence[Vote]], confidence: float = 0.95) -> list[Estimate]:
    """Return maj@k for k = 1 … repeats: the chance that the most frequent answer of k repeats is right.

    The chance is the exact expectation over all subsets of k repeats and all their orders, not a simulation. Two
    repeats vote for the same answer if their extracted answers are equal, or if both are right: then both equal
    the gold answer, in whatever notation. Ties go to the answer seen first. Over all orders, that gives each of t
    tied answers the chance 1/t. Without any vote the question is lost.

    >>> votes = [Vote("7", True), Vote("5", False), Vote("7", True)]
    >>> [round(estimate.value, 3) for estimate in majority_at_k([votes])]
    [0.667, 0.667, 1.0]

    Args:
        votes: The votes of the repeats of each question. The caller leaves out failures of our own.
        confidence: Confidence of the intervals over questions.
    """
    longest = max((len(question) for question in votes), default=0)
    table = np.full((len(votes), longest), np.nan)
    for row, question in enumerate(votes):
        table[row, : len(question)] = majority_curve(question)
    return [average_of(table[:, k], confidence) for k in range(longest)]


def maj_at_k(answers: Sequence[str | None], scores: Sequence[float]) -> float:
    """Return maj@k of one question with its k repeats, as `majority_at_k` does; a repeat is right if it scores 1.

    >>> maj_at_k(["7", "5", "7"], [1, 0, 1])
    1.0
    >>> maj_at_k(["7", "5"], [1, 0])  # a tie
    0.5
    """
    votes = [Vote(answer, score >= 1.0) for answer, score in zip(answers, scores, strict=True)]
    return float(majority_curve(votes)[-1]) if votes else float("nan")


def majority_curve(votes: Sequence[Vote]) -> Array:
    """Return the exact maj@k of one question for k = 1 … len(votes).

    The right answer wins with j votes if every other answer has at most j. Let n_h repeats give answer h and m
    repeats give none. Then the number of k-subsets in which the right answer wins with t ties is the coefficient
    of x^k y^t in C(n_right, j) x^j (1+x)^m prod_h (sum_{i<j} C(n_h, i) x^i + y C(n_h, j) x^j).

    >>> majority_curve([Vote("7", True), Vote(None, False)])  # a repeat without an answer casts no vote
    array([0.5, 1. ])
    """
    n = len(votes)
    right = sum(vote.right for vote in votes)
    silent = sum(vote.answer is None and not vote.right for vote in votes)
    rivals = Counter(vote.answer for vote in votes if vote.answer is not None and not vote.right)
    return _curve(n, right, silent, tuple(sorted(Counter(rivals.values()).items()))).copy()


@lru_cache(maxsize=1 << 14)
def _curve(n: int, right: int, silent: int, rivals: tuple[tuple[int, int], ...]) -> Array:
    """Return the curve of ``n`` votes, so many right or silent; rivals: (votes, number of answers with so many)."""
    if right == 0:
        return np.zeros(n)
    if right == n:
        return np.ones(n)
    won = np.zeros(n + 1)
    for j in range(1, right + 1):
        ways = _outvoted(rivals, j, n)
        ways = ways / (1 + np.arange(ways.shape[0]))[:, None]
        polynomial = np.convolve(ways.sum(axis=0), _binomials(silent))[: n + 1]
        won[j:] += _binomials(right)[j] * polynomial[: n + 1 - j]
    curve: Array = np.clip(won[1:] / _binomials(n)[1:], 0.0, 1.0)
    return curve


def _outvoted(rivals: Sequence[tuple[int, int]], j: int, degree: int) -> Array:
    """Return the coefficients (ties, subset size) of the product over rival answers with at most ``j`` votes each."""
    ways = np.zeros((1, degree + 1))
    ways[0, 0] = 1.0
    for size, count in rivals:
        factor = _binomials(size)
        for _ in range(count):
            below = np.array([np.convolve(row, factor[:j])[: degree + 1] for row in ways])
            if size < j:
                ways = below
                continue
            tied = np.zeros_like(ways)
            tied[:, j:] = factor[j] * ways[:, : degree + 1 - j]
            ways = np.vstack([below, np.zeros(degree + 1)]) + np.vstack([np.zeros(degree + 1), tied])
    return ways


@lru_cache(maxsize=1 << 10)
def _binomials(n: int) -> Array:
    row = np.ones(n + 1)
    for i in range(1, n + 1):
        row[i] = row[i - 1] * (n - i + 1) / i
    row.setflags(write=False)
    return row
