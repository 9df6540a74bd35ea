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

    >>> same_answer("1,2", r"2 \text{ or } 1"), same_answer("(1,2)", "(2,1)"), same_answer("[0,1)", r"0 \le x < 1")
    (True, False, True)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from functools import lru_cache

from k2eval.grading.math import congruence, leaf, matrix, qualifier, ratio, region, solution, symbolic, units
from k2eval.grading.math.interval import Node, as_interval, variable
from k2eval.grading.math.latex import squeezed, without_thousands
from k2eval.grading.math.number import exact
from k2eval.grading.math.solution import label
from k2eval.grading.math.structure import is_label, parse

_MAX_ITEMS = 200
_MAX_FORMS = 3
_FUNCTION = re.compile(r"([a-zA-Z]'*)\(([a-z](?:,[a-z])*)\)")
"""Matches f(x), g'(s,t) / not f(2), \\sin(x)."""
_LETTER = re.compile(r"\\(?:text\s*\{[^{}]*\}|[a-zA-Z]+)|[a-zA-Z]")
_SIDE_BY_SIDE = re.compile(r"(?<![_^\w.}\\])\d+(?:\.\d+)?(?:\s+\d|\s*\{\s*\d)|^\{\s*\d+\s*\}\s*\{?\s*\d")
"""Matches numbers with no sign between them: "2 3", "{2}{3}" / not "2^{3}", "x_{2}"."""
_BARE_LOG = re.compile(r"\\log(?![a-zA-Z])(?!\s*_)")
"""Matches a logarithm without a base / not \\log_2."""
_ALTERNATIVES = re.compile(
    r"\\text\s*\{[^{}]*\b(?:or|OR)\b[^{}]*\}|(?<![a-zA-Z\\])(?:or|OR)(?![a-zA-Z])|\\(?:lor|vee)(?![a-zA-Z])"
)
"""Matches "or" in all spellings / not "for"."""
_QUANTITY = re.compile(
    r"(?:[A-Z](?:'|_\{?\w+\}?)*|\\(?:frac|overline|angle|triangle|widehat|vec|overrightarrow|cdot|odot|measuredangle|arc|text\s*\{[^{}]*\}"
    r"|sin|cos|tan|cot|Pr)(?![a-zA-Z])|[{}()|\[\]:+/^_\s\d]|m(?=\s*\\angle))+"
)
"""Matches what a length, angle, area or ratio is called: |AB|, \\frac{NO}{BO}, \\angle ABC / not 2x+3y, x."""


def same(gold: Node, answer: Node) -> bool:
    """Return whether ``answer`` is the ``gold``.

    >>> same(parse("x = 5"), parse("5")), same(parse("5"), parse("5, 6"))
    (True, False)
    """
    if squeezed(gold.text) == squeezed(answer.text):
        return bool(gold.text)
    gold, answer = _shaped(gold), _shaped(answer)
    if answer.kind == "equation" and gold.kind != "equation":
        parts = _regions(gold, answer)
        if parts is not None and region.same(*parts):
            return True
        return same(gold, value_of(answer)) and not _is_condition(gold, answer)
    if gold.kind == "equation":
        return _same_equation(gold, answer)
    parts = _regions(gold, answer)
    if parts is not None:
        return region.same(*parts)
    rule = _RULES.get((gold.kind, answer.kind))
    return rule is not None and rule(gold, answer)


def _shaped(node: Node) -> Node:
    """Return ``node``, as a matrix if it is one with a factor in front, a transpose or in nested brackets."""
    is_matrix = (node.kind == "leaf" and r"\begin" in node.text) or node.text.startswith("[[")
    return (matrix.read(node.text) or node) if is_matrix else node


def _regions(gold: Node, answer: Node) -> tuple[region.Region, region.Region] | None:
    """Return both as parts of the real line, if one is written as such and the other can be read so."""
    if region.read(gold) is None and region.read(answer) is None:
        return None
    ours, theirs = region.read_part(gold), region.read_part(answer)
    return None if ours is None or theirs is None else (ours, theirs)


