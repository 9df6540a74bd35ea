"""Reading costs at most a small multiple of the bytes, in memory and in time, whatever the tag."""

from __future__ import annotations

import base64
import json
import time
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from scipy import sparse

from k2eval.sandbox.wire import Budget, Malformed, dumps, loads

PRIME = 2**61 - 1
"""Python's hash of an integer is its remainder by this."""
TIMES, BESIDE = 45, 1 << 18
"""A set of five numbers takes 38 times the bytes that describe it, more than anything else that can be repeated."""
SECONDS_PER_BYTE = 4e-6


def cost(data: bytes) -> tuple[int, float]:
    """Peak of the memory, and processor time, of reading ``data``."""
    read(b'{"ndarray":["<f8",[1],"AAAAAAAAAAA="]}')  # modules are imported once in a process
    # A collection of other tests' garbage may fall into one of two.
    seconds = min(_seconds(data), _seconds(data))
    tracemalloc.start()
    try:
        read(data)
        return tracemalloc.get_traced_memory()[1], seconds
    finally:
        tracemalloc.stop()


def _seconds(data: bytes) -> float:
    start = time.thread_time()
    read(data)
    return time.thread_time() - start


def read(data: bytes) -> Any:
    try:
        return loads(data)
    except Malformed as error:
        return error


def assert_cheap(data: bytes) -> None:
    memory, seconds = cost(data)
    assert memory <= TIMES * len(data) + BESIDE, f"{memory} bytes of memory for {len(data)}: {data[:200]!r}"
    assert seconds <= SECONDS_PER_BYTE * len(data) + 0.3, f"{seconds:.2f} s for {len(data)}: {data[:200]!r}"


EMPTY, NUMBER = '{"ndarray":["<f8",[0],""]}', '{"ndarray":["<f8",[1],"AAAAAAAAAAA="]}'
PLACE = '{"ndarray":["<i4",[1],"AAAAAA=="]}'
SMALL = [
    *("[]", "[1]", "1", "12345", "1.5", '"a"', '"ab"', r'"\ud83d\ude00"', r'"\ud800"', "null", "NaN"),
    *('{"tuple":[]}', '{"tuple":[1,2]}', '{"set":[]}', '{"set":[1,2,3,4,5]}', '{"frozenset":[1,2,3,4,5]}'),
    *('{"dict":[]}', '{"dict":[[1,1]]}', '{"dict":[[1,1],[2,2],[3,3],[4,4],[5,5],[6,6]]}', '{"int":"0x1"}'),
    *(
        '{"complex":[1.0,1.0]}',
        '{"bytes":"YQ=="}',
        '{"bytearray":"YQ=="}',
        '{"range":[0,1,1]}',
        '{"opaque":"x"}',
    ),
    *(EMPTY, NUMBER, '{"scalar":["<f8",[],"AAAAAAAAAAA="]}', '{"ndarray":["<U1",[1],"YQAAAA=="]}'),
    f'{{"sparse":["coo",false,[16777216,1],{NUMBER},{PLACE},{PLACE}]}}',
    f'{{"sparse":["csr",true,[0,16777216],{EMPTY},{PLACE.replace("[1]", "[0]").replace("AAAAAA==", "")},{PLACE}]}}',
]


@pytest.mark.parametrize("value", SMALL)
def test_many_small_values_cost_a_small_multiple_of_their_bytes(value: str) -> None:
    assert not isinstance(read(f"[{value}]".encode()), Malformed)
    assert_cheap(f"[{','.join([value] * (200_000 // len(value)))}]".encode())


def ints(numbers: Any) -> str:
    return ",".join(map(str, numbers))


def tuples(length: int, count: int) -> str:
    return ",".join(f'{{"tuple":[{"0," * length}{number * PRIME},0]}}' for number in range(count))


def nested(depth: int, number: int) -> str:
    if depth == 0:
        return str(number * PRIME)
    return f'{{"frozenset":[{",".join(nested(depth - 1, 8 * number + item) for item in range(8))}]}}'


SET_OF_64 = f'{{"set":[{ints(n * PRIME for n in range(64))}]}}'
FLOATS = ",".join(repr(n * 2.0**61) for n in range(20_000))
COLLIDING = {
    "all": f'{{"set":[{ints(n * PRIME for n in range(40_000))}]}}',
    "half": f'{{"set":[{ints(n * PRIME for n in range(20_000))},{ints(range(20_001))}]}}',
    "late": f'{{"set":[{ints(range(40_000))},{ints(n * PRIME for n in range(20_000))}]}}',
    "negative": f'{{"frozenset":[{ints(-n * PRIME for n in range(20_000))}]}}',
    "powers": f'{{"set":[{ints((n << 61) - n for n in range(20_000))}]}}',
    "keys": f'{{"dict":[{",".join(f"[{n * PRIME},0]" for n in range(20_000))}]}}',
    "floats": f'{{"set":[{FLOATS},{ints(n * PRIME for n in range(10_000))}]}}',
    "many sets": f"[{','.join([SET_OF_64] * 500)}]",
    "long tuples": f'{{"set":[{tuples(500, 500)}]}}',
    "short tuples": f'{{"set":[{tuples(3, 20_000)}]}}',
    "nested sets": f'{{"set":[{",".join(nested(3, number) for number in range(60))}]}}',
}


@pytest.mark.parametrize("text", COLLIDING.values(), ids=COLLIDING.keys())
def test_keys_made_to_collide_cost_little(text: str) -> None:
    assert_cheap(text.encode())


def test_many_colliding_sets_share_one_allowance() -> None:
    data = f'{{"set":[{ints(n * PRIME for n in range(6000))}]}}'.encode()
    budget, start = Budget(), time.thread_time()
    with pytest.raises(Malformed, match="collide"):
        for _ in range(200):
            loads(data, budget)
    assert time.thread_time() - start < 3


