"""Intervals of real numbers, in all the ways in which answers write them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from k2eval.grading.number import exact

Kind = Literal[
    "leaf", "list", "set", "tuple", "vector", "interval", "union", "matrix", "equation", "inequality"
]

_REALS = r"\mathbb{R}"
_INFINITY = r"\infty"
_ABSOLUTE = re.compile(r"\|\s*([a-vxy])\s*\|")
_WITHOUT = re.compile(r"\\mathbb\{R\}\s*(?:\\(?:setminus|backslash)(?![a-zA-Z])|-)\s*(?=[\[(])")
_TURNED = {"<": ">", ">": "<", r"\le": r"\ge", r"\ge": r"\le"}
_OUTWARD = re.compile(r"([\[\]])(\s*[^\[\],\s][^\[\],]*,[^\[\],]*[^\[\],\s]\s*)([\[\]])")


@dataclass(frozen=True, slots=True)
class Node:
    """One level of an answer."""

    kind: Kind
    text: str
    """The whole of it, as normalised."""
    items: tuple[Node, ...] = ()
    """Elements, ends of an interval, rows of a matrix, or the sides of a relation."""
    detail: str = ""
    """For an interval its two brackets; for a relation its signs."""


def inward(text: str) -> str:
    """``text`` with open ends written as round brackets: ]a, b[ is (a, b)."""
    if text[:1] not in ("[", "]"):
        return text
    return _OUTWARD.sub(lambda m: ("(" if m[1] == "]" else "[") + m[2] + (")" if m[3] == "[" else "]"), text)


def unbounded(node: Node) -> Node:
    """``node``, or the real numbers if it is the interval without ends."""
    found = as_interval(node)
    ends = found and tuple(end.text.replace(" ", "").removeprefix("+") for end in found[1:])
    return Node("leaf", _REALS) if ends == (r"-\infty", r"\infty") else node


def as_interval(node: Node) -> tuple[str, Node, Node] | None:
    """Brackets and ends of ``node`` read as an interval: [a, b), a < x < b, x > a, or the pair (a, b)."""
    if node.kind == "interval":
        return node.detail, node.items[0], node.items[1]
    if node.kind == "tuple" and len(node.items) == 2:
        return "()", node.items[0], node.items[1]
    if node.kind != "inequality":
        return None
    signs = node.detail.split()
    items = list(node.items)
    if all(sign in (">", r"\ge") for sign in signs):
        items.reverse()
        signs = [{">": "<", r"\ge": r"\le"}[sign] for sign in reversed(signs)]
    if not all(sign in ("<", r"\le") for sign in signs):
        return None
    if len(items) == 3 and is_symbol(items[1]):
        return _bracket(signs[0], "[(") + _bracket(signs[1], "])"), items[0], items[2]
    if len(items) == 2 and is_symbol(items[0]) and not is_symbol(items[1]):
        return "(" + _bracket(signs[0], "])"), Node("leaf", r"-\infty"), items[1]
    if len(items) == 2 and is_symbol(items[1]):
        return _bracket(signs[0], "[(") + ")", items[0], Node("leaf", r"\infty")
    return None


def by_distance(node: Node) -> Node:
    """The inequality ``node``, or what it says of x where it bounds |x|: |x| > 1 is a union."""
    if node.kind != "inequality" or node.detail not in _TURNED:
        return node
    (name, far), sign = node.items, node.detail
    if _ABSOLUTE.fullmatch(far.text.strip()):
        name, far, sign = far, name, _TURNED[sign]
    inner = _ABSOLUTE.fullmatch(name.text.strip())
    if inner is None:
        return node
    near = Node("leaf", f"-({far.text})")
    if sign in ("<", r"\le"):
        return Node("inequality", node.text, (near, Node("leaf", inner[1]), far), f"{sign} {sign}")
    closed = sign == r"\ge"
    return _outside("(" + ("]" if closed else ")") + ("[" if closed else "(") + ")", near, far, node.text)


def complement(text: str) -> str | None:
    """What is left of "R without ..." once "R without" is taken away; None where ``text`` is nothing such."""
    found = _WITHOUT.match(text)
    return text[found.end() :] if found else None


def outside(node: Node, text: str) -> Node | None:
    """The real numbers that are not in the interval ``node``."""
    found = as_interval(node)
    if found is None:
        return None
    left, right = (")" if found[0][0] == "[" else "]"), ("(" if found[0][1] == "]" else "[")
    return _outside(f"({left}{right})", found[1], found[2], text)


def _outside(brackets: str, low: Node, high: Node, text: str) -> Node:
    below = Node("interval", text, (Node("leaf", "-" + _INFINITY), low), brackets[:2])
    above = Node("interval", text, (high, Node("leaf", _INFINITY)), brackets[2:])
    if low.text.replace(" ", "") == "-" + _INFINITY:
        return above
    return below if high.text.strip("+ ") == _INFINITY else Node("union", text, (below, above))


def between(items: tuple[Node, ...], text: str) -> Node | None:
    """The interval that "x >= 0 and x < 1" is; None where the two bounds leave nothing or are not known."""
    if len(items) != 2 or variable(items[0]) is None or variable(items[0]) != variable(items[1]):
        return None
    found = [as_interval(item) for item in items]
    above = next((f for f in found if f and f[2].text == _INFINITY), None)
    below = next((f for f in found if f and f[1].text == "-" + _INFINITY), None)
    if above is None or below is None:
        return None
    low, high = exact(above[1].text), exact(below[2].text)
    if low is None or high is None or low >= high:
        return None
    return Node("interval", text, (above[1], below[2]), above[0][0] + below[0][1])


def _bracket(sign: str, closed_open: str) -> str:
    return closed_open[0] if sign == r"\le" else closed_open[1]


def is_symbol(node: Node) -> bool:
    """Whether ``node`` is a single variable."""
    return (
        node.kind == "leaf"
        and re.fullmatch(
            r"\s*(?:[a-zA-Z]|\\(?!infty|pi(?![a-z]))[a-zA-Z]+)(?:_(?:\{[^{}]*\}|\w))?'*\s*", node.text
        )
        is not None
    )


def variable(node: Node) -> str | None:
    """The variable that an inequality bounds."""
    names = [item.text.strip() for item in node.items if is_symbol(item)] if node.kind == "inequality" else []
    return names[0] if len(names) == 1 else None
