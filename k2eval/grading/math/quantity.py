"""Compare the leaves of answers: numbers, quantities with units, percentages, ratios, words."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

from k2eval.grading.math import leaf, ratio, symbolic, units
from k2eval.grading.math.latex import squeezed, without_thousands
from k2eval.grading.math.number import exact

_SIDE_BY_SIDE = re.compile(r"(?<![_^\w.}\\])\d+(?:\.\d+)?(?:\s+\d|\s*\{\s*\d)|^\{\s*\d+\s*\}\s*\{?\s*\d")
"""Matches numbers with no sign between them: "2 3", "{2}{3}" / not "2^{3}", "x_{2}"."""
_LAST_LETTERS = re.compile(r"([^a-zA-Z]*\d)\s*([a-zA-Z]+)")
"""Matches "5 m", "2.5s" / not "2x + 5"."""
_RADIANS = re.compile(r"\\pi(?![a-zA-Z])|\\arc(?:sin|cos|tan|cot)(?![a-zA-Z])")
"""Matches what makes a number an angle in radians: \\frac{\\pi}{3}, \\arccos\\frac12."""
_BARE_LOG = re.compile(r"\\log(?![a-zA-Z])(?!\s*_)")
"""Matches a logarithm without a base / not \\log_2."""


@lru_cache(maxsize=16384)
def same_leaf(gold: str, answer: str) -> bool:
    r"""Return whether two leaves mean the same value.

    >>> same_leaf(r"\frac{1}{2}", "50%"), same_leaf("7", "700%"), same_leaf(r"5\text{ m}", r"5\text{ cm}")
    (True, False, False)
    """
    a, b = leaf.read(without_thousands(gold)), leaf.read(without_thousands(answer))
    if a.unit.is_known and b.unit == units.NONE:
        b = _with_plain_unit(b, a.unit)
    if a.is_words or b.is_words:
        return a.core == b.core or squeezed(gold) == squeezed(answer) or _same_but_for_hyphens(gold, answer)
    if a.base or b.base:
        return a.core == b.core and (a.base == b.base or not b.base or (not a.base and b.base == "10"))
    if units.PERCENT in (a.unit, b.unit):
        return _same_percent(a, b)
    if ratio.terms(a.core) or ratio.terms(b.core):
        return not units.clash(a.unit, b.unit) and ratio.same(*_times(a, b))
    return _same_quantity(a, b)


def _same_but_for_hyphens(gold: str, answer: str) -> bool:
    """Return whether two words differ in a hyphen only: "counter-clockwise" and "counterclockwise"."""
    if ("-" in gold) == ("-" in answer):
        return False
    first, second = (re.sub(r"\\text|[\s{}-]", "", text).casefold() for text in (gold, answer))
    return first == second and first.isalpha()


def _with_plain_unit(answer: leaf.Leaf, gold: units.Unit) -> leaf.Leaf:
    """Return "5 m" with the last letter as its unit, if the gold has a unit of that kind."""
    match = _LAST_LETTERS.fullmatch(answer.core)
    unit = units.read(match[2]) if match else units.NONE
    return (
        leaf.Leaf(match[1], unit) if match and unit.is_known and unit.dimension == gold.dimension else answer
    )


def _times(gold: leaf.Leaf, answer: leaf.Leaf) -> tuple[str, str]:
    """Return two ratios or times of day; "8 PM" is 8:00."""
    is_hour = any(unit.text in ("am", "pm") for unit in (gold.unit, answer.unit))
    first, second = (
        f"{side.core}:00" if is_hour and side.core.isdigit() else side.core for side in (gold, answer)
    )
    units_of = (gold.unit.text, answer.unit.text)
    if "" in units_of and ("pm" in units_of or "am" in units_of):
        first, second = (_in_twelve_hours(side, "pm" in units_of) for side in (first, second))
    return first, second


def _in_twelve_hours(time: str, is_afternoon: bool) -> str:
    """Return "14:30" as "2:30", as it is written beside PM, and "0:30" as "12:30" beside AM."""
    hour, colon, minutes = time.partition(":")
    if is_afternoon and hour.isdigit() and 13 <= int(hour) < 24:
        return f"{int(hour) - 12}{colon}{minutes}"
    return f"12{colon}{minutes}" if not is_afternoon and hour.strip("0") == "" != hour else time


def _same_quantity(gold: leaf.Leaf, answer: leaf.Leaf) -> bool:
    """Return whether two numbers with units mean as much; a unit on one side only is taken for granted."""
    ours, theirs = units.settled(gold.unit, answer.unit)
    gold, answer = leaf.Leaf(gold.core, ours), leaf.Leaf(answer.core, theirs)
    if units.clash(ours, theirs):
        return False
    if gold.unit.is_angle and answer.unit.is_angle:
        return _same_value(_in_radians(gold), _in_radians(answer))
    for degrees, number in ((gold, answer), (answer, gold)):
        if degrees.unit == units.DEGREE and number.unit == units.NONE and _RADIANS.search(number.core):
            return _same_value(_in_radians(degrees), number.core)
    factor = units.ratio(gold.unit, answer.unit)
    if factor == 1:
        return _same_value(gold.core, answer.core)
    return _same_value(
        gold.core, rf"\frac{{{factor.numerator}}}{{{factor.denominator}}}\cdot ({answer.core})"
    )


def _in_radians(angle: leaf.Leaf) -> str:
    if angle.unit.dimension == units.DEGREE.dimension:
        return rf"({angle.core})\cdot\frac{{{angle.unit.factor.numerator}\pi}}{{{180 * angle.unit.factor.denominator}}}"
    return angle.core


def _same_percent(gold: leaf.Leaf, answer: leaf.Leaf) -> bool:
    if gold.unit.is_known or answer.unit.is_known:
        return False
    if gold.unit is answer.unit:
        return _same_value(gold.core, answer.core)
    if gold.unit is units.PERCENT:
        value = exact(gold.core)
        if value is not None and (value / 100).denominator == 1:
            return _same_value(gold.core, answer.core)
        return _same_value(gold.core, answer.core) or _same_value(
            rf"\frac{{{gold.core}}}{{100}}", answer.core
        )
    value = exact(gold.core)
    if value is not None and abs(value) >= 1 and (value.denominator == 1 or "." in gold.core):
        return _same_value(gold.core, answer.core)
    return _same_value(gold.core, rf"\frac{{{answer.core}}}{{100}}")


def _same_value(gold: str, answer: str) -> bool:
    if squeezed(gold) == squeezed(answer):
        return True
    a, b = exact(gold), exact(answer)
    if a is not None and b is not None:
        return a == b
    if any(v is None and _SIDE_BY_SIDE.search(text) for v, text in ((a, gold), (b, answer))):
        return False  # "2 3" is no number, though the parser would make one of it
    if symbolic.equal(_latex(gold, a), _latex(answer, b)):
        return True
    if (r"\ln" in gold) != (r"\ln" in answer):  # a bare logarithm is natural if the other side says so
        natural = [_BARE_LOG.sub(r"\\ln ", text) for text in (gold, answer)]
        return natural != [gold, answer] and symbolic.equal(*natural)
    return False


def _latex(text: str, value: Fraction | None) -> str:
    """Return ``text``, or its exact value if that is known: the parser would read 7 1/2 as 7/2."""
    if value is None or value.denominator == 1:
        return text if value is None else str(value.numerator)
    return rf"\frac{{{value.numerator}}}{{{value.denominator}}}"
