"""Intervals of real numbers, in all the ways in which answers write them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "leaf", "list", "set", "tuple", "vector", "interval", "union", "matrix", "equation", "inequality"
]

# Matches "]1, 2[" and "[1, 2["; not "[1]".
_OUTWARD = re.compile(r"([\[\]])(\s*[^\[\],\s][^\[\],]*,[^\[\],]*[^\[\],\s]\s*)([\[\]])")

_FUNCTION_VALUE = re.compile(r"\s*[a-zA-Z]\([a-z]\)\s*")
"""Matches f(x) / not f(2), 2(x)."""


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
    """Return ``text`` with open ends written as round brackets: ]a, b[ is (a, b)."""
    if text[:1] not in ("[", "]"):
        return text
    return _OUTWARD.sub(lambda m: ("(" if m[1] == "]" else "[") + m[2] + (")" if m[3] == "[" else "]"), text)


def as_interval(node: Node) -> tuple[str, Node, Node] | None:
    """Return brackets and ends of ``node`` read as an interval: [a, b), a < x < b, x > a, or the pair (a, b)."""
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
    if len(items) == 3 and is_bounded(items[1]):
        return _bracket(signs[0], "[(") + _bracket(signs[1], "])"), items[0], items[2]
    if len(items) == 2 and is_bounded(items[0]) and not is_bounded(items[1]):
        return "(" + _bracket(signs[0], "])"), Node("leaf", r"-\infty"), items[1]
    if len(items) == 2 and is_bounded(items[1]):
        return _bracket(signs[0], "[(") + ")", items[0], Node("leaf", r"\infty")
    return None


def is_bounded(node: Node) -> bool:
    """Return whether ``node`` is what an inequality bounds: a variable, or a value f(x)."""
    return is_symbol(node) or (node.kind == "leaf" and _FUNCTION_VALUE.fullmatch(node.text) is not None)


def _bracket(sign: str, closed_open: str) -> str:
    return closed_open[0] if sign == r"\le" else closed_open[1]


def is_symbol(node: Node) -> bool:
    """Tell whether ``node`` is a single variable."""
    return (
        node.kind == "leaf"
        and re.fullmatch(
            r"\s*(?:[a-zA-Z]|\\(?!infty|pi(?![a-z]))[a-zA-Z]+)(?:_(?:\{[^{}]*\}|\w))?'*\s*", node.text
        )
        is not None
    )


def variable(node: Node) -> str | None:
    """Return the variable that an inequality bounds; None if there is not exactly one."""
    names = (
        [item.text.strip() for item in node.items if is_bounded(item)] if node.kind == "inequality" else []
    )
    return names[0] if len(names) == 1 else None
