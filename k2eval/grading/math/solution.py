r"""Read solutions in which each value has a name: "x=1, y=2 or x=2, y=1", "(p,q)=(3,2)", a system in lines.

>>> read("x=1, y=2")
[{'x': '1', 'y': '2'}]
>>> read(r"(p,q)=(3,2), (5,2)")
[{'p': '3', 'q': '2'}, {'p': '5', 'q': '2'}]
>>> read(r"x=3 \text{ or } y=4"), read("x=1, x=2")
(None, None)
"""

from __future__ import annotations

import re
from functools import lru_cache

from k2eval.grading.math.interval import Node
from k2eval.grading.math.structure import is_label, parse, split

Solution = dict[str, str]
"""The values of names, in the order in which they are written."""

_MAX_SOLUTIONS = 100
_OR = re.compile(
    r"\\text\s*\{\s*,?\s*(?:or|OR)\s*,?\s*\}|(?<![a-zA-Z\\])(?:or|OR)(?![a-zA-Z])|\\(?:lor|vee)(?![a-zA-Z])|;"
)
r"""Matches what divides solutions: "\text{ or }", ";" / not "and", ","."""
# Matches "x=1 and y=2", "\text{ and }", "\land", ","; not "band".
_AND = re.compile(
    r"\\text\s*\{\s*,?\s*and\s*,?\s*\}|(?<![a-zA-Z\\])and(?![a-zA-Z])|\\(?:land|wedge)(?![a-zA-Z])|,"
)
# Matches "\begin{cases} x=1 \\ y=2 \end{cases}"; not a matrix.
_LINES = re.compile(
    r"\\begin\{(aligned|align\*?|gathered|cases|array|split)\}(?:\{[lcr|]*\})?(.*)\\end\{\1\}", re.DOTALL
)
# Matches the brace of "\{ \begin{array}"; not that of "\{1,2\}".
_OPENING_BRACE = re.compile(r"^\\\{\s*(?=\\begin)")
# Matches "\\" and "\\[4pt]"; not "\,".
_ROW = re.compile(r"\\\\(?:\s*\[[^\[\]]*\])?")


@lru_cache(maxsize=1024)
def read(text: str) -> list[Solution] | None:
    """Return the solutions that ``text`` lists, each with two names or more; None if it is anything else."""
    solutions: list[Solution] = []
    head = ""
    for line in _groups(_in_one_line(text)):
        group = _in_one_line(line)
        head = head or _tuple_of_names(group)
        part = _solutions_of(group if "=" in group else head + group)
        if part is None:
            return None
        solutions += part
    names = {frozenset(solution) for solution in solutions}
    if len(names) != 1 or len(names.pop()) < 2 or len(solutions) > _MAX_SOLUTIONS:
        return None
    return solutions


def _tuple_of_names(group: str) -> str:
    """Return "(x,y)=" if ``group`` begins with it."""
    head = re.match(r"\([^()=]*,[^()=]*\)\s*=", group)
    return head[0] if head else ""


def _in_one_line(text: str) -> str:
    lines = _LINES.fullmatch(_OPENING_BRACE.sub("", text))
    if lines is None or r"\begin" in lines[2]:
        return text
    return ", ".join(row.replace("&", "").strip(" ,") for row in _ROW.split(lines[2]) if row.strip())


def _groups(text: str) -> list[str]:
    pieces = (piece.strip().strip(",").strip() for _, piece in split(text, _OR))
    return [piece for piece in pieces if piece]


def _solutions_of(group: str) -> list[Solution] | None:
    """Return what "x=1, y=2" or "(x,y)=(1,2), (2,1)" says; None if a part of it has no name."""
    pieces = [piece.strip() for _, piece in split(group, _AND)]
    nodes = [parse(piece) for piece in pieces if piece]
    if not nodes or nodes[0].kind != "equation":
        return None
    if nodes[0].items[0].kind == "tuple":
        return _named_tuples(nodes)
    together: list[Solution] = [{}]
    for node in nodes:
        values = _assignments(node)
        if values is None:
            return None
        if together[-1].keys() & values.keys():  # "x=1, y=2 and x=3, y=4"
            together.append({})
        together[-1].update(values)
    return together


def _assignments(node: Node) -> Solution | None:
    """Return what "x = 2" or "x = y = 2" says."""
    if node.kind != "equation" or any(sign not in ("=", r"\equiv") for sign in node.detail.split()):
        return None
    *names, value = node.items
    if not all(_is_name(name) for name in names):
        return None
    return {label(name): value.text for name in names}


def _named_tuples(nodes: list[Node]) -> list[Solution] | None:
    """Return what "(x,y) = (1,2), (2,1)" says."""
    first, *more = nodes
    if len(first.items) != 2 or not all(_is_name(name) for name in first.items[0].items):
        return None
    names = [label(name) for name in first.items[0].items]
    solutions = []
    for node in (first.items[1], *more):
        pairs = node.items if node.kind == "equation" else (first.items[0], node)
        if [label(name) for name in pairs[0].items] != names or len(pairs) != 2:
            return None
        tuples = pairs[1].items if pairs[1].kind in ("list", "set") else (pairs[1],)
        if any(
            values.kind not in ("tuple", "interval", "vector") or len(values.items) != len(names)
            for values in tuples
        ):
            return None
        solutions += [
            dict(zip(names, (item.text for item in values.items), strict=True)) for values in tuples
        ]
    return solutions


def _is_name(node: Node) -> bool:
    return node.kind == "leaf" and is_label(node)


def label(node: Node) -> str:
    """Return the name that ``node`` is, spaces and braces aside."""
    return re.sub(r"\\text|[{}\s]", "", node.text)


def as_tuples(text: str) -> list[list[str]] | None:
    """Return the solutions that ``text`` lists as tuples; None if it is none, or nothing says in which order.

    "(q,p) = (2,3)" says so itself. Else single letters count in the order of the alphabet, other names as written.
    """
    solutions = read(text)
    if solutions is None:
        return None
    written = list(solutions[0])
    if any(list(solution) != written for solution in solutions) and any(len(name) != 1 for name in written):
        return None
    is_told = bool(_tuple_of_names(_groups(_in_one_line(text))[0]))
    order = sorted(written) if all(len(name) == 1 for name in written) and not is_told else written
    return [[solution[name] for name in order] for solution in solutions]


def are_roots(labels: list[str]) -> bool:
    """Return whether ``labels`` number the values of one unknown: x_1, x_2."""
    bases = {name.partition("_")[0] for name in labels}
    return len(bases) == 1 and len(set(labels)) == len(labels) and all("_" in name for name in labels)
