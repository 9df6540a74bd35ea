from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from k2eval.statistics import dominating, ratio, scores_within

COSTS = st.lists(st.tuples(st.integers(1, 5), st.integers(0, 5)), min_size=1, max_size=12)


def test_an_answer_that_ends_exactly_at_the_budget_counts() -> None:
    within = scores_within(np.array([[1.0, 1.0]]), np.array([[100, 101]]), 100)
    assert within.tolist() == [[1.0, 0.0]]


def test_a_missing_sample_stays_missing() -> None:
    assert np.isnan(scores_within(np.array([[np.nan]]), np.array([[10_000]]), 1)).all()


@given(st.integers(0, 1000), st.integers(0, 300), st.integers(0, 300))
def test_more_tokens_never_score_less(seed: int, one: int, other: int) -> None:
    rng = np.random.default_rng(seed)
    scores, tokens = rng.random((5, 4)), rng.integers(0, 300, (5, 4))
    few, many = (scores_within(scores, tokens, budget) for budget in sorted((one, other)))
    assert (few <= many).all()


def test_a_ratio_is_one_of_means_clustered_by_question() -> None:
    rng = np.random.default_rng(0)
    below = rng.uniform(50, 150, (40, 4))
    above = rng.random((40, 4))
    found = ratio(above, below)
    assert found.value == pytest.approx(above.mean() / below.mean())
    assert found.low < found.value < found.high


def test_a_ratio_with_one_cost_is_the_mean_over_it() -> None:
    scores = np.array([[1.0], [0.0], [1.0], [1.0]])
    found = ratio(scores, np.full((4, 1), 50.0))
    margin = 3.182446 * scores.std(ddof=1) / 2 / 50
    assert (found.value, found.high) == pytest.approx((0.015, 0.015 + margin))


def test_a_ratio_holds_the_truth_in_most_cases() -> None:
    """Right answers are shorter, as in reasoning; the truth is that of endless questions."""
    rng, held, draws = np.random.default_rng(1), 0, 1_000

    def drawn(questions: int) -> tuple[np.ndarray, np.ndarray]:
        chance = rng.beta(2, 1, (questions, 1))
        scores = (rng.random((questions, 8)) < chance).astype(float)
        return scores, rng.gamma(4, 200 - 100 * scores)

    truth = ratio(*drawn(200_000)).value
    for _ in range(draws):
        found = ratio(*drawn(40))
        held += found.low <= truth <= found.high
    assert 0.925 < held / draws < 0.975


def test_nothing_has_no_ratio() -> None:
    empty = np.full((3, 2), np.nan)
    assert np.isnan(ratio(empty, empty).value)
    assert np.isnan(ratio(np.ones((3, 2)), np.zeros((3, 2))).value)


@given(COSTS)
def test_the_frontier_is_what_nothing_dominates(points: list[tuple[int, int]]) -> None:
    costs, scores = ([point[side] for point in points] for side in (0, 1))
    found = dominating(costs, scores)
    assert any(other is None for other in found)
    for index, other in enumerate(found):
        better = [
            number
            for number in range(len(points))
            if (costs[number] <= costs[index] and scores[number] > scores[index])
            or (costs[number] < costs[index] and scores[number] == scores[index])
        ]
        assert (other is None) == (not better)
        if other is not None:
            assert other in better
            assert found[other] is None
