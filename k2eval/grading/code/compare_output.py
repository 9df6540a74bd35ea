"""How LiveCodeBench decides that two outputs, or two returned values, are the same.

The rules are those of LiveCodeBench's own checker (``lcb_runner/evaluation/testing_util.py``, revision
28fef95):

* Output: surrounding white space is stripped, of the whole and of every line; the numbers of lines must
  agree; a line matches when it is equal as text, or when both lines consist of decimal numbers that are
  equal exactly. There is no tolerance: ``6.0`` is ``6``, ``0.30000000000000004`` is not ``0.3``, ``YES`` is
  not ``Yes``.
* Values: Python's ``==`` against the JSON value, where a tuple returned at the top counts as a list.

Values must be plain data that was decoded by us. An object of the program's own could claim to equal
anything.
"""

from __future__ import annotations

from decimal import Decimal, DecimalException

from k2eval.records import Json

SHOWN = 120
"""How many characters of an input, an output or a line a reason quotes at most."""


def output_difference(got: str, expected: str) -> str | None:
    """Why the output ``got`` is not the ``expected`` one, or None when it is."""
    got_lines = _lines(got)
    expected_lines = _lines(expected)
    if got_lines == expected_lines:
        return None
    if len(got_lines) != len(expected_lines):
        return f"{_count(len(got_lines))} of output, expected {_count(len(expected_lines))}"
    for number, (mine, theirs) in enumerate(zip(got_lines, expected_lines, strict=True), 1):
        if mine != theirs and not _same_decimals(mine, theirs):
            return f"line {number} is {shorten(mine)!r}, expected {shorten(theirs)!r}"
    return None


def value_difference(got: object, expected: Json) -> str | None:
    """Why the returned value ``got`` is not the ``expected`` JSON value, or None when it is."""
    value = list(got) if isinstance(got, tuple) else got
    try:
        same = value == expected
        # A number of numpy's compares to a truth value of numpy's; an array is none.
        if same is True or (type(same).__name__ in ("bool", "bool_") and bool(same)):
            return None
    except (RecursionError, ValueError, TypeError) as error:
        return f"the value cannot be compared: {error}"
    return f"returned {shorten(_text(value))}, expected {shorten(_text(expected))}"


def shorten(text: str, limit: int = SHOWN) -> str:
    """``text`` in at most about ``limit`` characters, with its middle left out if need be."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]} …({len(text) - 2 * half} characters)… {text[-half:]}"


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().split("\n")]


def _same_decimals(mine: str, theirs: str) -> bool:
    """Whether both lines are decimal numbers, equal one by one. Signalling NaNs equal nothing."""
    try:
        return [Decimal(word) for word in mine.split()] == [Decimal(word) for word in theirs.split()]
    except (DecimalException, ValueError):
        return False


def _count(lines: int) -> str:
    return "1 line" if lines == 1 else f"{lines} lines"


def _text(value: object) -> str:
    """``repr``, except that a value too deep or with too many digits to show is only named."""
    try:
        return repr(value)
    except (RecursionError, ValueError):
        return f"a {type(value).__name__} too large to show"
