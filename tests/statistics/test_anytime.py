from __future__ import annotations

import numpy as np
import pytest

from k2eval.statistics import running_interval


@pytest.mark.parametrize("law", [(1, 1), (4, 0.4)])
def test_the_interval_holds_the_truth_at_all_moments_together(law: tuple[float, float]) -> None:
    rng = np.random.default_rng(0)
    misses = 0
    for _ in range(100):
        chances = rng.beta(*law, 30)
        sums, counts = np.zeros(30), np.zeros(30, dtype=np.intp)
        for index in range(30 * 8):
            sums[index % 30] += rng.random() < chances[index % 30]
            counts[index % 30] += 1
            low, high = running_interval(sums, counts, 240)
            if not low <= chances.mean() <= high:
                misses += 1
                break
    assert misses <= 10


def test_nothing_is_known_before_every_question_was_asked() -> None:
    assert running_interval(np.array([1.0, 0.0]), np.array([1, 0]), 8) == (0.0, 1.0)


def test_samples_that_are_being_made_widen_it_on_both_sides() -> None:
    sums, counts = np.full(30, 4.0), np.full(30, 8)
    low, high = running_interval(sums, counts, 480)
    lower, higher = running_interval(sums, counts, 480, pending=np.full(30, 2))
    assert lower < low < high < higher


def test_it_narrows_with_samples() -> None:
    widths = [np.diff(running_interval(np.full(30, n / 2), np.full(30, n), 960))[0] for n in (2, 8, 32)]
    assert widths[0] > widths[1] > widths[2]
