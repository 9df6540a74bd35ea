from __future__ import annotations

import numpy as np
import pytest

from k2eval.statistics import rank_intervals, resample


def test_clear_differences_have_narrow_ranks() -> None:
    means = np.random.default_rng(0).random((50, 1)) * 0.2 + np.array([[0.1, 0.7, 0.4]])
    places = rank_intervals(means.mean(axis=0), resample(means))
    assert [tuple(place) for place in places if place] == [(3, 3, 3), (1, 1, 1), (2, 2, 2)]


def test_noise_has_wide_ranks() -> None:
    means = np.random.default_rng(0).random((30, 3))
    places = rank_intervals(means.mean(axis=0), resample(means))
    assert [place[1:] for place in places if place] == [(1, 3)] * 3


def test_equal_rows_share_the_better_rank() -> None:
    means = np.repeat(np.random.default_rng(0).random((30, 1)), 2, axis=1)
    assert [tuple(place) for place in rank_intervals(means.mean(axis=0), resample(means)) if place] == [
        (1, 1, 1)
    ] * 2


def test_rows_without_a_value_are_not_ranked() -> None:
    means = np.array([[0.5, np.nan, 0.1], [0.4, np.nan, 0.3]])
    places = rank_intervals(np.array([0.45, np.nan, 0.2]), resample(means))
    assert places[1] is None
    assert [place.rank for place in places if place] == [1, 2]


def test_rows_are_resampled_on_the_same_questions() -> None:
    means = np.random.default_rng(0).random((30, 1)) + np.array([[0.0, 0.1]])
    draws = resample(means)
    np.testing.assert_allclose(draws[:, 1] - draws[:, 0], 0.1)


def test_resampled_averages_spread_like_the_standard_error() -> None:
    means = np.random.default_rng(0).random((30, 1))
    assert resample(means, draws=5000).std() == pytest.approx(means.std() / np.sqrt(30), rel=0.05)
