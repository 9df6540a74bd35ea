"""An interval that may be looked at all the time: it holds the truth at all moments together."""

from __future__ import annotations

from math import log, sqrt

import numpy as np

from k2eval.statistics.estimate import Array
from k2eval.statistics.precision import Counts, noise_of


def running_interval(
    sums: Array, counts: Counts, planned: int, pending: Counts | None = None, alpha: float = 0.05
) -> tuple[float, float]:
    """Return the confidence sequence of a score on these questions, while samples come in.

    It is the asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (Annals of Statistics
    52, 2024, theorem 2.2), tuned to be narrow at the planned number of samples, around the mean over questions.
    Samples that are being made count as wrong for the lower end and as right for the upper end, since those that take
    long are answered later and are wrong more often.

    >>> low, high = running_interval(np.full(30, 8.0), np.full(30, 16), planned=480)
    >>> f"{low:.3f} to {high:.3f}"
    '0.425 to 0.575'

    Args:
        sums: Sum of each question's scores so far; shape (questions,).
        counts: Number of its scores so far.
        planned: Number of samples of all questions in the end.
        pending: Number of samples of each question that are being made; None if none are.
        alpha: Chance that the interval ever misses the truth.
    """
    waiting = np.zeros_like(counts) if pending is None else pending
    total = counts + waiting
    asked = total > 0
    if not asked.any() or not asked.all():
        return 0.0, 1.0
    finished = int(counts.sum())
    if finished == 0:
        return 0.0, 1.0
    low, high = float((sums / total).mean()), float(((sums + waiting) / total).mean())
    known = counts > 0
    extra = 1 / int(
        known.sum()
    )  # one more right and one more wrong, so that a few right ones are not taken for all
    noise = float(noise_of(sums[known] + extra, (counts[known] + 2 * extra).astype(np.float64)).mean())
    scale = (-2 * log(alpha) + log(-2 * log(alpha) + 1)) / max(planned, 1)
    product = finished * scale
    half = sqrt(noise) * sqrt(2 * (product + 1) / (finished * product) * log(sqrt(product + 1) / (alpha / 2)))
    return max(0.0, low - half), min(1.0, high + half)