# ----------------------------------------------------------------------------------------------------- equations


def value_of(equation: Node) -> Node:
    """Return the side of an equation that is its value: the last, unless that is a name or an approximation."""
    sides = list(equation.items)
    signs = equation.detail.split()
    if signs[-1] in (r"\approx", r"\sim"):
        sides = sides[: 1 + max((i for i, sign in enumerate(signs) if sign == "="), default=-1) + 1]
    if signs[0] == r"\in":
        return sides[-1]
    return sides[0] if is_label(sides[-1]) and not is_label(sides[0]) else sides[-1]


def _is_condition(gold: Node, answer: Node) -> bool:
    """Return whether ``answer`` is a condition like "x - 5 = 0", which does not say that x is the ``gold``, 0."""
    if exact(gold.text) != 0 or len(answer.items) != 2 or is_label(answer.items[0]):
        return False
    left = symbolic.parse(answer.items[0].text)
    return left is not None and len(left.free_symbols) == 1 and not symbolic.vanishes(left)


def _same_equation(gold: Node, answer: Node) -> bool:
    named = is_label(gold.items[0]) or is_label(gold.items[-1])
    if answer.kind != "equation":
        return (named or _is_measured(gold)) and same(value_of(gold), answer)
    both_named = named and (is_label(answer.items[0]) or is_label(answer.items[-1]))
    if both_named and _label(gold) == _label(answer):
        return same(value_of(gold), value_of(answer))
    if both_named and _is_graph(gold, answer):
        return same(value_of(gold), value_of(answer))
    if _is_measured(gold) and _bare_name(gold.items[0].text) == _bare_name(answer.items[0].text):
        return same(value_of(gold), value_of(answer))
    renamed = _renamed(gold, answer) if both_named else None
    if renamed is not None:
        return same(value_of(gold), parse(renamed))
    sides = gold.items[0].text, gold.items[-1].text
    return symbolic.proportional(sides, (answer.items[0].text, answer.items[-1].text), positive=False)


def _is_measured(gold: Node) -> bool:
    """Return whether ``gold`` says how large something with a name in capitals is, "|AB| = 1", or a named ratio."""
    if len(gold.items) != 2 or gold.detail != "=":
        return False
    name, value = gold.items[0].text, gold.items[1].text
    if ":" in name and ":" in value:
        return all(is_label(Node("leaf", term)) for term in ratio.terms(name))
    letters = {letter for letter in _LETTER.findall(value) if len(letter) == 1}
    has_name = re.search(r"[A-Z]", re.sub(r"\\[a-zA-Z]+", "", name)) is not None
    return (
        has_name and _QUANTITY.fullmatch(name) is not None and not any(letter.isupper() for letter in letters)
    )


def _bare_name(text: str) -> str:
    """Return the name of a segment or angle without what only says that its size is meant."""
    return re.sub(r"\\overline|[|{}\s]|m(?=\s*\\angle)", "", text)


def _is_graph(gold: Node, answer: Node) -> bool:
    """Return whether one is "f(x) = ..." and the other "y = ..."."""
    functions = [_FUNCTION.fullmatch(_label(node)) for node in (gold, answer)]
    labels = [_label(node) for node in (gold, answer)]
    return any(
        f is not None and f[2] == "x" and other == "y"
        for f, other in zip(functions, reversed(labels), strict=True)
    )


def _renamed(gold: Node, answer: Node) -> str | None:
    """Return the value of ``answer``, f(t) = t, in the arguments of ``gold``, f(x); None if that cannot be."""
    ours, theirs = (_FUNCTION.fullmatch(_label(equation)) for equation in (gold, answer))
    if ours is None or theirs is None or ours[1] != theirs[1]:
        return None
    new, old = ours[2].split(","), theirs[2].split(",")
    value = value_of(answer).text
    captured = (set(new) - set(old)) & set(_LETTER.findall(value))
    if len(new) != len(old) or len(set(old)) < len(old) or captured:
        return None
    names = dict(zip(old, new, strict=True))
    return _LETTER.sub(lambda m: names.get(m[0], m[0]), value)


