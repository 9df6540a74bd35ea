"""Tests that may be looked at again and again: sign flips whose level is spent over the looks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from k2eval.statistics.estimate import Array

SPENDING_POWER = 2.7
"""Exponent of the share of the level that may be spent when a share of the information is there."""
DRAWS = 4095
"""Fewest random sign patterns beside the observed one."""
_MOST_DRAWS = 32_768
_WORK = 60_000_000
"""Signs times hypotheses that a look has time for."""
_DRAWS_PER_LEVEL = 10
"""Sign patterns that the smallest level may reject at the end, at least."""
MOST_PATHS = 150_000_000
"""Largest product of hypotheses and sign patterns: their statistics are held at each look."""
MOST_SIGNS = 8_000_000_000
"""Largest product of questions and sign patterns, of which each is a bit."""
_TIE = 1e-9
"""Statistics that differ by less, relative to the largest, are equal."""


def spending(share: float) -> float:
    """Return the share of the level that may be spent when this share of the information is there.

    The function is share^2.7, of the power family of Kim and DeMets (Biometrika 74, 1987). With 32 looks it costs two
    points of power against one look at the end, and takes three quarters of the samples (median) at the effect that
    a single look finds in 80 % of cases, less than half of them at one and a half times that effect. A smaller
    exponent saves more samples and costs more power: 2.5 would save one point in a hundred and cost 0.2 points.

    >>> round(spending(0.5), 3)
    0.154
    """
    return float(min(1.0, max(0.0, share)) ** SPENDING_POWER)


def draws_for(hypotheses: int, alpha: float, questions: int = 1000) -> int:
    """Return how many random sign patterns tests of so many hypotheses need; one less than a multiple of 1/alpha.

    More patterns can reject earlier, since a look can spend no less than one of them. So there are as many as a look
    has time for.

    >>> draws_for(1, 0.05), draws_for(28, 0.05), draws_for(1, 0.05, questions=30)
    (32779, 5599, 32779)

    Raises:
        ValueError: If the level of each hypothesis is so small that its patterns would fill the memory.
    """
    unit = round(1 / alpha)
    affordable = min(_MOST_DRAWS, _WORK // (questions * hypotheses))
    least = max(DRAWS + 1, _DRAWS_PER_LEVEL * hypotheses * unit, affordable)
    count = -(-least // unit) * unit
    if count * hypotheses > MOST_PATHS or count * questions > MOST_SIGNS:
        raise ValueError(
            f"expected a larger level or fewer hypotheses, got {alpha:g} for {hypotheses} on {questions:,} questions"
        )
    return count - 1


class Boundary(NamedTuple):
    """The result of one look at one level."""

    rejected: bool
    """Whether "no difference" is rejected, at this look or at an earlier one."""
    sign: float
    """Sign of the observed statistic at the look that rejected; 0 if none did."""
    critical: float
    """The statistic that is needed at this look, as an absolute value; infinite if none suffices."""


class _Look(NamedTuple):
    share: Array
    """Share of the information; shape (hypotheses,)."""
    order: NDArray[np.intp]
    """Indices of the largest absolute statistics, largest first; shape (hypotheses, kept)."""
    values: Array
    """These absolute statistics."""
    signs: Array
    """Signs of the observed statistics; shape (hypotheses,)."""


class _Walk:
    """One hypothesis at one level, followed from look to look."""

    __slots__ = ("boundary", "looks", "removed", "spent")

    def __init__(self, count: int) -> None:
        self.removed = np.zeros(count, dtype=bool)
        self.spent = 0
        self.looks = 0
        self.boundary = Boundary(False, 0.0, np.inf)


class SequentialTest:
    """Two-sided sign-flip tests of several hypotheses, each at any level up to ``alpha`` over all looks.

    Under "no difference" the observed statistic and those of random sign patterns are exchangeable as whole paths over
    the looks. Each look removes the paths with the largest absolute statistics, so that the removed ones are at most
    ``level × spending(share)`` of all. The hypothesis is rejected once the observed path is among them. So the chance
    to reject a true hypothesis at any look is at most the level, exactly, whatever the number of looks, their times,
    and the distribution of scores (randomization tests with spending functions: Plamadeala and Rosenberger, Annals
    of Statistics 40, 2012).

    >>> rng = np.random.default_rng(0)
    >>> gaps = rng.choice([0.0, 1.0], 60)  # the second contestant never loses
    >>> signs = rng.choice([-1.0, 1.0], (60, draws_for(1, 0.05, 60)))
    >>> test = SequentialTest(1)
    >>> for drawn in (20, 40, 60):
    ...     paths = np.concatenate([[gaps[:drawn].sum()], gaps[:drawn] @ signs[:drawn]])
    ...     test.look(paths[None], drawn / 60)
    ...     print(drawn, test.boundary(0, 0.05).rejected)
    20 True
    40 True
    60 True

    Args:
        hypotheses: Number of hypotheses.
        alpha: The largest level that will be asked for.
    """

    def __init__(self, hypotheses: int, alpha: float = 0.05) -> None:
        self.alpha = alpha
        self._count = 0
        self._looks: list[_Look] = []
        self._walks: list[dict[float, _Walk]] = [{} for _ in range(hypotheses)]

    def look(self, statistics: Array, share: float | Array) -> None:
        """Take in the statistics of a look.

        Args:
            statistics: Shape (hypotheses, 1 + draws): that observed, then those of the sign patterns, which are the
                same at each look.
            share: The share of the information that is there, for all or for each hypothesis; it may depend on the
                scores only by what sign flips leave as it is.
        """
        sizes = np.abs(statistics)
        kept = min(sizes.shape[1], 2 * int(self.alpha * sizes.shape[1]) + 2)
        top = np.argpartition(sizes, -kept, axis=1)[:, -kept:]
        values = np.take_along_axis(sizes, top, axis=1)
        order = np.argsort(-values, axis=1, kind="stable")
        shares = np.broadcast_to(np.asarray(share, dtype=float), len(sizes))
        self._count = sizes.shape[1]
        self._looks.append(
            _Look(
                shares,
                np.take_along_axis(top, order, axis=1),
                np.take_along_axis(values, order, axis=1),
                np.sign(statistics[:, 0]),
            )
        )

    def boundary(self, hypothesis: int, level: float) -> Boundary:
        """Return where a hypothesis stands at a level, all looks so far considered."""
        walk = self._walks[hypothesis].setdefault(level, _Walk(self._count))
        for look in self._looks[walk.looks :]:
            self._step(
                walk,
                look.order[hypothesis],
                look.values[hypothesis],
                level * spending(look.share[hypothesis]),
                float(look.signs[hypothesis]),
            )
            walk.looks += 1
        return walk.boundary

    def _step(self, walk: _Walk, order: NDArray[np.intp], values: Array, spent: float, sign: float) -> None:
        before = walk.boundary
        allowed = int(spent * self._count + _TIE) - walk.spent
        if allowed <= 0:
            walk.boundary = Boundary(before.rejected, before.sign, np.inf)
            return
        alive = ~walk.removed[order]
        order, values = order[alive], values[alive]
        critical = float(values[allowed]) * (1 + _TIE) + _TIE
        extreme = order[values > critical]
        walk.removed[extreme] = True
        walk.spent += len(extreme)
        rejected = bool(walk.removed[0])
        walk.boundary = Boundary(rejected, before.sign or sign * rejected, critical)
