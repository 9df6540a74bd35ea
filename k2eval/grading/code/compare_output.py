"""Compare two outputs, or two returned values, as LiveCodeBench does.

The rules are those of LiveCodeBench's own checker (``lcb_runner/evaluation/testing_util.py``, revision
28fef95):

* Output: surrounding white space is stripped, of the whole and of every line; the numbers of lines must
  agree; a line matches when it is equal as text, or when both lines consist of decimal numbers that are
  equal exactly. There is no tolerance: ``6.0`` is ``6``, ``0.30000000000000004`` is not ``0.3``, ``YES`` is
  not ``Yes``.
* Values: Python's ``==`` against the JSON value, where a tuple returned at the top counts as a list.

Values must be plain data that was decoded by us. An object of the program's own could claim to equal
anything. Sizes and shapes are compared before anything is made of them, so that a comparison costs no more than its two
sides: numpy would compare a column of four million numbers with four hundred values one by one.
"""

from __future__ import annotations

from decimal import Decimal, DecimalException
from fractions import Fraction
from typing import Any

from k2eval.records import Json

SHOWN = 120
"""Most characters of an input, an output or a line that a reason quotes."""


_NUMBERS_AND_TEXTS = (int, float, complex, str, bytes, Decimal, Fraction, type(None))
_NATURAL = {bool, int, float, str, type(None)}


def output_difference(got: str, expected: str) -> str | None:
    """Return the reason why the output ``got`` is not the ``expected`` one; None if it is.

    >>> output_difference("6.0 yes\\n", "6.0 yes") is None, output_difference("1 2.0", "1.0 2") is None
    (True, True)
    """
    if got == expected:
        return None
    got, expected = got.strip(), expected.strip()
    count, expected_count = got.count("\n") + 1, expected.count("\n") + 1
    if count != expected_count:
        return f"{_count(count)} of output, expected {_count(expected_count)}"
    for number, (mine, theirs) in enumerate(zip(got.split("\n"), expected.split("\n"), strict=True), 1):
        if mine != theirs and not _same_line(mine.strip(), theirs.strip()):
            return f"line {number} is {shorten(mine.strip())!r}, expected {shorten(theirs.strip())!r}"
    return None


def value_difference(got: object, expected: Json) -> str | None:
    """Return the reason why the returned value ``got`` is not the ``expected`` JSON value; None if it is."""
    value = list(got) if isinstance(got, tuple) and isinstance(expected, list) else got
    try:
        if not _is_array(value) and _same(value, expected):
            return None
    except (ValueError, TypeError, ArithmeticError) as error:
        return f"the value cannot be compared: {error}"
    return f"returned {shorten(_text(got))}, expected {shorten(_text(expected))}"


def _same(value: Any, expected: Json) -> bool:
    """Tell whether ``value == expected`` in Python, decided part by part, as deep as ``expected`` is."""
    if isinstance(expected, list):
        if _is_array(value):
            return _same_lone_item(value, expected)
        if not isinstance(value, list) or len(value) != len(expected):
            return False
        if set(map(type, value)) <= _NATURAL:
            return bool(value == expected)
        return all(_same(mine, theirs) for mine, theirs in zip(value, expected, strict=True))
    if isinstance(expected, dict):
        if not isinstance(value, dict) or len(value) != len(expected):
            return False
        return all(key in value and _same(value[key], theirs) for key, theirs in expected.items())
    if _is_array(value):
        return _same_lone_item(value, expected)
    return (isinstance(value, _NUMBERS_AND_TEXTS) or _is_number_of_numpy(value)) and bool(value == expected)


def _is_array(value: Any) -> bool:
    return type(value).__module__ == "numpy" and hasattr(value, "shape") and not _is_number_of_numpy(value)


def _is_number_of_numpy(value: Any) -> bool:
    return type(value).__module__ == "numpy" and type(value).__name__ != "ndarray" and value.shape == ()


def _same_lone_item(array: Any, expected: Json) -> bool:
    """Tell whether an array inside of a value equals ``expected``: only an array of one item has a truth value."""
    while isinstance(expected, list) and len(expected) == 1:
        expected = expected[0]
    return array.size == 1 and not isinstance(expected, list | dict) and bool(array.item() == expected)


def shorten(text: str, limit: int = SHOWN) -> str:
    """Shorten ``text`` to about ``limit`` characters by leaving out its middle."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]} …({len(text) - 2 * half} characters)… {text[-half:]}"


def _same_line(mine: str, theirs: str) -> bool:
    """Tell whether both lines are equal, or are decimal numbers, equal one by one. Signalling NaNs equal nothing."""
    if mine == theirs:
        return True
    expected = theirs.split()
    words = mine.split(None, len(expected))
    try:
        return len(words) == len(expected) and [Decimal(word) for word in words] == [
            Decimal(word) for word in expected
        ]
    except (DecimalException, ValueError):
        return False


def _count(lines: int) -> str:
    return "1 line" if lines == 1 else f"{lines} lines"


def _text(value: object) -> str:
    """Return the ``repr`` of a value; a value too deep or with too many digits is only named."""
    try:
        return repr(value)
    except (RecursionError, ValueError):
        return f"a {type(value).__name__} too large to show"