@pytest.mark.parametrize(
    "keys",
    [
        set(range(300_000)),
        {n * 7919 for n in range(100_000)},
        {(n, m) for n in range(200) for m in range(200)},
        {frozenset((n, m, -1)) for n in range(100) for m in range(n)},
        {n / 7: str(n) for n in range(50_000)},
        {str(n): n for n in range(100_000)},
    ],
    ids=["range", "multiples", "pairs", "sets", "floats", "texts"],
)
def test_honest_sets_and_dictionaries_are_read(keys: Any) -> None:
    assert loads(dumps(keys)) == keys


def test_a_key_of_more_than_a_thousand_items_is_refused() -> None:
    with pytest.raises(Malformed, match="key too large"):
        loads(dumps({tuple(range(1100))}))


def test_a_sparse_matrix_pays_for_its_rows() -> None:
    declared = f'{{"sparse":["csr",false,[16777216,1],{NUMBER},{PLACE},{PLACE}]}}'
    with pytest.raises(Malformed, match="index pointer"):
        loads(declared.encode())
    assert_cheap(f"[{','.join([declared] * 16)}]".encode())


@pytest.mark.parametrize("form", ["csr", "csc", "coo", "lil", "dok", "bsr", "dia"])
@pytest.mark.parametrize("kind", [sparse.coo_matrix, sparse.coo_array])
def test_sparse_matrices_cross_the_wall(form: str, kind: Any) -> None:
    matrix = kind((np.array([1.0, 2.0, 3.0]), ([0, 2, 2], [1, 0, 3])), shape=(3, 4)).asformat(form)
    result = loads(dumps(matrix))
    assert (result.toarray() == matrix.toarray()).all()
    assert result.format == (form if form in ("csr", "csc", "coo") else "csr")
    assert isinstance(result, sparse.sparray) == isinstance(matrix, sparse.sparray)


@pytest.mark.parametrize(
    ("indices", "pointers"), [([5], [0, 1, 1]), ([-1], [0, 1, 1]), ([0], [0, 2, 1]), ([0], [1, 1, 1])]
)
def test_a_sparse_matrix_whose_parts_do_not_fit_is_refused(indices: list[int], pointers: list[int]) -> None:
    parts = [json.loads(dumps(np.array(part, "<i4"))) for part in (indices, pointers)]
    with pytest.raises(Malformed):
        loads(json.dumps({"sparse": ["csr", False, [2, 2], json.loads(dumps(np.ones(1))), *parts]}).encode())


def test_ranges_are_paid_by_their_length() -> None:
    assert len(loads(b'{"range":[0,1000000,1]}')) == 1_000_000
    with pytest.raises(Malformed, match="too many items"):
        loads(b"[" + b",".join([b'{"range":[0,1000000,1]}'] * 20) + b"]")


def test_a_run_gives_back_a_bounded_number_of_values() -> None:
    budget = Budget()
    budget.memory = 1 << 20
    with pytest.raises(Malformed, match="too many items"):
        for _ in range(2000):
            loads(b"1", budget)


def test_only_ascii_is_read() -> None:
    assert loads(dumps("é")) == "é"
    with pytest.raises(Malformed):
        loads('"é"'.encode())


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 100_000,
        b"0." + b"1" * 1_000_000,
        b"1" * 100_000 + b"e-100000",
        b"1e" + b"9" * 100_000,
        b'{"int":"' + b"f" * 1_000_000 + b'"}',
        b'"' + b"a" * 500_000 + rb'\ud83d\ude00"',
        b"{" + b",".join(b'"%d":1' % n for n in range(50_000)) + b"}",
        b'{"ndarray":["<U' + b"0" * 100_000 + b'1",[0],""]}',
        b'{"ndarray":["<U999999999",[1],""]}',
        b'{"ndarray":["<f8",[' + b"0," * 31 + b'16777216],""]}',
        b'{"ndarray":["<f8",[100000],"' + base64.b64encode(bytes(800_000)) + b'"]}',
        b'{"bytes":"' + b"=" * 1_000_000 + b'"}',
    ],
    ids=lambda data: data[:24].decode(),
)
def test_long_numbers_and_texts_cost_little(data: bytes) -> None:
    assert_cheap(data)


leaves = st.sampled_from([*SMALL, "0x1", '"<f8"', "2", "-1", "[]", str(PRIME), str(-PRIME), str(2 * PRIME)])
tags = st.sampled_from(
    [
        "tuple",
        "dict",
        "set",
        "frozenset",
        "complex",
        "range",
        "ndarray",
        "scalar",
        "sparse",
        "int",
        "bytes",
        "none",
    ]
)
grammar = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=6).map(lambda items: f"[{','.join(items)}]")
        | st.tuples(inner, st.integers(1, 30)).map(lambda pair: f"[{','.join([pair[0]] * pair[1])}]")
        | st.tuples(tags, inner).map(lambda pair: f'{{"{pair[0]}":{pair[1]}}}')
        | st.tuples(tags, st.lists(inner, max_size=8)).map(
            lambda pair: f'{{"{pair[0]}":[{",".join(pair[1])}]}}'
        )
    ),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(grammar)
def test_any_grammar_of_tags_is_cheap(text: str) -> None:
    assert_cheap(f"[{','.join([text] * (20_000 // len(text) + 1))}]".encode())


@pytest.mark.slow
@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(grammar, st.integers(1, 100_000))
def test_any_grammar_of_tags_is_cheap_at_length(text: str, size: int) -> None:
    assert_cheap(f"[{','.join([text] * (size // len(text) + 1))}]".encode())
