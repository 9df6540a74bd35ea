from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, strategies as st

from k2eval.statistics import confidence_of_pairs, paired_means, rank_groups


def by_gap(values: list[float], least: float) -> list[tuple[int, ...] | None]:
    """Groups if a difference of at least ``least`` is shown."""
    groups = rank_groups(np.array(values), lambda row, best: values[best] - values[row] >= least)
    return [None if group is None else tuple(group) for group in groups]


def test_rows_near_the_best_share_its_places() -> None:
    assert by_gap([0.9, 0.5, 0.88, 0.86, 0.48], 0.1) == [
        (1, 1, 3),
        (2, 4, 5),
        (1, 1, 3),
        (1, 1, 3),
        (2, 4, 5),
    ]


def test_a_chain_of_small_steps_ends_with_the_first_difference_from_its_best() -> None:
    assert by_gap([9, 8, 7, 6], 2) == [(1, 1, 2), (1, 1, 2), (2, 3, 4), (2, 3, 4)]


def test_a_row_below_one_that_is_worse_never_joins_the_group_above() -> None:
    """The third row is not shown to be worse than the first, for example since it shares few questions with it."""
    values = np.array([0.9, 0.8, 0.7])
    groups = rank_groups(values, lambda row, best: (row, best) == (1, 0))
    assert [group.group for group in groups if group] == [1, 2, 2]


def test_rows_without_a_value_are_in_no_group() -> None:
    assert by_gap([0.5, float("nan"), 0.1], 0.2) == [(1, 1, 1), None, (2, 2, 2)]


def test_nothing_has_no_groups() -> None:
    assert rank_groups(np.array([]), lambda row, best: True) == []


@given(st.lists(st.floats(0, 1), max_size=12), st.floats(0.01, 0.5))
def test_groups_part_the_places_in_the_order_of_the_values(values: list[float], least: float) -> None:
    groups = rank_groups(np.array(values), lambda row, best: values[best] - values[row] >= least)
    found = {group for group in groups if group}
    places = sorted(found)
    assert [group.group for group in places] == list(range(1, len(places) + 1))
    assert [place for group in places for place in range(group.low, group.high + 1)] == list(
        range(1, len(values) + 1)
    )
    for group in places:
        assert sum(other == group for other in groups) == group.high - group.low + 1
    ordered = sorted(zip(values, groups, strict=True), key=lambda both: -both[0])
    assert all(
        above[1].group <= below[1].group for above, below in pairwise(ordered) if above[1] and below[1]
    )


@pytest.mark.parametrize(("rows", "pairs"), [(1, 1), (2, 1), (3, 3), (10, 45)])
def test_all_pairs_share_the_level(rows: int, pairs: int) -> None:
    assert confidence_of_pairs(rows) == pytest.approx(1 - 0.05 / pairs)


def test_equal_rows_are_parted_in_at_most_one_table_of_twenty() -> None:
    rng, parted, tables, rows = np.random.default_rng(0), 0, 400, 8
    confidence = confidence_of_pairs(rows)
    for _ in range(tables):
        means = rng.binomial(4, rng.beta(2, 2, (40, 1)), (40, rows)) / 4

        def is_worse(row: int, best: int, means: np.ndarray = means) -> bool:
            return paired_means(means[:, best], means[:, row], confidence, test=False).high < 0

        groups = rank_groups(means.mean(axis=0), is_worse)
        parted += len({group.group for group in groups if group}) > 1
    assert parted / tables < 0.05 + 3 * np.sqrt(0.05 * 0.95 / tables)
