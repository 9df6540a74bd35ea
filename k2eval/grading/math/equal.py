r"""Decide whether an answer means the same as a gold: shape by shape, then leaf by leaf.

The gold's form decides what is asked for:

- a value: the last side of an equation counts ("x = 5", "49 + 24 = 73"), a unit on one side only is taken for granted;
- a pair or tuple: in order, in brackets (two bare values are a list, which is something else);
- a list "1, 2" or a set {1, 2}: in any order, as many as in the gold;
- an interval: as [a, b), as a < x < b, or, where it is open, as (a, b);
- an equation or inequality: the same up to a constant factor;
- values with names: the same values for the same names.

Percent: p% is p/100 where the gold is not an integer (1/2 is 50 %). Where the gold is an integer or a
decimal of at least 1, the sign is a unit (7 is 7 %, and 7 is neither 700 % nor 0.07), so 1 is not 100 %.
Where the gold has the percent sign, the bare number is accepted as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from k2eval.grading.math import matrix, region, solution, symbolic
from k2eval.grading.math.equation import (
    bare_name,
    is_condition,
    is_graph,
    is_measured,
    label_of,
    renamed,
    value_of,
)  # fmt: skip
from k2eval.grading.math.interval import Node, as_interval, is_symbol, variable
from k2eval.grading.math.latex import squeezed
from k2eval.grading.math.quantity import same_leaf
from k2eval.grading.math.structure import is_label, parse

_MAX_ITEMS = 200
_MAX_FORMS = 3
_ALTERNATIVES = re.compile(
    r"\\text\s*\{[^{}]*\b(?:or|OR)\b[^{}]*\}|(?<![a-zA-Z\\])(?:or|OR)(?![a-zA-Z])|\\(?:lor|vee)(?![a-zA-Z])"
)
"""Matches "or" in all spellings / not "for"."""


# Matches "1 and 2" and "\&"; not "band" or "\lor".
_CONJUNCTION = re.compile(r"(?<![a-zA-Z\\])(?:and|or)(?![a-zA-Z])|\\&")
_NAME = re.compile(r"\\text\s*\{\s*([^{}]*[a-zA-Z][^{}]*?)\s*\}|([a-zA-Z]+)")
"""Matches "\\text{Alice}" and "A" / not "2" or "x_1"."""


def same(gold: Node, answer: Node) -> bool:
    """Return whether ``answer`` is the ``gold``.

    >>> same(parse("x = 5"), parse("5")), same(parse("5"), parse("5, 6"))
    (True, False)
    """
    if squeezed(gold.text) == squeezed(answer.text):
        return bool(gold.text)
    gold, answer = shaped(gold), shaped(answer)
    if answer.kind == "equation" and gold.kind != "equation":
        parts = _regions(gold, answer)
        if parts is not None and region.same(*parts):
            return True
        return same(gold, value_of(answer)) and not is_condition(gold, answer)
    if gold.kind == "equation":
        return _same_equation(gold, answer)
    parts = _regions(gold, answer)
    if parts is not None:
        return region.same(*parts)
    rule = _RULES.get((gold.kind, answer.kind))
    return rule is not None and rule(gold, answer)


def shaped(node: Node) -> Node:
    """Return ``node``, as a matrix or tuple if it is one with a factor in front, a transpose or in nested brackets."""
    is_matrix = (node.kind == "leaf" and r"\begin" in node.text) or node.text.startswith("[[")
    if node.kind == "leaf" and node.text.endswith(")") and "," in node.text:
        return matrix.scaled(node.text) or node
    return (matrix.read(node.text) or node) if is_matrix else node


def _regions(gold: Node, answer: Node) -> tuple[region.Region, region.Region] | None:
    """Return both as parts of the real line, if one is written as such and the other can be read so."""
    if region.read(gold) is None and region.read(answer) is None:
        return None
    ours, theirs = region.read_part(gold), region.read_part(answer)
    return None if ours is None or theirs is None else (ours, theirs)


def _same_equation(gold: Node, answer: Node) -> bool:
    named = is_label(gold.items[0]) or is_label(gold.items[-1]) or _is_tuple_of_names(gold.items[0])
    if answer.kind != "equation":
        return (named or is_measured(gold)) and same(value_of(gold), answer)
    both_named = named and (is_label(answer.items[0]) or is_label(answer.items[-1]))
    if both_named and label_of(gold) == label_of(answer):
        return same(value_of(gold), value_of(answer))
    if both_named and is_graph(gold, answer):
        return same(value_of(gold), value_of(answer))
    if is_measured(gold) and bare_name(gold.items[0].text) == bare_name(answer.items[0].text):
        return same(value_of(gold), value_of(answer))
    value = renamed(gold, answer) if both_named else None
    if value is not None:
        return same(value_of(gold), parse(value))
    sides = gold.items[0].text, gold.items[-1].text
    return symbolic.proportional(sides, (answer.items[0].text, answer.items[-1].text), positive=False)


def _is_tuple_of_names(node: Node) -> bool:
    return node.kind == "tuple" and all(is_symbol(item) for item in node.items)


# ---------------------------------------------------------------------------------------------- several values


def _same_forms(gold: Node, answer: Node) -> bool:
    """Return whether ``answer`` is the one value in several forms: "1/2 or 0.5"."""
    forms = {squeezed(item.text) for item in answer.items}
    if len(answer.items) > _MAX_FORMS or len(forms) < len(answer.items):
        return False
    return all(same(gold, item) for item in answer.items)


def _same_items(gold: Node, answer: Node) -> bool:
    ours, theirs = _spread(gold), _spread(answer)
    if "set" in (gold.kind, answer.kind):
        theirs = _distinct(theirs) if answer.kind == "set" else theirs
        ours = _distinct(ours) if gold.kind == "set" else ours
    if len(ours) != len(theirs) or len(ours) > _MAX_ITEMS:
        return False
    ours_named, theirs_named = _labels(ours), _labels(theirs)
    if solution.are_roots(theirs_named) and len(theirs_named) == len(theirs) and len(set(ours_named)) <= 1:
        theirs = [value_of(item) for item in theirs]
        ours = [value_of(item) if item.kind == "equation" else item for item in ours]
    elif len(set(ours_named)) > 1 and not theirs_named:
        return in_order(ours, theirs)
    elif len(set(theirs_named)) > 1 and _ALTERNATIVES.search(answer.text):
        return False  # "x = 1 or y = -3" gives neither two values of one thing nor both values
    return in_order(ours, theirs) if _is_ranking(gold) else matched(ours, theirs, same)


def _is_ranking(gold: Node) -> bool:
    r"""Return whether a list of names or letters has an order that is not that of the alphabet.

    Whoever writes a set of names down has no reason for another order; a ranking has one.
    """
    if gold.kind != "list" or _CONJUNCTION.search(gold.text):
        return False
    names = [_NAME.fullmatch(item.text.strip()) for item in gold.items]
    words = [(name[1] or name[2]).casefold() for name in names if name]
    return len(words) == len(names) and words != sorted(words)


def matched(ours: Sequence[Node], theirs: Sequence[Node], how: Callable[[Node, Node], bool]) -> bool:
    """Return whether each of ``ours`` has one of ``theirs`` of its own."""
    left = list(theirs)
    for item in ours:
        partner = next((other for other in left if how(item, other)), None)
        if partner is None:
            return False
        left.remove(partner)
    return not left


def _spread(node: Node) -> list[Node]:
    """Return the items of ``node``, "x = \\pm 2" as two of them."""
    items: list[Node] = []
    for item in node.items:
        value = value_of(item) if item.kind == "equation" and item.detail != r"\in" else item
        items += value.items if value.kind == "list" and value is not item else [item]
    return items


def _distinct(items: list[Node]) -> list[Node]:
    if len(items) > _MAX_ITEMS:
        return items
    distinct: list[Node] = []
    for item in items:
        if not any(same(item, other) for other in distinct):
            distinct.append(item)
    return distinct


def _labels(items: Sequence[Node]) -> list[str]:
    return [label_of(item) for item in items if item.kind == "equation"]


def in_order(gold: Sequence[Node], answer: Sequence[Node]) -> bool:
    """Return whether two sequences are the same, one by one."""
    return len(gold) == len(answer) and all(same(a, b) for a, b in zip(gold, answer, strict=True))


def _same_tuple(gold: Node, answer: Node) -> bool:
    return in_order(gold.items, answer.items)


def _same_long_tuple(gold: Node, answer: Node) -> bool:
    return len(gold.items) > 2 and in_order(gold.items, answer.items)


def _same_union(gold: Node, answer: Node) -> bool:
    return matched(gold.items, answer.items, lambda a, b: same(a, b) or _same_interval(a, b))


# ------------------------------------------------------------------------------------------ matrices and bounds


def _same_matrix(gold: Node, answer: Node) -> bool:
    return in_order(gold.items, answer.items)


def _same_column(gold: Node, answer: Node) -> bool:
    """Return whether ``answer`` lists the cells of the column ``gold``, or its rows."""
    if (
        answer.kind in ("interval", "vector")
        and answer.detail in ("", "[]")
        and in_order(gold.items, answer.items)
    ):
        return True
    if len(gold.items) == 1 and answer.kind in ("tuple", "vector"):
        return in_order(gold.items[0].items, answer.items)
    column = all(len(row.items) == 1 for row in gold.items)
    cells = tuple(row.items[0] for row in gold.items) if column else ()
    return column and answer.kind in ("tuple", "vector") and in_order(cells, answer.items)


def _is_column_of(gold: Node, answer: Node) -> bool:
    """Return whether the matrix ``answer`` is the tuple ``gold`` as a column, or as a row."""
    return _same_column(answer, gold) or (
        len(answer.items) == 1 and in_order(gold.items, answer.items[0].items)
    )


def _same_interval(gold: Node, answer: Node) -> bool:
    a, b = as_interval(gold), as_interval(answer)
    if a is None or b is None or a[0] != b[0]:
        return False
    names = variable(gold), variable(answer)
    return (None in names or names[0] == names[1]) and same(a[1], b[1]) and same(a[2], b[2])


def _same_inequality(gold: Node, answer: Node) -> bool:
    if _same_interval(gold, answer):
        return True
    if len(gold.items) != 2 or len(answer.items) != 2:
        return False
    sides = [_upwards(node) for node in (gold, answer)]
    return sides[0][0] == sides[1][0] and symbolic.proportional(sides[0][1], sides[1][1], positive=True)


def _upwards(node: Node) -> tuple[str, tuple[str, str]]:
    """Return an inequality with its sign turned to < or \\le."""
    left, right = node.items[0].text, node.items[1].text
    turned = {">": "<", r"\ge": r"\le"}
    return (turned[node.detail], (right, left)) if node.detail in turned else (node.detail, (left, right))


def _same_leaves(gold: Node, answer: Node) -> bool:
    return same_leaf(gold.text, answer.text)


_RULES: dict[tuple[str, str], Callable[[Node, Node], bool]] = {
    ("leaf", "leaf"): _same_leaves,
    ("leaf", "list"): _same_forms,
    ("list", "list"): _same_items,
    ("list", "set"): _same_items,
    ("set", "list"): _same_items,
    ("set", "set"): _same_items,
    ("tuple", "tuple"): _same_tuple,
    ("tuple", "vector"): _same_long_tuple,
    ("tuple", "matrix"): _is_column_of,
    ("vector", "vector"): _same_tuple,
    ("vector", "tuple"): _same_long_tuple,
    ("vector", "matrix"): _is_column_of,
    ("matrix", "matrix"): _same_matrix,
    ("matrix", "leaf"): lambda gold, answer: matrix.is_multiple_of_identity(gold, answer.text),
    ("matrix", "tuple"): _same_column,
    ("matrix", "vector"): _same_column,
    ("matrix", "interval"): _same_column,
    ("union", "union"): _same_union,
    ("interval", "interval"): _same_interval,
    ("interval", "tuple"): _same_interval,
    ("interval", "inequality"): _same_interval,
    ("tuple", "interval"): _same_interval,
    ("tuple", "inequality"): _same_interval,
    ("inequality", "inequality"): _same_inequality,
    ("inequality", "interval"): _same_interval,
    ("inequality", "tuple"): _same_interval,
}
"""The comparison for each kind of gold and kind of answer; a pair without a rule differs."""
