r"""Compare lists of numbers with dots: 1, 2, \ldots, 10 is \{1, 2, 3, \dots, 10\}.

>>> same(r"1,2,\ldots,10", r"\{1,2,3,\dots,10\}"), same(r"1,2,\ldots,10", r"1,2,\ldots,9")
(True, False)
>>> same(r"1,3,5,\ldots", r"1,3,\ldots")
False
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from k2eval.grading.math import symbolic
from k2eval.grading.math.latex import squeezed
from k2eval.grading.math.number import exact
from k2eval.grading.math.structure import parse

_DOTS = re.compile(r"\s*(?:\\(?:[lc]?dots[bcimo]?)(?![a-zA-Z])|\.{3}|…)\s*")
"""Matches the dots that are an item of a list / not those behind a sign."""
_SHORTEST = 3
"""Numbers without dots that are read as a progression."""


@dataclass(frozen=True, slots=True)
class Progression:
    """Numbers with equal steps between them."""

    first: int
    step: int
    last: str
    """The last number as written; empty if the numbers go on for ever."""


def same(gold: str, answer: str) -> bool:
    """Return whether one of the two is a list with dots and the other the same numbers."""
    if not (_DOTS.search(gold) or _DOTS.search(answer)):
        return False
    ours, theirs = read(gold), read(answer)
    if ours is None and theirs is None:
        return _as_written(gold) == _as_written(answer) != []
    if ours is None or theirs is None or (ours.first, ours.step) != (theirs.first, theirs.step):
        return False
    return (ours.last == "") == (theirs.last == "") and (
        ours.last == theirs.last or symbolic.equal(ours.last, theirs.last)
    )


def _as_written(text: str) -> list[str]:
    """Return the items of a list, with one kind of dots; empty if ``text`` is no list."""
    node = parse(text)
    items = node.items if node.kind in ("list", "set") else ()
    return ["..." if _DOTS.fullmatch(item.text) else squeezed(item.text) for item in items]


def read(text: str) -> Progression | None:
    """Return the progression that ``text`` lists; None if it lists none, or leaves the step open.

    Two numbers tell a step of 1, three tell any: "2, 4, ..." might go on with 8.
    """
    node = parse(text)
    if node.kind == "equation" and node.detail in ("=", r"\in"):
        node = node.items[-1]
    if node.kind not in ("list", "set"):
        return None
    items = [item.text.strip() for item in node.items]
    dots = [place for place, item in enumerate(items) if _DOTS.fullmatch(item)]
    if len(dots) > 1 or (dots and dots[0] < len(items) - 2):
        return None
    shown = [exact(item) for item in (items[: dots[0]] if dots else items)]
    numbers = [int(value) for value in shown if value is not None and value.denominator == 1]
    if len(numbers) < len(shown) or len(numbers) < (1 if dots else _SHORTEST):
        return None
    step = numbers[1] - numbers[0] if len(numbers) > 1 else 1
    if any(b - a != step for a, b in zip(numbers, numbers[1:], strict=False)):
        return None
    if step == 0 or (dots and len(numbers) < _SHORTEST and step != 1):
        return None
    last = items[-1] if dots and dots[0] == len(items) - 2 else ""
    if dots and len(numbers) == 1 and exact(last) is None:
        return None
    return Progression(numbers[0], step, last if dots else items[-1])