def _label(equation: Node) -> str:
    sides = equation.items
    return label(sides[0] if is_label(sides[0]) else sides[-1])


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
        return _in_order(ours, theirs)
    elif len(set(theirs_named)) > 1 and len(set(ours_named)) <= 1 and _ALTERNATIVES.search(answer.text):
        return False  # "x = 1 or y = -3" gives no two values of one thing
    return _matched(ours, theirs, same)


def _matched(ours: Sequence[Node], theirs: Sequence[Node], how: Callable[[Node, Node], bool]) -> bool:
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
    kept: list[Node] = []
    for item in items:
        if not any(same(item, other) for other in kept):
            kept.append(item)
    return kept


def _labels(items: Sequence[Node]) -> list[str]:
    return [_label(item) for item in items if item.kind == "equation"]


def _in_order(gold: Sequence[Node], answer: Sequence[Node]) -> bool:
    return len(gold) == len(answer) and all(same(a, b) for a, b in zip(gold, answer, strict=True))


def _same_tuple(gold: Node, answer: Node) -> bool:
    return _in_order(gold.items, answer.items)


def _same_long_tuple(gold: Node, answer: Node) -> bool:
    return len(gold.items) > 2 and _in_order(gold.items, answer.items)


def _same_union(gold: Node, answer: Node) -> bool:
    return _matched(gold.items, answer.items, lambda a, b: same(a, b) or _same_interval(a, b))


# ------------------------------------------------------------------------------------------ matrices and bounds


def _same_matrix(gold: Node, answer: Node) -> bool:
    return _in_order(gold.items, answer.items)


def _same_column(gold: Node, answer: Node) -> bool:
    """Return whether ``answer`` lists the cells of the column ``gold``, or its rows."""
    if (
        answer.kind in ("interval", "vector")
        and answer.detail in ("", "[]")
        and _in_order(gold.items, answer.items)
    ):
        return True
    column = all(len(row.items) == 1 for row in gold.items)
    cells = tuple(row.items[0] for row in gold.items) if column else ()
    return column and answer.kind in ("tuple", "vector") and _in_order(cells, answer.items)


