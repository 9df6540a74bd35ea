from __future__ import annotations

from collections import Counter
from itertools import combinations, permutations
from math import comb

import numpy as np
import pytest
from hypothesis import given, strategies as st

from k2eval.statistics import Vote, maj_at_k, majority_at_k, majority_curve, pass_at_k, supported

VOTES = st.lists(
    st.sampled_from(
        [Vote("7", True), Vote("7.0", True), Vote("8", False), Vote("9", False), Vote(None, False)]
    ),
    min_size=1,
    max_size=6,
)


@pytest.mark.parametrize("right", range(6))
def test_pass_at_k_is_the_share_of_subsets_with_a_right_run(right: int) -> None:
    scores = np.array([[1.0] * right + [0.0] * (5 - right)])
    for k, estimate in enumerate(pass_at_k(scores), start=1):
        subsets = list(combinations(scores[0], k))
        assert estimate.value == pytest.approx(sum(max(subset) for subset in subsets) / len(subsets))


def test_pass_at_k_does_not_overflow_for_many_runs() -> None:
    scores = np.zeros((1, 1024))
    scores[0, :3] = 1
    assert pass_at_k(scores)[511].value == pytest.approx(1 - comb(1021, 512) / comb(1024, 512))


def test_pass_at_1_is_the_average_and_the_curve_rises() -> None:
    scores = (np.random.default_rng(0).random((20, 8)) < 0.3).astype(float)
    curve = [estimate.value for estimate in pass_at_k(scores)]
    assert curve[0] == pytest.approx(scores.mean())
    assert curve == sorted(curve)


def test_pass_at_k_leaves_out_questions_with_fewer_runs() -> None:
    scores = np.array([[1.0, 0.0, 0.0], [1.0, 1.0, np.nan]])
    assert [estimate.questions for estimate in pass_at_k(scores)] == [2, 2, 1]


def test_a_curve_ends_where_too_few_questions_have_so_many_runs() -> None:
    scores = np.ones((20, 4))
    scores[:2, 3] = scores[:3, 2] = np.nan
    curve = pass_at_k(scores)
    assert [point.questions for point in curve] == [20, 20, 18, 17]
    assert supported(curve) == curve[:3]


def test_partial_credit_does_not_pass() -> None:
    assert pass_at_k(np.array([[0.9, 0.9]]))[1].value == 0


def simulated_majority(votes: list[Vote], k: int) -> float:
    """maj@k by brute force: every ordered draw of k runs, ties to the answer seen first."""
    wins = total = 0
    for draw in permutations(votes, k):
        answers = [
            "right" if vote.right else vote.answer for vote in draw if vote.right or vote.answer is not None
        ]
        counts = Counter(answers)  # keeps the order of first sight, and most_common is stable
        wins += bool(counts) and counts.most_common(1)[0][0] == "right"
        total += 1
    return wins / total


@given(VOTES)
def test_maj_at_k_is_the_share_of_ordered_draws_won(votes: list[Vote]) -> None:
    expected = [simulated_majority(votes, k) for k in range(1, len(votes) + 1)]
    np.testing.assert_allclose(majority_curve(votes), expected, atol=1e-12)


def test_without_votes_the_question_is_lost() -> None:
    assert majority_curve([Vote(None, False)] * 3).tolist() == [0, 0, 0]


def test_a_two_way_tie_is_worth_half() -> None:
    assert maj_at_k(["7", "8"], [1.0, 0.0]) == 0.5


def test_the_majority_beats_the_average_where_the_right_answer_leads() -> None:
    votes = [Vote("7", True)] * 9 + [Vote(str(wrong), False) for wrong in range(7)]
    curve = majority_curve(votes)
    assert curve[0] == pytest.approx(9 / 16)
    assert curve[-1] == 1


def test_128_runs_are_exact_in_floats() -> None:
    votes = [Vote("7", True)] * 64 + [Vote("8", False)] * 64
    assert majority_curve(votes)[[0, 126, 127]] == pytest.approx([0.5, 0.5, 0.5])


def test_the_curve_over_questions_has_intervals() -> None:
    curve = majority_at_k([[Vote("7", True)] * 3, [Vote("8", False)] * 3])
    assert [estimate.value for estimate in curve] == [0.5] * 3
    assert curve[0].questions == 2
