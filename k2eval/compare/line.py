"""A line of a comparison, and its verdict in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from k2eval.statistics import Difference, Estimate

LEVEL = 0.05
"""Level of the tests behind "better" and "worse", over all benchmarks of a pair of runs together."""


APART = ", under different protocols"
"""Behind the verdict on a difference that may be one of protocols alone."""


class Flip(NamedTuple):
    """A question answered right in most repeats of one run and wrong in most repeats of the other."""

    question: str
    first: float
    """Mean score in the first run."""
    second: float


@dataclass(frozen=True, slots=True)
class Line:
    """One benchmark, or one average over benchmarks, in two runs."""

    name: str
    title: str
    first: Estimate
    second: Estimate
    difference: Difference
    """Second minus first."""
    p: float
    """Two-sided p-value; that of a benchmark is corrected for the number of benchmarks (Holm)."""
    verdict: str
    """The conclusion in words."""
    notes: tuple[str, ...] = ()
    flips: tuple[Flip, ...] | None = None
    """Gained questions first, then lost ones, the largest change first; None if questions are not paired."""
    average: bool = False
    error_unit: str | None = None
    """Unit of errors, of which less is better; None if the line is about shares."""

    @property
    def scale(self) -> int:
        """The factor of what is shown: percent for shares, 1 for errors."""
        return 100 if self.error_unit is None else 1


def in_words(
    difference: Difference,
    p: float,
    repeats: tuple[int, int],
    benchmarks: int = 1,
    error_unit: str | None = None,
) -> str:
    """State the conclusion from a difference: "better", "worse", or the size that would have been shown.

    >>> gained = Difference(0.1, 0.02, 0.18, 0.04, 0.02, 0.12, 30, True)
    >>> in_words(gained, p=0.02, repeats=(4, 4))
    'better'
    >>> in_words(gained, p=0.06, repeats=(4, 4), benchmarks=3)
    'better on its own, but not when corrected for 3 benchmarks'
    >>> small = Difference(0.01, -0.07, 0.09, 0.04, 0.8, 0.12, 30, True)
    >>> in_words(small, p=0.8, repeats=(4, 4))
    'no difference shown: 30 questions × 4 repeats would show ±12.0 or more'

    Args:
        difference: The second average minus the first.
        p: Its p-value, corrected for the number of benchmarks.
        repeats: Repeats per question on both sides.
        benchmarks: Number of benchmarks that p is corrected for.
        error_unit: Unit of errors, of which less is better; None if the averages are shares.
    """
    if difference.questions == 0:
        return "nothing to compare: no question has scores on both sides"
    direction = "better" if (difference.value > 0) is (error_unit is None) else "worse"
    if p < LEVEL:
        return direction
    if difference.p < LEVEL:
        return f"{direction} on its own, but not when corrected for {benchmarks} benchmarks"
    repeated = (
        f"{repeats[0]} repeats" if repeats[0] == repeats[1] else f"{repeats[0]} and {repeats[1]} repeats"
    )
    size = f"{difference.questions} questions × {repeated}"
    if not np.isfinite(difference.detectable):
        return f"no difference shown: {size} cannot show any"
    if error_unit is not None:
        return f"no difference shown: {size} would show ±{difference.detectable:.3f} {error_unit} or more"
    return f"no difference shown: {size} would show ±{100 * difference.detectable:.1f} or more"