def _is_column_of(gold: Node, answer: Node) -> bool:
    """Return whether the matrix ``answer`` is the tuple ``gold`` as a column, or as a row."""
    return _same_column(answer, gold) or (
        len(answer.items) == 1 and _in_order(gold.items, answer.items[0].items)
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


# ------------------------------------------------------------------------------------------------------- leaves


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
"""How shapes are compared, by the kind of the gold and the kind of the answer; a pair without a rule differs."""


@lru_cache(maxsize=16384)
def same_leaf(gold: str, answer: str) -> bool:
    r"""Return whether two leaves mean the same value.

    >>> same_leaf(r"\\frac{1}{2}", "50%"), same_leaf("7", "700%"), same_leaf(r"5\\text{ m}", r"5\\text{ cm}")
    (True, False, False)
    """
    a, b = leaf.read(without_thousands(gold)), leaf.read(without_thousands(answer))
    if a.is_words or b.is_words:
        return a.core == b.core or squeezed(gold) == squeezed(answer)
    if a.base or b.base:
        return a.core == b.core and (a.base == b.base or not b.base or (not a.base and b.base == "10"))
    if units.PERCENT in (a.unit, b.unit):
        return _same_percent(a, b)
    if ratio.terms(a.core) or ratio.terms(b.core):
        return not units.clash(a.unit, b.unit) and ratio.same(*_times(a, b))
    return _same_quantity(a, b)


def _times(gold: leaf.Leaf, answer: leaf.Leaf) -> tuple[str, str]:
    """Return two ratios or times of day; "8 PM" is 8:00."""
    is_hour = any(unit.text in ("am", "pm") for unit in (gold.unit, answer.unit))
    first, second = (
        f"{side.core}:00" if is_hour and side.core.isdigit() else side.core for side in (gold, answer)
    )
    return first, second


def _same_quantity(gold: leaf.Leaf, answer: leaf.Leaf) -> bool:
    """Return whether two numbers with units mean as much; a unit on one side only is taken for granted."""
    if units.clash(gold.unit, answer.unit):
        return False
    if gold.unit.is_angle and answer.unit.is_angle:
        return _same_value(_in_radians(gold), _in_radians(answer))
    for degrees, number in ((gold, answer), (answer, gold)):
        if degrees.unit == units.DEGREE and number.unit == units.NONE and r"\pi" in number.core:
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


def _same_percent(gold: leaf.Leaf, given: leaf.Leaf) -> bool:
    if gold.unit is given.unit:
        return _same_value(gold.core, given.core)
    if gold.unit is units.PERCENT:
        value = exact(gold.core)
        if value is not None and (value / 100).denominator == 1:
            return _same_value(gold.core, given.core)
        return _same_value(gold.core, given.core) or _same_value(rf"\frac{{{gold.core}}}{{100}}", given.core)
    value = exact(gold.core)
    if value is not None and abs(value) >= 1 and (value.denominator == 1 or "." in gold.core):
        return _same_value(gold.core, given.core)
    return _same_value(gold.core, rf"\frac{{{given.core}}}{{100}}")


def _same_value(gold: str, given: str) -> bool:
    if squeezed(gold) == squeezed(given):
        return True
    a, b = exact(gold), exact(given)
    if a is not None and b is not None:
        return a == b
    if any(v is None and _SIDE_BY_SIDE.search(text) for v, text in ((a, gold), (b, given))):
        return False  # "2 3" is no number, though the parser would make one of it
    if symbolic.equal(_latex(gold, a), _latex(given, b)):
        return True
    if (r"\ln" in gold) != (r"\ln" in given):  # a bare logarithm is natural where the other side says so
        natural = [_BARE_LOG.sub(r"\\ln ", text) for text in (gold, given)]
        return natural != [gold, given] and symbolic.equal(*natural)
    return False


def _latex(text: str, value: Fraction | None) -> str:
    """``text``, or its exact value where that is known: the parser would read 7 1/2 as 7/2."""
    if value is None or value.denominator == 1:
        return text if value is None else str(value.numerator)
    return rf"\frac{{{value.numerator}}}{{{value.denominator}}}"


# ------------------------------------------------------------------------------------------------ whole answers


def same_answer(gold: str, answer: str) -> bool:
    r"""Return whether the normalised ``answer`` is the normalised ``gold``, with its qualifiers or without.

    >>> same_answer("a_n=2^{n}", r"a_n=2^{n} \text{ for } n \ge 1"), same_answer("5", r"5 \text{ or more}")
    (True, False)
    """
    if _same_reading(gold, answer):
        return True
    bare_gold, bare_answer = qualifier.without(gold), qualifier.without(answer)
    if (bare_gold, bare_answer) == (gold, answer):
        return False
    ours, theirs = qualifier.parameter(gold), qualifier.parameter(answer)
    if ours and theirs and ours != theirs and ours not in _LETTER.findall(bare_answer):
        bare_answer = _LETTER.sub(lambda m: ours if m[0] == theirs else m[0], bare_answer)
    readings = {(bare_gold, bare_answer), (gold, bare_answer), (bare_gold, answer)} - {(gold, answer)}
    return any(_same_reading(*reading) for reading in sorted(readings))


def _same_reading(gold: str, answer: str) -> bool:
    ours, theirs = _shaped(parse(gold)), _shaped(parse(answer))
    if same(ours, theirs) or _same_but_for_braces(ours, theirs) or congruence.same(gold, answer):
        return True
    if _same_solutions(gold, answer) or _same_vector(ours, theirs):
        return True
    if ours.kind == "list" and re.fullmatch(r"[\d,]+", answer):  # "1,234" is one number or two
        items = tuple(Node("leaf", item) for item in answer.split(","))
        return same(ours, Node("list", answer + " ", items))
    return False


def _same_but_for_braces(gold: Node, answer: Node) -> bool:
    r"""Return whether one of the two is the set that holds only the other, or x - \\lfloor x \\rfloor as {x}."""
    answer = value_of(answer) if answer.kind == "equation" else answer
    if gold.kind == "set" and len(gold.items) == 1 and answer.kind in ("leaf", "tuple"):
        return same(gold.items[0], answer)
    if answer.kind != "set" or len(answer.items) != 1 or gold.kind not in ("leaf", "tuple"):
        return False
    expr = symbolic.parse(gold.text) if gold.kind == "leaf" else None
    if expr is not None and expr.free_symbols:
        return symbolic.equal(gold.text, answer.text)
    return same(gold, answer.items[0])


def _same_solutions(gold: str, answer: str) -> bool:
    """Return whether named values are the same, or the same as tuples without names."""
    if "=" not in gold and "=" not in answer:
        return False
    ours, theirs = solution.read(gold), solution.read(answer)
    if ours is not None and theirs is not None:
        names = sorted(ours[0])
        if set(names) != set(theirs[0]) or len(ours) != len(theirs):
            return False
        return _same_rows(*([[row[name] for name in names] for row in side] for side in (ours, theirs)))
    if ours is None and theirs is None:
        return False
    return _same_rows(*(solution.as_tuples(side) or _bare_tuples(side) for side in (gold, answer)))


def _same_rows(gold: list[list[str]], answer: list[list[str]]) -> bool:
    """Return whether two lists of tuples are the same in any order."""
    return bool(gold and answer) and _matched(
        [_row(row) for row in gold], [_row(row) for row in answer], same
    )


def _row(values: Iterable[str]) -> Node:
    items = tuple(parse(value) for value in values)
    return Node("tuple", f"({', '.join(item.text for item in items)})", items)


def _bare_tuples(text: str) -> list[list[str]]:
    node = parse(text)
    items = node.items if node.kind in ("list", "set") else (node,)
    return (
        [[part.text for part in item.items] for item in items]
        if all(item.kind == "tuple" for item in items)
        else []
    )


def _same_vector(gold: Node, answer: Node) -> bool:
    """Return whether one of the two is a sum of unit vectors, and the other the same vector."""
    if gold.kind == "leaf" and answer.kind in ("tuple", "matrix", "vector", "interval", "leaf"):
        ours = matrix.unit_vectors(gold.text)
        theirs = matrix.unit_vectors(answer.text, plain=True) if answer.kind == "leaf" else answer
        return ours is not None and theirs is not None and _same_components(ours, theirs)
    if answer.kind == "equation":
        answer = value_of(answer)
    if gold.kind in ("tuple", "matrix", "vector") and answer.kind == "leaf":
        theirs = matrix.unit_vectors(answer.text, plain=True)
        return theirs is not None and _same_components(theirs, gold)
    return False


def _same_components(sum_of_units: Node, vector: Node) -> bool:
    """Return whether a vector has the components of a sum of unit vectors, the third of which may be left out."""
    cells = vector.items
    if vector.kind == "matrix":
        rows = [row.items for row in vector.items]
        cells = rows[0] if len(rows) == 1 else tuple(row[0] for row in rows if len(row) == 1)
    parts = sum_of_units.items
    if len(cells) == 2 and exact(parts[2].text) == 0:
        parts = parts[:2]
    return _in_order(cells, parts)
