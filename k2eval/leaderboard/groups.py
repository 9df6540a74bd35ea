"""Rank groups: the rows of a column that cannot be told apart share their places."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isclose

import numpy as np

from k2eval.leaderboard.columns import Benchmark, Row
from k2eval.statistics import Difference, confidence_of_pairs, paired_means, rank_groups


def add_groups(
    rows: Sequence[Row], name: str, values: Mapping[int, float], gap: Callable[[int, int, float], Difference]
) -> None:
    """Add the group, its places and the standing of each ranked row; nothing if fewer than two are ranked.

    Args:
        rows: All rows.
        name: The column.
        values: Scores of the ranked rows, by their index.
        gap: From two indices and a confidence to the paired difference, the second row minus the first.
    """
    if len(values) < 2:
        return
    confidence = confidence_of_pairs(len(values))
    indices = list(values)

    def is_worse(row: int, best: int) -> bool:
        return gap(indices[best], indices[row], confidence).high < 0

    best = max(values.values())
    groups = rank_groups(np.array(list(values.values())), is_worse)
    for index, place in zip(indices, groups, strict=True):
        if place is not None:
            near = "near" if place.group == 1 else ""
            rows[index].record.update(
                {
                    f"{name}_group": place.group,
                    f"{name}_rank_low": place.low,
                    f"{name}_rank_high": place.high,
                    f"{name}_standing": "best" if isclose(values[index], best) else near,
                }
            )


def add_groups_of(rows: Sequence[Row], benchmark: Benchmark) -> None:
    """Group the rows of one benchmark: those that are finished, and were asked the same questions.

    Of errors less is better, so they are ranked by their negatives.
    """
    sign = 1 if benchmark.error_unit is None else -1
    means = sign * benchmark.means
    estimates = {index: rows[index].estimates[benchmark.name] for index in benchmark.ranked}
    # Of equal scores, that over the most questions stands first: it can show the most.
    order = sorted(estimates, key=lambda index: -estimates[index].questions)
    values = {index: sign * estimates[index].value for index in order if estimates[index].questions}

    def gap(first: int, second: int, confidence: float) -> Difference:
        return paired_means(means[:, first], means[:, second], confidence, test=False, bounded=sign > 0)

    add_groups(rows, benchmark.name, values, gap)
