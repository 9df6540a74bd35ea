from __future__ import annotations

import numpy as np
from hypothesis import given, strategies as st

from k2eval.statistics.sequential import SequentialTest, draws_for, spending

DRAWS = 399


def _paths(gaps: np.ndarray, looks: list[int], seed: int) -> list[np.ndarray]:
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], (len(gaps), DRAWS))
    return [np.concatenate([[gaps[:drawn].sum()], gaps[:drawn] @ signs[:drawn]])[None] for drawn in looks]


def _rejects(gaps: np.ndarray, looks: list[int], level: float = 0.05, seed: int = 0) -> bool:
    test = SequentialTest(1, level)
    for drawn, path in zip(looks, _paths(gaps, looks, seed), strict=True):
        test.look(path, drawn / looks[-1])
    return test.boundary(0, level).rejected


@given(st.floats(0, 1), st.floats(0, 1))
def test_spending_never_falls(first: float, second: float) -> None:
    assert spending(min(first, second)) <= spending(max(first, second)) <= 1.0


def test_a_true_hypothesis_is_rejected_at_no_more_than_the_level() -> None:
    rng = np.random.default_rng(1)
    looks = list(range(4, 41, 4))
    rejected = [_rejects(rng.choice([-1.0, 0.0, 1.0], 40), looks, 0.1, seed) for seed in range(600)]
    assert np.mean(rejected) <= 0.1 + 2.6 * (0.1 * 0.9 / 600) ** 0.5


def test_a_clear_difference_is_rejected_before_the_end() -> None:
    assert _rejects(np.ones(40), [20, 40])
    test = SequentialTest(1)
    test.look(_paths(np.ones(40), [20], 0)[0], 0.5)
    assert test.boundary(0, 0.05).rejected


def test_a_rejection_stays() -> None:
    gaps = np.concatenate([np.ones(20), -np.ones(20)])
    test = SequentialTest(1)
    for drawn, path in zip((20, 40), _paths(gaps, [20, 40], 0), strict=True):
        test.look(path, drawn / 40)
    assert test.boundary(0, 0.05).rejected


def test_no_difference_at_all_is_never_rejected() -> None:
    assert not _rejects(np.zeros(40), [10, 20, 40])


def test_a_lower_level_rejects_no_more() -> None:
    rng = np.random.default_rng(2)
    for seed in range(50):
        gaps = rng.choice([-1.0, 0.0, 1.0, 1.0], 40)
        if _rejects(gaps, [10, 20, 30, 40], 0.01, seed):
            test = SequentialTest(1, 0.05)
            for drawn, path in zip((10, 20, 30, 40), _paths(gaps, [10, 20, 30, 40], seed), strict=True):
                test.look(path, drawn / 40)
            assert test.boundary(0, 0.05).rejected


def test_a_level_that_is_asked_for_late_looks_back() -> None:
    early, late = SequentialTest(1), SequentialTest(1)
    for drawn, path in zip((10, 20, 40), _paths(np.ones(40), [10, 20, 40], 3), strict=True):
        for test in (early, late):
            test.look(path, drawn / 40)
        early.boundary(0, 0.02)
    assert early.boundary(0, 0.02) == late.boundary(0, 0.02)


def test_all_looks_together_spend_the_level_exactly() -> None:
    """With looks at which every path differs, the removed paths are as many as the level allows."""
    paths = _paths(np.random.default_rng(4).normal(size=40), [10, 20, 30, 40], 5)
    removed = 0
    for index in range(DRAWS + 1):
        test = SequentialTest(1)
        for drawn, path in zip((10, 20, 30, 40), paths, strict=True):
            swapped = path.copy()
            swapped[0, [0, index]] = swapped[0, [index, 0]]
            test.look(swapped, drawn / 40)
        removed += test.boundary(0, 0.05).rejected
    assert removed == int(0.05 * (DRAWS + 1))


@given(st.integers(1, 60), st.sampled_from([0.01, 0.05, 0.1]), st.integers(1, 5000))
def test_draws_are_one_less_than_a_multiple(hypotheses: int, alpha: float, questions: int) -> None:
    draws = draws_for(hypotheses, alpha, questions)
    assert (draws + 1) % round(1 / alpha) == 0
    assert int(alpha / hypotheses * (draws + 1)) >= 1


def test_a_rejection_has_the_sign_of_its_look() -> None:
    test = SequentialTest(1)
    gaps = np.concatenate([-np.ones(20), np.ones(60)])
    for path in _paths(gaps, [20, 80], 0):
        test.look(path, 1.0)
        assert test.boundary(0, 0.05)[:2] == (True, -1.0)
