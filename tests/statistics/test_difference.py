from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy import stats

from k2eval.statistics import Difference, combine, holm, paired, paired_means, sign_flip_p, unpaired

GAPS = st.lists(st.sampled_from([-1.0, -0.5, -0.25, 0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=9)


def simulated(questions: int, runs: int, seed: int, shift: float = 0.0) -> np.ndarray:
    chance = np.clip(np.random.default_rng(seed).beta(0.7, 0.7, questions) + shift, 0, 1)
    draws = np.random.default_rng([seed, int(1000 * shift)]).random((questions, runs))
    return (draws < chance[:, None]).astype(float)


def test_a_paired_difference_has_scipys_interval() -> None:
    first, second = simulated(30, 16, 1), simulated(30, 8, 1, 0.1)
    difference = paired(first, second)
    expected = stats.ttest_rel(second.mean(axis=1), first.mean(axis=1)).confidence_interval(0.95)
    assert difference.value == pytest.approx(second.mean() - first.mean())
    assert (difference.low, difference.high) == pytest.approx((expected.low, expected.high))


def test_pairing_is_sharper_than_not_pairing() -> None:
    first, second = simulated(30, 16, 1), simulated(30, 16, 1, 0.05)
    assert paired(first, second).margin < 0.5 * unpaired(first, second).margin


def test_different_numbers_of_questions_cannot_be_paired() -> None:
    with pytest.raises(ValueError, match="same questions on both sides, got 30 and 29"):
        paired(simulated(30, 2, 1), simulated(29, 2, 1))


def test_questions_without_a_score_on_one_side_are_left_out() -> None:
    first, second = simulated(30, 2, 1), simulated(30, 2, 1, 0.1)
    first[3] = np.nan
    assert paired(first, second).questions == 29


def test_two_runs_that_fail_everything_may_still_differ() -> None:
    difference = paired(np.zeros((30, 16)), np.zeros((30, 16)))
    assert difference.p == 1
    assert difference.high == pytest.approx(1 - 0.025 ** (1 / 30))
    assert difference.low == -difference.high


def test_paired_intervals_cover_no_difference_in_93_to_97_percent() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(1500):
        chance = rng.beta(0.7, 0.7, (30, 1))
        first, second = ((rng.random((30, 16)) < chance).astype(float) for _ in range(2))
        difference = paired(first, second, test=False)
        hits += difference.low <= 0 <= difference.high
    assert 0.93 <= hits / 1500 <= 0.97


@given(GAPS)
def test_sign_flips_agree_with_scipys_permutation_test(gaps: list[float]) -> None:
    array = np.array(gaps)
    nonzero = array[array != 0]
    expected = 1.0
    if len(nonzero) > 1:
        expected = stats.permutation_test(
            (nonzero,), np.sum, permutation_type="samples", n_resamples=np.inf, vectorized=False
        ).pvalue
    assert sign_flip_p(array) == pytest.approx(expected)


def test_many_questions_are_tested_by_a_repeatable_simulation() -> None:
    gaps = np.random.default_rng(0).normal(0.02, 0.1, 200)
    p = sign_flip_p(gaps)
    assert p == sign_flip_p(gaps)
    assert p == pytest.approx(stats.ttest_1samp(gaps, 0).pvalue, abs=0.01)


def test_a_simulated_p_value_is_never_zero() -> None:
    assert sign_flip_p(np.ones(100), draws=1000) == pytest.approx(1 / 1001)


@given(GAPS)
def test_the_direction_of_a_difference_does_not_change_its_p_value(gaps: list[float]) -> None:
    assert sign_flip_p(np.array(gaps)) == pytest.approx(sign_flip_p(-np.array(gaps)))


def test_without_pairs_welchs_test_is_used() -> None:
    first, second = simulated(30, 16, 1), simulated(45, 16, 2)
    difference = unpaired(first, second)
    expected = stats.ttest_ind(second.mean(axis=1), first.mean(axis=1), equal_var=False)
    interval = expected.confidence_interval(0.95)
    assert difference.p == pytest.approx(expected.pvalue)
    assert (difference.low, difference.high) == pytest.approx((interval.low, interval.high))
    assert not difference.paired


def test_nothing_in_common_says_nothing() -> None:
    difference = paired(np.full((2, 2), np.nan), np.zeros((2, 2)))
    assert difference.questions == 0
    assert np.isnan(difference.p)


def test_holm_is_the_textbook_procedure() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_leaves_unknown_p_values_out_of_the_count() -> None:
    adjusted = holm([0.02, float("nan"), 0.5])
    assert adjusted[0] == pytest.approx(0.04)
    assert np.isnan(adjusted[1])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_never_lowers_a_p_value_and_keeps_their_order(values: list[float]) -> None:
    adjusted = holm(values)
    assert all(new >= old for old, new in zip(values, adjusted, strict=True))
    assert [adjusted[i] for i in np.argsort(values)] == sorted(adjusted)


def test_combining_weighs_differences() -> None:
    parts = [Difference(value, value - 0.1, value + 0.1, 0.05, 1, 0.15, 10, True) for value in (0.2, 0.0)]
    whole = combine(parts, [3, 1], p=0.5)
    assert whole.value == pytest.approx(0.15)
    assert whole.margin == pytest.approx(np.hypot(0.75 * 0.1, 0.25 * 0.1))
    assert (whole.questions, whole.p) == (20, 0.5)


@pytest.mark.parametrize(("questions", "share"), [(100, 0.03), (30, 0.11), (500, 0.01), (100, 0.06)])
def test_few_differences_never_make_a_narrow_interval(questions: int, share: float) -> None:
    """A t-interval of one lost question in 100 ends at 3 points, and the truth is worse in every sixth such case."""
    losses = np.random.default_rng(0).random((2000, questions)) < share
    missed = [paired_means(np.ones(questions), 1.0 - lost, test=False).low > -share for lost in losses]
    assert np.mean(missed) < 0.035


def test_an_interval_of_a_lost_question_is_no_narrower_than_one_of_none() -> None:
    lost = np.zeros((100, 1))
    none, lost[0] = paired(np.ones((100, 1)), np.ones((100, 1))), 1.0
    assert paired(np.ones((100, 1)), 1 - lost).low < none.low


def test_sides_without_spread_keep_their_own_intervals_if_unpaired() -> None:
    """All 30 questions half right against 30 all right: either side could be off, and both add up."""
    sides = np.full((30, 2), 0.5), np.ones((30, 2))
    sides[0][:, 0], sides[0][:, 1] = 0.0, 1.0
    difference = unpaired(*sides)
    assert difference.high - difference.low > 0.3
