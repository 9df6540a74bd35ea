"""Exact rational values of plainly written numbers, so that most answers never reach computer algebra."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

_DIGITS = r"(?:\d+\.?\d*|\.\d+)"
# Matches "3", "3.5", ".5", "2e-3"; not "1,5".
_DECIMAL = re.compile(rf"({_DIGITS})(?:[eE]([+-]?\d{{1,3}}))?")
# Matches "3 \times 10^{-5}" and "3\cdot10^5"; not "10^5".
_SCIENTIFIC = re.compile(
    rf"({_DIGITS})\s*(?:\\times|\\cdot)\s*10\s*\^\s*(?:\{{\s*([+-]?\s*\d{{1,3}})\s*\}}|(\d))"
)
# Matches "\frac{1}{2}", "1/2", "(1/2)"; not "x/2".
_FRACTION = re.compile(
    rf"\\frac\s*\{{\s*([+-]?\s*{_DIGITS})\s*\}}\s*\{{\s*([+-]?\s*{_DIGITS})\s*\}}|\(?({_DIGITS})\s*/\s*({_DIGITS})\)?"
)
# Matches "1\frac{1}{2}" and "1 1/2"; not "11/2".
_MIXED = re.compile(r"(\d+)\s*(?:\\frac\s*\{\s*(\d+)\s*\}\s*\{\s*(\d+)\s*\}|\s(\d+)\s*/\s*(\d+))")
MAX_DIGITS = 3000
"""Longest number that is read; Python itself refuses beyond 4,300 digits, exponent included."""


@lru_cache(maxsize=8192)
def exact(text: str) -> Fraction | None:
    r"""Return the value of ``text`` if it is an integer, a decimal, a fraction, a mixed or a scientific number.

    Decimals are exact: 0.333333 is 333333/1000000 and not 1/3.

    >>> exact("0.5"), exact(r"\frac{3}{4}"), exact("7"), exact("x")
    (Fraction(1, 2), Fraction(3, 4), Fraction(7, 1), None)
    """
    bare = text.strip()
    if len(bare) > MAX_DIGITS:
        return None
    sign = 1
    while bare[:1] in ("+", "-"):
        sign = -sign if bare[0] == "-" else sign
        bare = bare[1:].strip()
    while bare.startswith("{") and bare.endswith("}") and bare.count("{") == 1:
        bare = bare[1:-1].strip()
    value = _unsigned(bare)
    return None if value is None else sign * value


def _unsigned(text: str) -> Fraction | None:
    if text.isascii() and text.isdigit():
        return Fraction(int(text))
    decimal = _DECIMAL.fullmatch(text)
    if decimal:
        return _ascii_fraction(decimal[1]) * Fraction(10) ** int(decimal[2] or 0)
    scientific = _SCIENTIFIC.fullmatch(text)
    if scientific:
        power = int((scientific[2] or scientific[3]).replace(" ", ""))
        return _ascii_fraction(scientific[1]) * Fraction(10) ** power
    fraction = _FRACTION.fullmatch(text)
    if fraction:
        top, bottom = (fraction[1] or fraction[3]), (fraction[2] or fraction[4])
        below = _ascii_fraction(bottom)
        return _ascii_fraction(top) / below if below else None
    mixed = _MIXED.fullmatch(text)
    if mixed:
        top, bottom = (mixed[2] or mixed[4]), (mixed[3] or mixed[5])
        if int(bottom) == 0:
            return None
        part = Fraction(int(top), int(bottom))
        return int(mixed[1]) + part if part < 1 else int(mixed[1]) * part
    return None


def _ascii_fraction(text: str) -> Fraction:
    return Fraction(text.replace(" ", "").removesuffix("."))
