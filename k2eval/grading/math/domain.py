r"""Compare what two answers say that their parameter may be: "c \in \mathbb{R}", "for any integer k", "n \ge 1".

>>> differ(r"f(x)=cx, c\in \mathbb{R}", r"f(x)=cx, c>0", "f(x)=cx", "f(x)=cx")
True
>>> differ(r"2^{n}, n\in \mathbb{N}", r"2^{n} \text{ for } n \ge 1", "2^{n}", "2^{n}")
False
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction

from k2eval.grading.math.equation import LETTER

_WORDS = re.compile(r"\\text\s*\{([^{}]*)\}")
"""Matches "\\text{ for }" / not "\\text{a_{1}}"."""
_MEMBER = re.compile(
    # Matches "a, b \in \mathbb{Z}^{+}" and "k \in \mathbb{Z}_{\ge 0}"; not "\mathbb{R} \setminus".
    r"((?<![a-zA-Z\\])[a-zA-Z](?:\s*,\s*[a-zA-Z])*)\s*\\in\s*\\mathbb\s*\{([NZQR])\}\s*(?:[_^]\s*(\{[^{}]*\}|[\w+*-]))?(?!\s*\\setminus)"
)
_BOUND = re.compile(
    r"(?<![a-zA-Z\\])([a-zA-Z])\s*(\\ge|\\le|\\ne|>|<)\s*(-?\s*\d+(?:/[1-9]\d*)?)(?![\d.a-zA-Z^\\])"
)
"""Matches "n \\ge 1" / not "n \\ge m"."""
_BOUND_IN_FRONT = re.compile(
    r"(?<![\w.}])(-?\s*\d+(?:/[1-9]\d*)?)\s*(\\ge|\\le|>|<)\s*([a-zA-Z])(?![a-zA-Z])"
)
"""Matches "1 \\le n" / not "m < n"."""
# Matches "positive integer", "nonzero real"; not "constant".
_TOLD = re.compile(
    r"(?i)\b(?:(positive|negative|non-?negative|non-?zero)\s+)?(integer|natural|whole|real|rational)s?\b"
)
_SETS = {"integer": "Z", "whole": "Z", "natural": "N", "real": "R", "rational": "Q"}
_SIGNS = {"positive": (">", 0), "negative": ("<", 0), "nonnegative": (r"\ge", 0), "nonzero": (r"\ne", 0)}
_MARKS = {
    "+": (">", 0),
    "*": (r"\ne", 0),
    "-": ("<", 0),
    r"\ge0": (r"\ge", 0),
    ">0": (">", 0),
    "0": (r"\ge", 0),
}
_REVERSED = {">": "<", "<": ">", r"\ge": r"\le", r"\le": r"\ge"}
_MAX_TAIL = 200


@dataclass(frozen=True, slots=True)
class _Range:
    """What a parameter may be."""

    kind: str = ""
    """N, Z, Q or R; empty if not told."""
    bounds: frozenset[tuple[str, Fraction]] = frozenset()
    """As (">", 0)."""

    def both(self, other: _Range) -> _Range:
        return _Range(self.kind or other.kind, self.bounds | other.bounds)


def differ(gold: str, answer: str, bare_gold: str, bare_answer: str) -> bool:
    """Return whether both sides tell what a parameter may be, and tell different things.

    Args:
        gold: The normalised gold.
        answer: The normalised answer.
        bare_gold: The gold without its qualifiers.
        bare_answer: The answer without its qualifiers.
    """
    ours, theirs = _ranges(gold, bare_gold), _ranges(answer, bare_answer)
    if len(ours) == len(theirs) == 1 and ours.keys() != theirs.keys():
        [(name, first)], [second] = ours.items(), theirs.values()
        return not _same(name, first, second)
    return any(not _same(name, ours[name], theirs[name]) for name in ours.keys() & theirs.keys())


def _ranges(text: str, bare: str) -> dict[str, _Range]:
    """Return what the qualifiers behind ``bare`` tell of each parameter; nothing of the argument of a function."""
    if not text.startswith(bare) or not 0 < len(text) - len(bare) <= _MAX_TAIL:
        return {}
    tail = text[len(bare) :]
    formulas, words = _WORDS.sub(" , ", tail), " ".join(_WORDS.findall(tail)) or tail
    ranges: dict[str, _Range] = {}

    def add(name: str, told: _Range) -> None:
        ranges[name] = ranges.get(name, _Range()).both(told)

    for names, kind, mark in _MEMBER.findall(formulas):
        sign = _MARKS.get(re.sub(r"[{}\s]", "", mark))
        if mark and sign is None:
            return {}
        if kind == "N" and sign:
            kind, sign = "Z", (r"\ge", 0) if sign[0] == r"\ge" else (">", 0)
        for name in LETTER.findall(names):
            add(name, _Range(kind, frozenset({(sign[0], Fraction(sign[1]))} if sign else ())))
    for name, sign, number in _BOUND.findall(formulas):
        add(name, _Range("", frozenset({(sign, Fraction(number.replace(" ", "")))})))
    for number, sign, name in _BOUND_IN_FRONT.findall(formulas):
        add(name, _Range("", frozenset({(_REVERSED[sign], Fraction(number.replace(" ", "")))})))
    told = _TOLD.findall(words)
    letters = set(LETTER.findall(formulas))
    if len(told) == 1:
        sign = _SIGNS.get(told[0][0].casefold().replace("-", ""))
        bounds = frozenset({(sign[0], Fraction(sign[1]))} if sign else ())
        for name in letters:
            add(name, _Range(_SETS[told[0][1].casefold()], bounds))
    left, equals, _ = bare.partition("=")
    own = set(re.findall(r"[a-zA-Z]", left)) if equals and re.search(r"[(_]", left) else set()
    return {name: told for name, told in ranges.items() if name not in own}


def _same(name: str, a: _Range, b: _Range) -> bool:
    is_whole = bool({a.kind, b.kind} & {"N", "Z"}) or (not (a.kind or b.kind) and name in "ijklmnpq")
    kinds = {kind.replace("N", "Z") for kind in (a.kind, b.kind) if kind}
    return len(kinds) < 2 and any(
        _limits(a, is_whole, first) == _limits(b, is_whole, second) for first in (0, 1) for second in (0, 1)
    )


def _limits(told: _Range, is_whole: bool, first: int) -> tuple[object, ...]:
    """Return the lower and upper limit of a range and what it leaves out; natural numbers start at ``first``."""
    low = [(value, sign == ">") for sign, value in told.bounds if sign in (">", r"\ge")]
    high = [(value, sign == "<") for sign, value in told.bounds if sign in ("<", r"\le")]
    if told.kind == "N":
        low.append((Fraction(first), False))
    if is_whole:
        low = [
            (Fraction(math.floor(value) + 1 if strict else math.ceil(value)), False) for value, strict in low
        ]
        high = [
            (Fraction(math.ceil(value) - 1 if strict else math.floor(value)), False) for value, strict in high
        ]
    lowest, highest = max(low, default=None), min(high, key=lambda end: (end[0], not end[1]), default=None)
    left_out = {
        value
        for sign, value in told.bounds
        if sign == r"\ne"
        and (lowest is None or (lowest[0], lowest[1]) <= (value, False))
        and (highest is None or (value, highest[1]) <= (highest[0], False))
    }
    return lowest, highest, frozenset(left_out)
