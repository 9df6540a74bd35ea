from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from k2eval.statistics import (
    mean_absolute_error,
    mean_of,
    paired_means,
    rank_correlation,
    root_mean_square_error,
)

RNG = np.random.default_rng(0)


def test_the_interval_of_errors_is_clustered_by_question() -> None:
    once = RNG.normal(size=(40, 1))
    repeated = np.repeat(once, 8, axis=1)
    one, many = mean_absolute_error(once), mean_absolute_error(repeated)
    assert (many.low, many.high) == pytest.approx((one.low, one.high))
    assert (one.samples, many.samples) == (40, 320)


def test_the_interval_of_the_mean_error_holds_the_truth_in_19_of_20_cases() -> None:
    truth = float(np.sqrt(2 / np.pi))
    inside = 0
    for _ in range(400):
        estimate = mean_absolute_error(RNG.normal(size=(60, 2)))
        inside += estimate.low <= truth <= estimate.high
    assert 0.92 <= inside / 400 <= 0.98


def test_the_root_of_squares_is_that_of_questions_not_of_samples() -> None:
    errors = np.array([[3.0, 3.0, 3.0], [1.0, np.nan, np.nan]])
    assert root_mean_square_error(errors).value == pytest.approx(np.sqrt(5.0))


def test_an_interval_of_errors_does_not_reach_below_zero() -> None:
    estimate = root_mean_square_error(np.array([[0.0], [0.0], [3.0]]))
    assert estimate.low == 0.0 and estimate.high > estimate.value


def test_one_question_gives_no_interval_and_none_gives_nothing() -> None:
    assert np.isnan(mean_of(np.array([2.0])).high)
    assert mean_of(np.array([np.nan])).questions == 0


def test_the_rank_correlation_is_spearmans_with_ties() -> None:
    golds = RNG.integers(0, 8, 50).astype(float)
    readings = golds + RNG.normal(size=50).round()
    expected = stats.spearmanr(readings, golds).statistic
    assert rank_correlation(readings[:, None], golds).value == pytest.approx(expected)


def test_the_rank_correlation_of_repeats_is_their_mean_over_numbers_that_were_read() -> None:
    golds = np.arange(6, dtype=np.float64)
    readings = np.stack([golds, -golds], axis=1)
    readings[0, 0] = np.nan
    estimate = rank_correlation(readings, golds)
    assert estimate.value == pytest.approx(0.0) and estimate.samples == 11


def test_the_interval_of_the_rank_correlation_holds_the_truth_in_19_of_20_cases() -> None:
    rho = 0.6
    truth = 6 / np.pi * np.arcsin(rho / 2)  # Spearman's of a normal pair with correlation rho
    inside = 0
    for _ in range(400):
        golds = RNG.normal(size=80)
        readings = rho * golds + np.sqrt(1 - rho**2) * RNG.normal(size=80)
        estimate = rank_correlation(readings[:, None], golds)
        inside += estimate.low <= truth <= estimate.high
    assert 0.92 <= inside / 400 <= 0.985


def test_readings_that_are_all_the_same_have_no_rank() -> None:
    assert rank_correlation(np.ones((9, 2)), np.arange(9, dtype=np.float64)).questions == 0


def test_differences_of_errors_may_be_larger_than_one() -> None:
    first, second = np.array([5.0, 6.0, 9.0]), np.array([1.0, 1.5, 3.0])
    difference = paired_means(first, second, bounded=False)
    assert difference.low < difference.value < -4 and difference.high > difference.value


def test_equal_differences_of_errors_have_no_interval() -> None:
    means = np.array([5.0, 6.0, 9.0])
    assert np.isnan(paired_means(means, means, bounded=False).high)
