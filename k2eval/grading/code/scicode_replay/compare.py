"""The comparisons that SciCode's tests import, and numpy's, without their vacuous passes.

The rules follow ``scicode/compare/cmp.py`` at revision 588b406: relative tolerance 1e-5 and absolute 1e-8,
dictionaries by key, sequences item by item, sparse matrices as dense ones. One rule is ours: an empty
result is never close to a target that is not empty, although numpy's broadcasting says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from unittest import mock

import numpy as np
from scipy import sparse

MAX_ELEMENTS = 1 << 27
"""Elements that broadcasting two arrays may give; more is no comparison that a test intends."""

_allclose = np.allclose
_isclose = np.isclose


def are_dicts_close(
    mine: Mapping[Any, Any], theirs: Mapping[Any, Any], atol: float = 1e-8, rtol: float = 1e-5
) -> bool:
    """Whether two dictionaries have the same keys and close values."""
    if not isinstance(mine, Mapping) or mine.keys() != theirs.keys():
        return False
    return all(_close(mine[key], theirs[key], atol=atol, rtol=rtol) for key in mine)


def cmp_tuple_or_list(mine: Sequence[Any], theirs: Sequence[Any]) -> bool:
    """Whether two sequences are as long as each other and close item by item."""
    if len(mine) != len(theirs):
        return False
    return all(
        are_dicts_close(one, other) if isinstance(one, dict) else _close(one, other)
        for one, other in zip(mine, theirs, strict=True)
    )


def are_csc_matrix_close(mine: Any, theirs: Any) -> bool:
    """Whether two sparse matrices are close."""
    return guarded_allclose(mine.toarray(), theirs.toarray())


COMPARISONS = {
    "are_dicts_close": are_dicts_close,
    "cmp_tuple_or_list": cmp_tuple_or_list,
    "are_csc_matrix_close": are_csc_matrix_close,
}
"""What tests import from SciCode's module of comparisons."""


def _close(mine: Any, theirs: Any, **tolerance: float) -> bool:
    if isinstance(mine, str | bool):
        return bool(mine == theirs)
    if sparse.issparse(mine):
        return guarded_allclose(mine.toarray(), theirs.toarray(), **tolerance)
    try:
        return guarded_allclose(mine, theirs, **tolerance)
    except ValueError:
        return bool(mine == theirs)


def guarded_allclose(mine: Any, theirs: Any, **tolerance: Any) -> bool:
    """``numpy.allclose``, except that an empty array is close to empty ones only."""
    if not _comparable(mine, theirs):
        return False
    return bool(_allclose(mine, theirs, **tolerance))


def guarded_isclose(mine: Any, theirs: Any, **tolerance: Any) -> Any:
    """``numpy.isclose``, except that an empty array is close to empty ones only."""
    if not _comparable(mine, theirs):
        return np.False_
    return _isclose(mine, theirs, **tolerance)


def _comparable(mine: Any, theirs: Any) -> bool:
    first, second = np.asanyarray(mine), np.asanyarray(theirs)
    if (first.size == 0) != (second.size == 0):
        return False
    sides = np.broadcast_shapes(first.shape, second.shape)
    return int(np.prod(sides, dtype=np.float64)) <= MAX_ELEMENTS


@contextmanager
def guarded_numpy() -> Iterator[None]:
    """Puts the guarded comparisons into numpy while a test is replayed."""
    with (
        mock.patch.object(np, "allclose", guarded_allclose),
        mock.patch.object(np, "isclose", guarded_isclose),
    ):
        yield


def is_empty(value: Any) -> bool:
    """Whether a result holds nothing at all."""
    if isinstance(value, np.ndarray):
        return value.size == 0
    return isinstance(value, list | tuple | dict | set | frozenset) and len(value) == 0


def is_truth(target: Any) -> bool:
    """Whether a target consists of truth values only, and so says little about the results."""
    if isinstance(target, list | tuple):
        return all(is_truth(item) for item in target)
    return isinstance(target, bool | np.bool_) or (isinstance(target, np.ndarray) and target.dtype == bool)
