from __future__ import annotations

from math import inf

import numpy as np
import pytest
from hypothesis import given, strategies as st

from k2eval.statistics import (
    Estimand,
    PairNoise,
    detectable_difference,
    questions_needed,
    repeats_needed,
    sign_flip_p,
)

NOISE = st.builds(PairNoise, st.floats(0.01, 0.5), st.floats(0.0, 0.2))


def test_the_difference_shows_in_four_of_five_cases() -> None:
    rng = np.random.default_rng(0)
    chances = np.full(100, 0.5)
    size = detectable_difference(PairNoise(0.5, 0.0), 100, 4, Estimand.LIKE_THESE)
    shown = 0
    for _ in range(200):
        first, second = (rng.random((100, 4)) < (chances + gain)[:, None] for gain in (0.0, size))
        shown += sign_flip_p(second.mean(axis=1) - first.mean(axis=1), draws=500) < 0.05
    assert 0.7 <= shown / 200 <= 0.9


@given(NOISE, st.integers(2, 500), st.floats(0.005, 0.3), st.sampled_from(list(Estimand)))
def test_the_needed_repeats_suffice_and_one_less_does_not(
    noise: PairNoise, questions: int, difference: float, estimand: Estimand
) -> None:
    repeats = repeats_needed(noise, questions, difference, estimand)
    if repeats is None:
        assert detectable_difference(noise, questions, inf, estimand) >= difference * 0.99
        return
    assert detectable_difference(noise, questions, repeats, estimand) <= difference * (1 + 1e-6)
    if repeats > 1:
        assert detectable_difference(noise, questions, repeats - 1, estimand) > difference * (1 - 1e-6)


@given(NOISE, st.integers(1, 64), st.floats(0.005, 0.3))
def test_the_needed_questions_suffice(noise: PairNoise, repeats: int, difference: float) -> None:
    questions = questions_needed(noise, repeats, difference, Estimand.LIKE_THESE)
    assert detectable_difference(noise, questions, repeats, Estimand.LIKE_THESE) <= difference * (1 + 1e-6)


def test_two_runs_tell_both_parts_of_the_noise() -> None:
    rng = np.random.default_rng(1)
    chances = rng.uniform(0.2, 0.8, (2, 2000))
    noise = PairNoise.of_pair(*((rng.random((2000, 16)) < side[:, None]).astype(float) for side in chances))
    assert noise.repeats == pytest.approx(2 * (0.25 - 0.03), abs=0.02)
    assert noise.questions == pytest.approx(2 * 0.03, abs=0.01)


def test_a_run_with_one_repeat_tells_an_upper_bound() -> None:
    one = (np.random.default_rng(2).random((100, 1)) < 0.5).astype(float)
    assert PairNoise.of_run(one).repeats == pytest.approx(0.25, abs=0.01)


def test_one_repeat_of_each_question_does_not_tell_the_parts_of_the_noise() -> None:
    sides = [(np.random.default_rng(seed).random((400, 1)) < 0.5).astype(float) for seed in range(2)]
    noise = PairNoise.of_pair(*sides)
    assert noise.repeats + noise.questions == pytest.approx(0.5, abs=0.05)
    assert noise.questions == pytest.approx(0.1 * noise.repeats)


def test_the_noise_of_unequal_repeats_is_that_of_all_questions() -> None:
    """Half of the questions are certain and have four repeats; the others are open and have 64."""
    rng = np.random.default_rng(0)
    sides = [np.where(np.arange(400)[:, None] % 2, rng.random((400, 64)) < 0.5, 1.0) for _ in range(2)]
    for side in sides:
        side[::2, 4:] = np.nan
    assert PairNoise.of_pair(*sides).repeats == pytest.approx(0.25, abs=0.01)
