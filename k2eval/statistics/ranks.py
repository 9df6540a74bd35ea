"""Groups of rows in a ranking that cannot be told apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from k2eval.statistics.estimate import Array


class RankGroup(NamedTuple):
    """A group of rows, and the places that its rows share; 1 is the best."""

    group: int
    low: int
    """The best place of the group."""
    high: int
    """The worst place of the group."""


def rank_groups(values: Array, is_worse: Callable[[int, int], bool]) -> list[RankGroup | None]:
    """Return the group of each row.

    Rows are taken in the order of their values, the best first. The first row opens a group. Each further row joins
    the group, unless it is shown to be worse than the row that opened the group: then it opens the next group. So
    groups are ranges of places, each row is in exactly one, and a group ends with the first difference from its best
    row that is shown. Two rows of one group are not shown to differ from its best; two rows of neighbouring groups may
    still not be shown to differ from each other.

    A row whose value is NaN is not ranked: it gets None.

    >>> rank_groups(np.array([0.5, 0.9, 0.8, np.nan]), lambda row, best: best == 1 and row == 0)
    [RankGroup(group=2, low=3, high=3), RankGroup(group=1, low=1, high=2), RankGroup(group=1, low=1, high=2), None]

    Args:
        values: Scores of the rows, shape (rows,).
        is_worse: Whether a row is shown to be worse than another one, which opened a group.
    """
    ranked = [int(row) for row in np.argsort(-values, kind="stable") if np.isfinite(values[row])]
    members: list[list[int]] = []
    for row in ranked:
        if not members or is_worse(row, members[-1][0]):
            members.append([])
        members[-1].append(row)
    groups: list[RankGroup | None] = [None] * len(values)
    above = 0
    for number, rows in enumerate(members, start=1):
        for row in rows:
            groups[row] = RankGroup(number, above + 1, above + len(rows))
        above += len(rows)
    return groups


def confidence_of_pairs(rows: int, level: float = 0.05) -> float:
    """Return the confidence of each interval that keeps ``level`` over all pairs of rows (Bonferroni).

    `rank_groups` compares only some pairs, but the scores choose which, so all count.

    >>> confidence_of_pairs(2), round(confidence_of_pairs(8), 5)
    (0.95, 0.99821)
    """
    return 1 - level / max(1, rows * (rows - 1) // 2)
