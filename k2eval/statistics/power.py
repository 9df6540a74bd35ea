"""The differences that a comparison of two runs will show, before anything is run."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, isfinite

import numpy as np
from scipy.special import ndtri

from k2eval.statistics.estimate import Scores, question_means
from k2eval.statistics.race import Estimand

NOISE_RATIO = 0.1
"""Variance between questions over that between repeats, of paired differences, if nothing tells."""
_MOST_REPEATS = 1_000_000


@dataclass(frozen=True, slots=True)
class PairNoise:
    """The noise of a paired difference between two runs on one benchmark, in squared fractions."""

    repeats: float
    """Variance of the difference of one pair of repeats, given the question."""
    questions: float
    """Variance between questions of their true differences; it remains however often they are asked."""

    @classmethod
    def of_pair(cls, first: Scores, second: Scores, *, ratio: float = NOISE_RATIO) -> PairNoise:
        """Return the noise that two runs on the same questions show.

        Both parts are those of a one-way analysis of variance of the differences, row by row. Rows may have different
        numbers of repeats: those with many are the hard questions of a run that was made with ``--until``. One repeat
        of each question does not tell the parts from each other; then the second is ``ratio`` times the first, a guess.

        >>> rng = np.random.default_rng(0)
        >>> noise = PairNoise.of_pair(*(rng.random((400, 16)) < 0.5 for _ in range(2)))
        >>> round(noise.repeats, 2), round(noise.questions, 2)
        (0.49, 0.0)
        """
        k = min(first.shape[1], second.shape[1])
        gaps = np.asarray(second[:, :k], dtype=float) - np.asarray(first[:, :k], dtype=float)
        known = np.isfinite(gaps)
        gaps, counts = gaps[known.any(axis=1)], known.sum(axis=1)[known.any(axis=1)]
        several = counts > 1
        if several.sum() < 2:
            total = float(np.nanmean(gaps**2)) if gaps.size else 0.0
            return cls(total / (1 + ratio), total * ratio / (1 + ratio))
        repeats = float(np.nanvar(gaps[several], axis=1, ddof=1).mean())
        noise_of_means = repeats * float((1 / counts).mean())
        return cls(repeats, max(0.0, float(np.nanmean(gaps, axis=1).var(ddof=1)) - noise_of_means))

    @classmethod
    def of_run(cls, scores: Scores, ratio: float = NOISE_RATIO) -> PairNoise:
        """Return the noise to expect between a run and one like it.

        A single run tells the noise of its repeats, which the other run has, too. It does not tell how differently two
        checkpoints find the same question; that part is ``ratio`` times the other, a guess. A run with one repeat of
        each question does not tell how far its chances lie apart; then half of the spread of its scores is noise.

        >>> PairNoise.of_run(np.array([[1.0], [0.0]])).repeats
        0.25
        """
        means = question_means(scores)
        mean = float(np.nanmean(means)) if np.isfinite(means).any() else 0.0
        counts = np.isfinite(scores).sum(axis=1)
        several = counts > 1
        noise = mean * (1 - mean) / 2
        if several.any():
            noise = float(np.nanvar(scores[several], axis=1, ddof=1).mean())
        return cls(2 * noise, 2 * noise * ratio)

    @classmethod
    def of_chances(cls, mean: float, spread: float, ratio: float = NOISE_RATIO) -> PairNoise:
        """Return the noise if the questions' chances have this mean and standard deviation.

        >>> PairNoise.of_chances(0.5, 0.3).repeats
        0.32
        """
        noise = max(0.0, mean * (1 - mean) - spread**2)
        return cls(2 * noise, 2 * noise * ratio)

    def se(self, questions: int, repeats: float, estimand: Estimand) -> float:
        """Return the standard error of the difference; ``repeats`` may be infinite."""
        between = self.questions if estimand is Estimand.LIKE_THESE else 0.0
        return float(np.sqrt((between + self.repeats / repeats) / questions))


def detectable_difference(
    noise: PairNoise,
    questions: int,
    repeats: float,
    estimand: Estimand,
    *,
    power: float = 0.8,
    alpha: float = 0.05,
) -> float:
    """Return the smallest true difference that a two-sided test shows with this power, as a fraction.

    It is (z₁₋α/₂ + z_power) × standard error.

    >>> round(detectable_difference(PairNoise(0.32, 0.032), 30, 16, Estimand.LIKE_THESE), 3)
    0.117
    """
    return float(ndtri(1 - alpha / 2) + ndtri(power)) * noise.se(questions, repeats, estimand)


def repeats_needed(
    noise: PairNoise,
    questions: int,
    difference: float,
    estimand: Estimand,
    *,
    power: float = 0.8,
    alpha: float = 0.05,
) -> int | None:
    """Return the fewest repeats that show a difference with this power; None if no number does.

    >>> repeats_needed(PairNoise(0.32, 0.032), 30, 0.1, Estimand.LIKE_THESE)
    52
    >>> repeats_needed(PairNoise(0.32, 0.032), 30, 0.05, Estimand.LIKE_THESE) is None
    True
    """
    wanted = questions * (difference / float(ndtri(1 - alpha / 2) + ndtri(power))) ** 2
    left = wanted - (noise.questions if estimand is Estimand.LIKE_THESE else 0.0)
    if left <= 0:
        return None
    repeats = noise.repeats / left
    return max(1, ceil(repeats - 1e-9)) if isfinite(repeats) and repeats < _MOST_REPEATS else None


def questions_needed(
    noise: PairNoise,
    repeats: float,
    difference: float,
    estimand: Estimand,
    *,
    power: float = 0.8,
    alpha: float = 0.05,
) -> int:
    """Return the fewest questions that show a difference with this power, each asked ``repeats`` times.

    >>> questions_needed(PairNoise(0.32, 0.032), 16, 0.05, Estimand.LIKE_THESE)
    164
    """
    size = detectable_difference(noise, 1, repeats, estimand, power=power, alpha=alpha)
    return max(1, ceil((size / difference) ** 2 - 1e-9))
