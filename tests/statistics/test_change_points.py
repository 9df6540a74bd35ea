from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from k2eval.statistics import change_points


def series(levels: list[float], questions: int, seed: int, noise: float = 0.2) -> np.ndarray:
    rng = np.random.default_rng(seed)
    hardness = rng.normal(0, 0.2, questions)
    return np.array(levels)[:, None] + hardness + rng.normal(0, noise, (len(levels), questions))


def test_equal_runs_have_no_change() -> None:
    assert change_points(np.tile(np.linspace(0, 1, 30), (6, 1))) == []


def test_one_run_has_no_change() -> None:
    assert change_points(np.zeros((1, 30))) == []


def test_a_rise_and_a_fall_are_both_found() -> None:
    found = change_points(series([0.3] * 4 + [0.6] * 4 + [0.4] * 4, 40, 1))
    assert [change.index for change in found] == [4, 8]
    assert [round(change.difference, 1) for change in found] == [0.3, -0.2]


def test_the_hardness_of_questions_hides_no_change() -> None:
    """Questions differ by far more than the runs do; the test is paired."""
    rng = np.random.default_rng(3)
    means = np.tile(rng.uniform(0, 1, 200), (6, 1)) + rng.normal(0, 0.02, (6, 200))
    means[3:] += 0.01
    assert [change.index for change in change_points(means)] == [3]


def test_a_series_without_a_change_rarely_has_one() -> None:
    """At most one in twenty, however many splits there are: 12 of 120 would be far beyond chance."""
    assert sum(bool(change_points(series([0.5] * 20, 25, seed))) for seed in range(120)) < 12


def test_few_questions_prove_nothing() -> None:
    assert change_points(np.repeat([[0.0] * 4, [1.0] * 4], 3, axis=0)) == []


def test_a_question_that_one_run_lacks_counts_nowhere_in_that_part() -> None:
    means = series([0.3] * 4 + [0.6] * 4, 40, 2)
    means[2, :10] = np.nan
    means[5, 0] = 1e6  # of a question that does not count
    assert [change.index for change in change_points(means)] == [4]


def test_runs_without_common_questions_have_no_change() -> None:
    means = np.full((4, 10), np.nan)
    means[:2, :5], means[2:, 5:] = 0.0, 1.0
    assert change_points(means) == []


def test_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        change_points(np.zeros(3))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 8), st.integers(2, 40))
def test_a_mirrored_series_has_mirrored_changes(seed: int, runs: int, questions: int) -> None:
    rng = np.random.default_rng(seed)
    means = series(list(rng.choice([0.2, 0.5, 0.9], runs)), questions, seed)
    forth, back = change_points(means), change_points(means[::-1])
    assert [change.index for change in forth] == [runs - change.index for change in reversed(back)]
    assert [change.difference for change in forth] == pytest.approx(
        [-change.difference for change in reversed(back)]
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.1, 10), st.floats(-5, 5))
def test_changes_do_not_depend_on_the_scale(seed: int, factor: float, shift: float) -> None:
    means = series([0.2, 0.2, 0.5, 0.5, 0.5], 20, seed)
    assert [change.index for change in change_points(means)] == [
        change.index for change in change_points(factor * means + shift)
    ]
