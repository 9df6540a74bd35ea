"""Mean differences that few units show: what the units that were not seen could be."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import betaincinv

from k2eval.statistics.estimate import Array

_SAME = 1e-12
_FOR_MEDIAN = 1000
"""Units from which the median is taken, at most: any middle is right, and near the median is the narrowest."""


class Strays(NamedTuple):
    """The units whose difference is unlike that of most others; a unit is a question, or a pair of samples.

    One question in a hundred differs: its t-interval ends at 2 in 100, since the 99 others show no spread. The truth is
    above that in every fifth such case. So an interval also has to leave room for strays that were not seen.
    """

    units: int
    others: int
    """Number of strays: units that are not at the median."""
    total: float
    """Sum of their distances from the median."""
    middle: float
    """The median of the differences."""

    @classmethod
    def of(cls, gaps: Array) -> Strays:
        """Return the strays of differences in [-1, 1]; shape (units,), at least one.

        >>> Strays.of(np.array([0.0, 0.0, 0.5, 0.0]))
        Strays(units=4, others=1, total=0.5, middle=0.0)
        """
        middle = float(np.median(gaps[:: -(-len(gaps) // _FOR_MEDIAN)]))
        distances = np.abs(gaps - middle)
        return cls(len(gaps), int(np.count_nonzero(distances > _SAME)), float(distances.sum()), middle)

    def arms(self, confidence: float) -> tuple[float, float]:
        """Return the least arms of an interval of the mean difference: below it and above it, as positive numbers.

        The share of strays could be as large as the upper end of its interval (Clopper and Pearson 1934, Biometrika
        26). Those beyond the seen ones are as far out as these and one more, which is at the end of the scale.

        >>> none, one = Strays(100, 0, 0.0, 0.0), Strays(100, 1, 1.0, 0.0)
        >>> [tuple(round(arm, 3) for arm in strays.arms(0.95)) for strays in (none, one)]
        [(0.036, 0.036), (0.044, 0.044)]

        Args:
            confidence: The interval's confidence.
        """
        if self.others >= self.units:
            return 0.0, 0.0
        tail = (1 - confidence) / 2
        share = float(betaincinv(self.others + 1, self.units - self.others, 1 - tail))
        more = max(0.0, share - self.others / self.units) / (self.others + 1)
        return more * (self.total + 1 + self.middle), more * (self.total + 1 - self.middle)
