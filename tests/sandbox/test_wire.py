from __future__ import annotations

import contextlib
import json
import math
from typing import Any

import pytest
from hypothesis import given, strategies as st

from k2eval.sandbox import Opaque
from k2eval.sandbox.wire import MAX_DEPTH, Malformed, dumps, loads

hashable = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=5,
)
plain_data = st.recursive(
    hashable | st.complex_numbers(allow_nan=False) | st.integers(min_value=10**4400),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner)
        | st.dictionaries(hashable, inner, max_size=3)
        | st.sets(hashable, max_size=3)
    ),
    max_leaves=20,
)


def same(first: Any, second: Any) -> bool:
    return type(first) is type(second) and repr_of(first) == repr_of(second)


def repr_of(value: Any) -> object:
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [repr_of(item) for item in value]
    if isinstance(value, dict):
        return "dict", [(repr_of(key), repr_of(item)) for key, item in value.items()]
    if isinstance(value, (set, frozenset)):
        return type(value).__name__, sorted(str(repr_of(item)) for item in value)
    return type(value).__name__, hex(value) if isinstance(value, int) else repr(value)


@given(plain_data)
def test_round_trip(value: object) -> None:
    assert same(loads(dumps(value)), value)


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode()))
def test_reading_gives_a_value_or_malformed(data: bytes) -> None:
    with contextlib.suppress(Malformed):
        loads(data)


tags = st.sampled_from(
    [
        "tuple",
        "dict",
        "set",
        "frozenset",
        "int",
        "complex",
        "bytes",
        "range",
        "ndarray",
        "scalar",
        "sparse",
        "opaque",
        "x",
    ]
)
json_like = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats()
    | st.sampled_from(["", "<f8", "AAAA", "0x1", "csr"]),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(tags, inner, min_size=1, max_size=1),
    max_leaves=15,
)


@given(json_like)
def test_any_tagged_structure_is_read_or_refused(value: object) -> None:
    with contextlib.suppress(Malformed):
        loads(json.dumps(value).encode())


def test_nan_and_infinities() -> None:
    first, second = loads(dumps([math.nan, -math.inf]))
    assert math.isnan(first)
    assert second == -math.inf


def test_a_cycle_becomes_opaque_below_the_depth_limit() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    value = loads(dumps(cycle))
    for _ in range(MAX_DEPTH):
        value = value[0]
    assert isinstance(value, Opaque)


def test_a_lying_class_is_opaque() -> None:
    class Lies(int):
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = int.__hash__

    value = loads(dumps([Lies(3)]))
    assert value != [3]
    assert repr(value[0]).startswith("Opaque(")


def test_opaque_is_equal_to_nothing() -> None:
    mark = Opaque("x")
    others: list[object] = [mark, Opaque("x"), 0, None, "x"]
    assert not any(mark == other for other in others)
    assert all(mark != other for other in others)


@pytest.mark.parametrize("text", ["[1e999]", "[NaN]", "[1.0, 2]", '"\\ud800"'])
def test_what_json_itself_allows_is_read(text: str) -> None:
    loads(text.encode())


def test_keys_made_to_collide_are_refused_quickly() -> None:
    keys = [n * (2**61 - 1) for n in range(50_000)]
    with pytest.raises(Malformed, match="collide"):
        loads(b'{"set": ' + str(keys).encode() + b"}")
