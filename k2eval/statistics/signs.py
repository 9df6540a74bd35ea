"""Sums of differences with random signs, in which equal sums are equal to the last bit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from k2eval.statistics.estimate import Array

_EXACT = 2**23
"""Sum of whole numbers that float32 holds exactly, with room for their rounding."""
_DENSE = 64_000_000
"""Signs up to which they are kept as numbers; more are kept as bits, in a thirty-second of the memory."""
_BLOCK = 8_000_000
"""Signs that are unpacked at once."""


class Signs:
    """Random sign patterns of a number of units, the first of which leaves every sign as it is.

    Patterns whose sums tie must tie here, too: if a sum with some other signs came out smaller by a rounding error, the
    observed one would seem more extreme than it is. So differences are rounded to multiples of a power of 2, of which
    float32 holds all sums exactly. A test by flipped signs stays exact for differences that are rounded alike up and
    down.

    >>> signs = Signs(1000, 3, np.random.default_rng(0))
    >>> sums = signs.sums(np.full((3, 1), 0.7))[:, 0]
    >>> sorted({round(float(size), 5) for size in abs(sums)}), bool((abs(sums) <= sums[0]).all())
    ([0.7, 2.1], True)

    Args:
        draws: Number of random patterns.
        units: Number of units.
        rng: The source of the signs.
        dense: Signs up to which they are kept as numbers.
    """

    def __init__(self, draws: int, units: int, rng: np.random.Generator, dense: int = _DENSE) -> None:
        self._units = units
        rows = max(1, _BLOCK // max(units, 1))
        self._numbers: list[NDArray[np.float32]] = []
        self._bits: list[NDArray[np.uint8]] = []
        is_dense = (1 + draws) * units <= dense
        for start in range(0, 1 + draws, rows):
            bits = rng.integers(0, 2, (min(rows, 1 + draws - start), units), dtype=np.uint8)
            if start == 0:
                bits[0] = 1
            if is_dense:
                self._numbers.append(bits.astype(np.float32))
            else:
                self._bits.append(np.packbits(bits, axis=1))

    def sums(self, gaps: Array) -> Array:
        """Return the sum of each column under each pattern, the observed one first; shape (1 + draws, columns).

        Args:
            gaps: Differences of shape (units, columns).
        """
        unit = 2.0 ** np.ceil(np.log2(np.maximum(np.abs(gaps).sum(axis=0), np.finfo(float).tiny) / _EXACT))
        whole = np.round(gaps / unit).astype(np.float32)
        parts = [block @ whole for block in self._blocks()]
        sums = 2.0 * np.concatenate(parts).astype(np.float64) - whole.sum(axis=0, dtype=np.float64)
        result: Array = sums * unit
        return result

    def _blocks(self) -> Iterator[NDArray[np.float32]]:
        """Return the patterns, 1 for a sign that stays and 0 for one that turns, a block at a time."""
        yield from self._numbers
        for block in self._bits:
            yield np.unpackbits(block, axis=1, count=self._units).astype(np.float32)
