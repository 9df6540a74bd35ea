r"""Parts of the real line, read from every notation for them and compared exactly.

[0, 1), 0 <= x < 1, |x - 2| <= 1, x != 2, R \ {2}, "x < -1 or x > 1" and what unions and differences make of them. A
region is a test for membership and the numbers at which it changes. Two regions are the same if they agree at each of
these numbers, between neighbours, and beyond the outermost.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from k2eval.grading.math import leaf, symbolic
from k2eval.grading.math.interval import Node, as_interval, is_symbol
from k2eval.grading.math.size import fits
from k2eval.grading.math.structure import parse, split

Expr = Any
"""A sympy expression."""
Side = Callable[[Expr], int]
"""The place of a point: -1 below the given number, 0 at it, 1 above it."""

_MAX_ENDS = 100
# Matches "\setminus" and the minus of "\mathbb{R} - \{0\}"; not that of "x - 1".
_MINUS_SIGN = re.compile(r"(?<=\\mathbb\{R\})\s*-|\\(?:setminus|backslash)(?![a-zA-Z])")
# Matches "x < 1 or x > 2", "\cup", "\text{ or }"; not "for".
_OR = re.compile(
    r"\\text\s*\{[^{}]*\bor\b[^{}]*\}|(?<![a-zA-Z\\])(?:or|OR)(?![a-zA-Z])|\\(?:lor|vee|cup)(?![a-zA-Z])"
)
# Matches "\infty" and "-\infty"; not "2\infty".
_INFINITY = re.compile(r"([+-]?)\s*\\infty")


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """A part of the real line."""

    ends: tuple[Expr, ...]
    """The real numbers at which membership can change."""
    holds: Callable[[Side], bool]
    """Function that tells whether a point, given by its side of each number, belongs to the region."""
    name: str = ""
    """The variable that it bounds; empty if none is named."""


@lru_cache(maxsize=4096)
def read(node: Node) -> Region | None:
    """Return the region that ``node`` is; None if it is none, or has ends that are not numbers.

    A pair (a, b) is not taken for an interval here; see `read_part`.
    """
    if node.kind == "leaf":
        return _leaf(node.text)
    if node.kind == "interval":
        return _interval(node)
    if node.kind == "inequality":
        return _inequality(node)
    if node.kind in ("union", "list"):
        return _combination(node)
    return None


@lru_cache(maxsize=4096)
def read_part(node: Node) -> Region | None:
    """Read a part where a region is expected: a pair is an interval, braces hold single numbers."""
    if node.kind == "tuple" and len(node.items) == 2:
        return _interval(node)
    if node.kind == "equation" and node.detail == r"\in":
        return read_part(node.items[-1])
    if node.kind != "set":
        return read(node)
    known = [number for item in node.items[:_MAX_ENDS] if (number := _number(item)) is not None]
    if len(known) < len(node.items):
        return None
    return Region(tuple(known), lambda side: any(side(number) == 0 for number in known))


@symbolic.otherwise(False)
def same(gold: Region, answer: Region) -> bool:
    """Tell whether two regions have the same points, and bound the same variable if both name one."""
    if gold.name and answer.name and gold.name != answer.name:
        return False
    ends = _in_order((*gold.ends, *answer.ends))
    if ends is None:
        return False
    for place in range(2 * len(ends) + 1):

        def side(end: Expr, place: int = place) -> int:
            at = 2 * next(i for i, equals in enumerate(ends) if end in equals) + 1
            return (place > at) - (place < at)

        if gold.holds(side) != answer.holds(side):
            return False
    return True


def _in_order(ends: Iterable[Expr]) -> list[list[Expr]] | None:
    """Return the different numbers among ``ends`` from the lowest to the highest, equal ones together."""
    places = {end: end.evalf(50) for end in ends}
    if len(places) > _MAX_ENDS or not all(place.is_Number for place in places.values()):
        return None
    distinct = sorted(places, key=lambda end: places[end])
    groups: list[list[Expr]] = []
    for end in distinct:
        if groups and symbolic.numbers_equal(groups[-1][0], end):
            groups[-1].append(end)
        else:
            groups.append([end])
    return groups


# ------------------------------------------------------------------------------------------------ one bound or two


def _interval(node: Node) -> Region | None:
    interval = as_interval(node)
    if interval is None:
        return None
    brackets, low, high = interval
    if any(
        f"{sign}\\infty" == end.text.replace(" ", "") for sign, end in (("-", high), ("", low), ("+", low))
    ):
        return None
    lower = _bound(low, lambda at, side: side(at) > 0 or (side(at) == 0 and brackets[0] == "["))
    upper = _bound(high, lambda at, side: side(at) < 0 or (side(at) == 0 and brackets[1] == "]"))
    if lower is None or upper is None or _empty(lower, upper):
        return None
    return _merged([lower, upper], all)


def _bound(end: Node, holds: Callable[[Expr, Side], bool]) -> Region | None:
    """Return the region that one end of an interval bounds; all numbers if it is infinite."""
    if _INFINITY.fullmatch(end.text.strip()):
        return Region((), lambda side: True)
    at = _number(end)
    return None if at is None else Region((at,), lambda side: holds(at, side))


def _empty(lower: Region, upper: Region) -> bool:
    """Tell whether the ends are in the wrong order, so that the brackets are no interval."""
    return bool(lower.ends and upper.ends and lower.ends[0].evalf(50) > upper.ends[0].evalf(50))


def _inequality(node: Node) -> Region | None:
    """Return the region of a chain of relations with a single variable."""
    parts = [
        _relation(left, sign, right)
        for (left, right), sign in zip(itertools.pairwise(node.items), node.detail.split(), strict=True)
    ]
    known = [part for part in parts if part is not None]
    return _merged(known, all) if len(known) == len(parts) else None


def _relation(left: Node, sign: str, right: Node) -> Region | None:
    turned = {"<": ">", ">": "<", r"\le": r"\ge", r"\ge": r"\le"}
    for far, near, relation in ((right, left, sign), (left, right, turned.get(sign, sign))):
        if far.kind == "list" and sign == r"\ne":  # x != 1 or x != \pm 1
            parts = [_relation(near, sign, Node("leaf", item.text)) for item in far.items]
            known = [part for part in parts if part is not None]
            return _merged(known, all) if len(known) == len(parts) else None
        if _INFINITY.fullmatch(far.text.strip()) and is_symbol(near):
            is_below = "-" in far.text
            return (
                Region((), lambda side: True, near.text.strip())
                if (relation == ">") == is_below and relation in "<>"
                else None
            )
        limit = _number(far)
        if limit is not None:
            return _about(near, relation, limit)
    return None


@symbolic.otherwise(None)
def _about(near: Node, sign: str, limit: Expr) -> Region | None:
    """Return the region of x in "x < 2", "3 - x < 1" or "|2x - 1| < 3"."""
    import sympy

    expr = symbolic.parse(near.text) if near.kind == "leaf" else None
    if expr is None or not fits(expr) or len(expr.free_symbols) != 1:
        return None
    [variable] = expr.free_symbols
    scale, inner = expr.as_independent(variable, as_Add=False) if expr.has(sympy.Abs) else (sympy.S.One, expr)
    distance = isinstance(inner, sympy.Abs)
    line = inner.args[0] if distance else inner
    slope = line.diff(variable)
    if slope.free_symbols or not (_is_real(slope) and _is_real(scale)) or slope == 0 or scale <= 0:
        return None
    root = sympy.expand(-line.subs(variable, 0) / slope)
    reach = limit / scale / abs(slope)
    if distance:
        return _distance(root, reach, sign, str(variable.name))
    at = sympy.expand(root + limit / slope)
    upwards = slope > 0
    tests: dict[str, Callable[[int], bool]] = {
        "<": lambda place: place < 0,
        r"\le": lambda place: place <= 0,
        ">": lambda place: place > 0,
        r"\ge": lambda place: place >= 0,
        r"\ne": lambda place: place != 0,
    }
    if sign not in tests or not _is_real(at):
        return None
    return Region((at,), lambda side: tests[sign](side(at) if upwards else -side(at)), str(variable.name))


def _distance(middle: Expr, reach: Expr, sign: str, name: str) -> Region | None:
    """Return the points whose distance from ``middle`` is below, at, or above ``reach``."""
    import sympy

    low, high = sympy.expand(middle - reach), sympy.expand(middle + reach)
    if not (_is_real(low) and _is_real(high)):
        return None
    tests: dict[str, Callable[[Side], bool]] = {
        "<": lambda side: side(low) > 0 and side(high) < 0,
        r"\le": lambda side: side(low) >= 0 and side(high) <= 0,
        ">": lambda side: side(low) < 0 or side(high) > 0,
        r"\ge": lambda side: side(low) <= 0 or side(high) >= 0,
        r"\ne": lambda side: side(low) != 0 and side(high) != 0,
    }
    return Region((low, high), tests[sign], name) if sign in tests else None


@symbolic.otherwise(None)
def _number(node: Node) -> Expr | None:
    """Return the real number that ``node`` is; None if it is none."""
    value = symbolic.parse(node.text) if node.kind == "leaf" else None
    return value if value is not None and not value.free_symbols and _is_real(value) else None


def _is_real(expr: Expr) -> bool:
    return fits(expr) and bool(getattr(expr, "is_number", False) and expr.is_extended_real and expr.is_finite)


# ------------------------------------------------------------------------------------------------ several together


def _combination(node: Node) -> Region | None:
    r"""Return a union, or several conditions at once; bare bounds that exclude each other are meant as alternatives.

    "x \\in (0,4), x \\ne 1" are conditions; "x = -1 or 2 \\le x < 3" are alternatives, of which one is a point.
    """
    is_conditional = any(item.kind == "inequality" or item.detail == r"\in" for item in node.items)
    alternatives = _OR.search(node.text) is not None
    is_mixed = alternatives and any(item.kind in ("interval", "union") for item in node.items)
    if len(node.items) > _MAX_ENDS or (node.kind == "list" and not is_conditional and not is_mixed):
        return None
    if not alternatives and any(
        item.kind in ("equation", "leaf") and item.detail != r"\in" for item in node.items
    ):
        return None
    parts = [_point(item) or read_part(item) for item in node.items]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    excluding = all(item.detail in (r"\ne", r"\in") for item in node.items)
    if is_conditional and (excluding or not alternatives):
        together = _merged(known, all)
        if together is None or excluding or not same(together, Region((), lambda side: False)):
            return together
    return _merged(known, any)


def _point(node: Node) -> Region | None:
    """Return the one point that "x = -1" means."""
    if node.kind != "equation" or node.detail != "=" or len(node.items) != 2 or not is_symbol(node.items[0]):
        return None
    at = _number(node.items[1])
    return None if at is None else Region((at,), lambda side: side(at) == 0, node.items[0].text.strip())


def _leaf(text: str) -> Region | None:
    r"""Read a leaf: all real numbers, none, or "A \ B" of regions."""
    bare = text.strip()
    if leaf.read(bare).core in (leaf.REALS, leaf.NOTHING):
        everything = leaf.read(bare).core == leaf.REALS
        return Region((), lambda side: everything)
    if not _MINUS_SIGN.search(bare):
        return None
    pieces = [piece for _, piece in split(bare, _MINUS_SIGN)]
    parts = [read_part(parse(piece)) for piece in pieces if piece.strip()]
    known = [part for part in parts if part is not None]
    if len(known) < max(2, len(pieces)):
        return None
    whole, *without = known
    inside = whole.holds
    ends = tuple(end for part in known for end in part.ends)
    return Region(ends, lambda side: inside(side) and not any(part.holds(side) for part in without))


def _merged(parts: list[Region], how: Callable[[Iterable[bool]], bool]) -> Region | None:
    """Return the points in all, or in any, of ``parts``; None if they bound different variables."""
    names = {part.name for part in parts if part.name}
    if len(names) > 1:
        return None
    ends = tuple(end for part in parts for end in part.ends)
    return Region(ends, lambda side: how(part.holds(side) for part in parts), "".join(names))
