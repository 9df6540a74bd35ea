from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, strategies as st

from k2eval.sandbox.inside.natural import natural
from k2eval.sandbox.wire import Malformed, Opaque, dumps, loads


class Liar(int):
    """Claims to be equal to everything, and to be another number."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = int.__hash__

    def __int__(self) -> int:
        return 9

    __index__ = __int__


@given(st.integers())
def test_a_subclass_is_read_as_what_it_holds(number: int) -> None:
    value = natural(Liar(number))
    assert type(value) is int
    assert value == number


@given(st.fractions() | st.decimals(allow_nan=False, allow_infinity=False))
def test_fractions_and_decimals_cross_as_they_are(value: Fraction | Decimal) -> None:
    read = loads(dumps([value]))
    assert read == [value]
    assert type(read[0]) is type(value)


@pytest.mark.parametrize("value", [Decimal("1e5000"), Fraction(1, 1 << 20_000), Decimal("sNaN")])
def test_those_beyond_measure_are_opaque(value: object) -> None:
    assert isinstance(loads(dumps(value)), Opaque)


@pytest.mark.parametrize(
    "text",
    [
        '{"fraction": [1, 0]}',
        '{"fraction": [1, -2]}',
        '{"fraction": [1.0, 2]}',
        '{"fraction": [1]}',
        f'{{"fraction": [1, {{"int": "{hex(1 << 20_000)}"}}]}}',
        '{"decimal": "1e99999999"}',
        '{"decimal": "nan"}',
        '{"decimal": "x"}',
        '{"decimal": 1}',
        f'{{"decimal": "{"1" * 5000}"}}',
    ],
)
def test_other_fractions_and_decimals_are_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        loads(text.encode())


def test_objects_and_generators_stay_what_they_are() -> None:
    for value in (object(), (n for n in range(0)), len, Liar, NotImplemented):
        assert natural(value) is value
