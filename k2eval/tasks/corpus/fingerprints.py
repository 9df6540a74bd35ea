"""Fingerprints of texts, by which parts of questions are found in large amounts of other text.

A text is reduced to its ASCII letters in lower case, its digits and its bytes outside of ASCII, without the blanks,
quotation marks, dashes and signs there that stand for those of ASCII. A fingerprint is a
polynomial hash of `SPAN` such bytes. Questions have one at every `STRIDE`-th byte; other texts are looked at from every
byte. So each copied piece of ``SPAN + STRIDE - 1`` bytes is found, wherever it begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

SPAN = 48
"""Bytes of a fingerprint, about ten words."""
STRIDE = 8

Hashes = NDArray[np.uint64]

_BASE = 0x9E3779B97F4A7C15
_KEPT = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789") | frozenset(range(128, 256))
_DROPPED = bytes(byte for byte in range(256) if byte not in _KEPT)
_MARKS = "".join(
    map(
        chr,
        # A blank that does not break, "«", a soft hyphen, "·", "»", "×" and "÷"; General Punctuation (quotation marks,
        # dashes, thin and invisible blanks); "−"; blanks and marks of CJK; a byte order mark; wide marks.
        (
            *(0xA0, 0xAB, 0xAD, 0xB7, 0xBB, 0xD7, 0xF7, 0x2212, 0xFEFF),
            *(*range(0x2000, 0x2070), *range(0x3000, 0x3004), *range(0xFF01, 0xFF10), *range(0xFF1A, 0xFF20)),
        ),
    )
)
"""What copies write in place of ASCII that does not count; no letters and no digits."""
_TWO, _THREE = (
    np.array(sorted(int.from_bytes(mark.encode()) for mark in _MARKS if len(mark.encode()) == size))
    for size in (2, 3)
)
"""The same in UTF-8, as numbers."""
_LEADS = np.isin(np.arange(256), [mark.encode()[0] for mark in _MARKS])
_FILTER_BITS = 24
_VALUES = np.random.default_rng(19).integers(1, 2**64, 256, dtype=np.uint64)
"""A random number for each byte, the same in every process."""
_LEAVING = _VALUES * np.uint64(pow(_BASE, SPAN, 1 << 64))


def reduced(text: str | bytes) -> bytes:
    r"""Return a text, or its bytes in UTF-8, as it is hashed.

    >>> reduced(r"Compute $\frac{1}{2} + X_0$."), reduced(b"A b")
    (b'computefrac12x0', b'ab')
    >>> reduced("Don’t – it\u00a0is") == reduced("Don't - it is")
    True
    """
    data = text if isinstance(text, bytes) else text.encode(errors="surrogatepass")
    kept = data.lower().translate(None, _DROPPED)
    return kept if kept.isascii() else _without_marks(kept)


def _without_marks(data: bytes) -> bytes:
    """Return bytes in UTF-8 without `_MARKS`, many times as fast as a regular expression."""
    found = np.frombuffer(data + b"\0\0", dtype=np.uint8)
    at = np.flatnonzero(_LEADS[found])
    two = (found[at].astype(np.int64) << 8) | found[at + 1]
    is_two, is_three = np.isin(two, _TWO), np.isin((two << 8) | found[at + 2], _THREE)
    out = np.concatenate([at[is_two], at[is_two] + 1, *(at[is_three] + place for place in range(3))])
    return np.delete(found, out)[:-2].tobytes() if len(out) else data


def hashes_of(data: bytes) -> Hashes:
    """Return the hash of every span of reduced bytes; shape (bytes - SPAN + 1,), empty for a shorter text."""
    everything = np.ones(1, dtype=np.bool_)
    _, found = _rolled()(np.frombuffer(data, dtype=np.uint8), _VALUES, _LEAVING, everything, np.uint64(63))
    return cast(Hashes, found)


def _roll(
    data: NDArray[np.uint8],
    values: Hashes,
    leaving: Hashes,
    wanted: NDArray[np.bool_],
    shift: np.uint64,
) -> tuple[NDArray[np.int64], Hashes]:
    """Return places and hashes of the spans whose hash a filter lets through.

    The hash of each span follows from that of the span before it (Karp and Rabin 1987).

    Args:
        data: Reduced bytes.
        values: The number of each byte; shape (256,).
        leaving: The same times the base to the power of `SPAN`, taken off for the byte that leaves the span.
        wanted: The filter, by the upper bits of a hash; a filter of one lets everything through.
        shift: Number of lower bits that the filter does not look at.
    """
    places = np.empty(max(len(data) - SPAN + 1, 0), dtype=np.int64)
    hashes = np.empty(len(places), dtype=np.uint64)
    count = 0
    value = np.uint64(0)
    for at in range(len(data)):
        value = value * np.uint64(_BASE) + values[data[at]]
        if at >= SPAN:
            value -= leaving[data[at - SPAN]]
        if at < SPAN - 1:
            continue
        mixed = value ^ (value >> np.uint64(29))
        if len(wanted) == 1 or wanted[mixed >> shift]:
            places[count] = at - SPAN + 1
            hashes[count] = mixed
            count += 1
    return places[:count], hashes[:count]


@cache
def _rolled() -> Any:
    """Return `_roll` compiled, which takes a second and makes it ten times as fast as vectors of NumPy."""
    from numba import njit

    return njit(nogil=True)(_roll)


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
        if not len(self._hashes):
            return []
        data = np.frombuffer(b"".join(documents), dtype=np.uint8)
        maybe, hashes = _rolled()(data, _VALUES, _LEAVING, self._filter, np.uint64(64 - _FILTER_BITS))
        ends = np.cumsum([len(document) for document in documents])
        document = np.searchsorted(ends, maybe, side="right")
        inside = document == np.searchsorted(ends, maybe + SPAN - 1, side="right")
        # A span that occurs often in a document counts once there, so that what follows stays small.
        spans = np.unique(np.stack([document[inside].astype(np.uint64), hashes[inside]], axis=1), axis=0)
        low, high = (np.searchsorted(self._hashes, spans[:, 1], side=side) for side in ("left", "right"))
        counts = high - low
        at = np.repeat(low - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
        owners = np.stack([self._owners[at], np.repeat(spans[:, 0], counts).astype(np.int64)], axis=1)
        pairs, found = np.unique(owners, axis=0, return_counts=True)
        return [
            (int(owner), int(place), float(count / self.sizes[owner]))
            for (owner, place), count in zip(pairs, found, strict=True)
        ]
