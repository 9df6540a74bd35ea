r"""Compare ratios a:b:c, and times of day, which are written alike.

A ratio is the same in any scale, 6:8:10 is 3:4:5, and one of two terms is also the quotient 3/4. A time of day is
neither: 7:05 is 7:5, but not 14:10.

    >>> same("3:4:5", "6:8:10"), same("1:2:3", "1:3:2"), same("2:3", r"\frac{2}{3}"), same("7:05", "14:10")
    (True, False, True, False)
"""

from __future__ import annotations

import itertools
import math
import re

from k2eval.grading.math import symbolic
from k2eval.grading.math.number import exact
from k2eval.grading.math.structure import split

# Matches ":"; not ";".
_COLON = re.compile(":")
_TIME = re.compile(r"\s*([01]?\d|2[0-4])\s*:\s*[0-5]\d\s*(?::\s*[0-5]\d\s*)?")
"""Matches 7:05, 12:00, 23:59:00 / not 3:4, 7:60."""
_TO = re.compile(r"(?<=\d)\s*(?:\\text\s*\{\s*to\s*\}|(?<=\s)to)\s*(?=\d)")
"""Matches the word in "3 to 4" / not in "x to y"."""
_MAX_TERMS = 20


def terms(text: str) -> list[str]:
    """Return the terms of the ratio ``text``; empty if it is none."""
    text = _TO.sub(":", text)
    if ":" not in text:
        return []
    parts = [part.strip() for _, part in split(text, _COLON)]
    return parts if 2 <= len(parts) <= _MAX_TERMS and all(parts) else []


def same(gold: str, answer: str) -> bool:
    """Return whether one of the two is a ratio and the other the same, in this or another scale."""
    ours, theirs = terms(gold), terms(answer)
    if not ours or not theirs:
        return _is_quotient(ours, answer) if ours else _is_quotient(theirs, gold)
    if len(ours) != len(theirs):
        return False
    if all(_equal(a, b) for a, b in zip(ours, theirs, strict=True)):
        return True
    if _TIME.fullmatch(gold) or _zero(ours) or _zero(theirs):
        return False
    return all(
        _equal(f"({a})({d})", f"({b})({c})")
        for (a, c), (b, d) in itertools.pairwise(zip(ours, theirs, strict=True))
    )


def _is_quotient(ratio: list[str], value: str) -> bool:
    if len(ratio) != 2 or _zero(ratio) or re.match(r"0\d", ratio[1]) or _is_clock(ratio):
        return False
    return _equal(rf"\frac{{{ratio[0]}}}{{{ratio[1]}}}", value)


def _is_clock(ratio: list[str]) -> bool:
    """Return whether 6:40 must be a time of day: as a ratio it would be written 3:20."""
    if not _TIME.fullmatch(":".join(ratio)):
        return False
    return math.gcd(*map(int, ratio)) > 1


def _zero(ratio: list[str]) -> bool:
    return any(exact(term) == 0 for term in ratio)


def _equal(a: str, b: str) -> bool:
    x, y = exact(a), exact(b)
    return x == y if x is not None and y is not None else symbolic.equal(a, b)
