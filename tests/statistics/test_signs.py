from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from k2eval.statistics.signs import Signs


@given(st.integers(1, 64), st.integers(1, 64), st.integers(1, 40))
def test_sums_that_tie_are_equal_to_the_last_bit(right: int, repeats: int, units: int) -> None:
    sums = Signs(400, units, np.random.default_rng(0)).sums(np.full((units, 1), right / repeats))[:, 0]
    size = sums[0] / units
    assert set(np.abs(sums) / size) <= set(np.arange(units + 1, dtype=float))


def test_the_sums_are_those_of_the_differences() -> None:
    gaps = np.random.default_rng(1).uniform(-1, 1, (500, 3))
    sums = Signs(50, 500, np.random.default_rng(0)).sums(gaps)
    assert sums.shape == (51, 3)
    assert sums[0] == pytest.approx(gaps.sum(axis=0), abs=0.02)


def test_signs_that_are_kept_as_bits_are_the_same() -> None:
    gaps = np.random.default_rng(1).uniform(-1, 1, (77, 2))
    plain, packed = (Signs(300, 77, np.random.default_rng(0), dense=dense) for dense in (10**9, 0))
    np.testing.assert_array_equal(plain.sums(gaps), packed.sums(gaps))


def test_no_difference_has_sums_of_zero() -> None:
    assert not Signs(10, 5, np.random.default_rng(0)).sums(np.zeros((5, 1))).any()
