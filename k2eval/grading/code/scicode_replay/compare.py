"""The comparisons that SciCode's tests import, and numpy's, without their vacuous passes.

The rules follow ``scicode/compare/cmp.py`` at revision 588b406: relative tolerance 1e-5 and absolute 1e-8,
dictionaries by key, sequences item by item, sparse matrices by their values. Three rules are ours. An empty
result is never close to a target that is not empty, although numpy's broadcasting says so. Arrays are compared only if
broadcasting makes them little larger than they are. Sparse matrices are compared without the zeros that neither
holds, and are close only if their shapes are the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from unittest import mock

import numpy as np
from scipy import sparse

ALWAYS_ELEMENTS, TIMES_ELEMENTS = 1 << 20, 4
"""Broadcasting may give so many elements, or as many as both sides hold together, times this."""

_allclose = np.allclose
_isclose = np.isclose


def are_dicts_close(
    mine: Mapping[Any, Any], theirs: Mapping[Any, Any], atol: float = 1e-8, rtol: float = 1e-5
) -> bool:
    """Tell whether two dictionaries have the same keys and close values."""
    if not isinstance(mine, Mapping) or mine.keys() != theirs.keys():
        return False
    return all(_close(mine[key], theirs[key], atol=atol, rtol=rtol) for key in mine)


def cmp_tuple_or_list(mine: Sequence[Any], theirs: Sequence[Any]) -> bool:
    """Tell whether two sequences are equally long and close item by item."""
    if len(mine) != len(theirs):
        return False
    return all(
        are_dicts_close(item, other) if isinstance(item, dict) else _close(item, other)
        for item, other in zip(mine, theirs, strict=True)
    )


def are_csc_matrix_close(mine: Any, theirs: Any) -> bool:
    """Tell whether two sparse matrices are close."""
    return _sparse_close(mine, theirs)


COMPARISONS = {
    "are_dicts_close": are_dicts_close,
    "cmp_tuple_or_list": cmp_tuple_or_list,
    "are_csc_matrix_close": are_csc_matrix_close,
}
"""The names that tests import from SciCode's module of comparisons."""


def _close(mine: Any, theirs: Any, **tolerance: float) -> bool:
    if isinstance(mine, str | bool):
        return bool(mine == theirs)
    if sparse.issparse(mine):
        return _sparse_close(mine, theirs, **tolerance)
    try:
        return guarded_allclose(mine, theirs, **tolerance)
    except ValueError:
        return _same(mine, theirs)


def _same(mine: Any, theirs: Any) -> bool:
    """Tell whether two values that are not regular arrays are equal, item by item so that nothing is broadcast."""
    if isinstance(mine, list | tuple):
        return (
            type(mine) is type(theirs)
            and len(mine) == len(theirs)
            and all(_same(item, other) for item, other in zip(mine, theirs, strict=True))
        )
    if isinstance(mine, dict):
        if not isinstance(theirs, dict) or mine.keys() != theirs.keys():
            return False
        return all(_same(mine[key], theirs[key]) for key in mine)
    if isinstance(mine, np.ndarray) or isinstance(theirs, np.ndarray):
        return np.shape(mine) == np.shape(theirs) and bool(np.all(mine == theirs))
    return bool(mine == theirs)


def _sparse_close(mine: Any, theirs: Any, **tolerance: Any) -> bool:
    """Tell whether two sparse matrices are close, by the values at the places that one of them holds."""
    if mine.shape != theirs.shape:
        return False
    places = []
    for matrix in (mine, theirs):
        entries = matrix.tocoo(copy=True)
        entries.sum_duplicates()
        places.append((entries.row.astype(np.int64) * matrix.shape[1] + entries.col, entries.data))
    union = np.union1d(places[0][0], places[1][0])
    return guarded_allclose(*(_spread(union, *held) for held in places), **tolerance)


def _spread(union: Any, places: Any, values: Any) -> Any:
    """Return the values at the places of ``union``: zero if a place is not among ``places``."""
    spread = np.zeros(union.shape, values.dtype)
    spread[np.searchsorted(union, places)] = values
    return spread


def guarded_allclose(mine: Any, theirs: Any, **tolerance: Any) -> bool:
    """Compare as ``numpy.allclose`` does, except that an empty array is close only to empty ones."""
    if not _comparable(mine, theirs):
        return False
    return bool(_allclose(mine, theirs, **tolerance))


def guarded_isclose(mine: Any, theirs: Any, **tolerance: Any) -> Any:
    """Compare as ``numpy.isclose`` does, except that an empty array is close only to empty ones."""
    if not _comparable(mine, theirs):
        return np.False_
    return _isclose(mine, theirs, **tolerance)


def _comparable(mine: Any, theirs: Any) -> bool:
    if _holds_text(mine) or _holds_text(theirs):  # an array gives every text the room of the longest
        raise TypeError("texts are not close to anything")
    first, second = np.asanyarray(mine), np.asanyarray(theirs)
    if (first.size == 0) != (second.size == 0):
        return False
    together = math.prod(np.broadcast_shapes(first.shape, second.shape))
    return bool(together <= max(ALWAYS_ELEMENTS, TIMES_ELEMENTS * (first.size + second.size)))


def _holds_text(value: Any) -> bool:
    if isinstance(value, list | tuple):
        kinds = set(map(type, value))
        return any(issubclass(kind, str | bytes | bytearray) for kind in kinds) or (
            any(issubclass(kind, list | tuple) for kind in kinds) and any(map(_holds_text, value))
        )
    return isinstance(value, str | bytes | bytearray)


@contextmanager
def guarded_numpy() -> Iterator[None]:
    """Put the guarded comparisons into numpy while a test is replayed."""
    with (
        mock.patch.object(np, "allclose", guarded_allclose),
        mock.patch.object(np, "isclose", guarded_isclose),
    ):
        yield


def is_empty(value: Any) -> bool:
    """Tell whether a result holds nothing."""
    if isinstance(value, np.ndarray):
        return value.size == 0
    return isinstance(value, list | tuple | dict | set | frozenset) and len(value) == 0


def is_truth(target: Any) -> bool:
    """Tell whether a target consists only of truth values, which say little about the results."""
    if isinstance(target, list | tuple):
        return all(is_truth(item) for item in target)
    return isinstance(target, bool | np.bool_) or (isinstance(target, np.ndarray) and target.dtype == bool)
