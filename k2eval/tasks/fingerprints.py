"""Fingerprints of texts, by which parts of questions are found in large amounts of other text.

A text is reduced to its ASCII letters in lower case, its digits and its bytes outside of ASCII. A fingerprint is a
polynomial hash of `SPAN` such bytes. Questions have one at every `STRIDE`-th byte; other texts are looked at from every
byte. So each copied piece of ``SPAN + STRIDE - 1`` bytes is found, wherever it begins.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SPAN = 48
"""Bytes of a fingerprint, about ten words."""
STRIDE = 8

Hashes = NDArray[np.uint64]

_BASE = 0x9E3779B97F4A7C15
_KEPT = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789") | frozenset(range(128, 256))
_DROPPED = bytes(byte for byte in range(256) if byte not in _KEPT)
_FILTER_BITS = 24
_VALUES = np.random.default_rng(19).integers(1, 2**64, 256, dtype=np.uint64)
"""A random number for each byte, the same in every process."""


def reduced(text: str) -> bytes:
    r"""Return a text as it is hashed.

    >>> reduced(r"Compute $\frac{1}{2} + X_0$.")
    b'computefrac12x0'
    """
    return text.encode(errors="surrogatepass").lower().translate(None, _DROPPED)


def hashes_of(data: bytes) -> Hashes:
    """Return the hash of every span of reduced bytes; shape (bytes - SPAN + 1,), empty for a shorter text.

    Spans of 2, 4, 8, 16 and 32 bytes are hashed from those of half their size, and the last one from 32 and 16.
    """
    if len(data) < SPAN:
        return np.empty(0, dtype=np.uint64)
    sixteen = _doubled(_VALUES[np.frombuffer(data, dtype=np.uint8)], 4)
    thirty_two = sixteen[:-16] * _power(16) + sixteen[16:]
    whole: Hashes = thirty_two[:-16] * _power(16) + sixteen[32:]
    return whole ^ (whole >> np.uint64(29))


def _doubled(hashes: Hashes, times: int) -> Hashes:
    for step in (1 << number for number in range(times)):
        hashes = hashes[:-step] * _power(step) + hashes[step:]
    return hashes


def _power(exponent: int) -> np.uint64:
    return np.uint64(pow(_BASE, exponent, 1 << 64))


class Index:
    """The fingerprints of many texts."""

    def __init__(self, texts: Sequence[str]) -> None:
        hashes, owners = [], []
        for number, text in enumerate(texts):
            found = np.unique(hashes_of(reduced(text))[::STRIDE])
            hashes.append(found)
            owners.append(np.full(len(found), number, dtype=np.int64))
        together = np.concatenate([np.empty(0, dtype=np.uint64), *hashes])
        order = np.argsort(together, kind="stable")
        self._hashes = together[order]
        self._owners = np.concatenate([np.empty(0, dtype=np.int64), *owners])[order]
        self.sizes = np.bincount(self._owners, minlength=len(texts))
        """Number of fingerprints of each text; 0 if it is too short to be found."""
        self._filter = np.zeros(1 << _FILTER_BITS, dtype=bool)
        self._filter[self._places(self._hashes)] = True

    @staticmethod
    def _places(hashes: Hashes) -> Hashes:
        return hashes >> np.uint64(64 - _FILTER_BITS)

    def shares(self, documents: Sequence[bytes]) -> list[tuple[int, int, float]]:
        """Return (number of the text, number of the document, share of its fingerprints there) of all that share some.

        Args:
            documents: Reduced texts; they are hashed together, which is faster.
        """
        hashes = hashes_of(b"".join(documents))
        maybe = np.flatnonzero(self._filter[self._places(hashes)])
        if not len(maybe) or not len(self._hashes):
            return []
        ends = np.cumsum([len(document) for document in documents])
        inside = np.searchsorted(ends, maybe, side="right") == np.searchsorted(
            ends, maybe + SPAN - 1, side="right"
        )
        maybe = maybe[inside]
        low, high = (np.searchsorted(self._hashes, hashes[maybe], side=side) for side in ("left", "right"))
        counts = high - low
        at = np.repeat(low - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
        document = np.searchsorted(ends, np.repeat(maybe, counts), side="right")
        hits = np.unique(np.stack([document, at], axis=1), axis=0)
        pairs, found = np.unique(
            np.stack([self._owners[hits[:, 1]], hits[:, 0]], axis=1), axis=0, return_counts=True
        )
        return [
            (int(owner), int(place), float(count / self.sizes[owner]))
            for (owner, place), count in zip(pairs, found, strict=True)
        ]
