"""Whether an answer means the same as a gold: shape by shape, then leaf by leaf.

The gold's form decides what is asked for:

- a value: the last side of an equation counts ("x = 5", "49 + 24 = 73"), units and degree signs are dropped;
- a pair or tuple: in order, in brackets (two bare values are a list, which is something else);
- a list "1, 2" or a set {1, 2}: in any order, as many as in the gold;
- an interval: as [a, b), as a < x < b, or, where it is open, as (a, b);
- an equation or inequality: the same up to a constant factor.

Percent: p% is p/100 where the gold is not an integer (1/2 is 50 %). Where the gold is an integer or a
decimal of at least 1, the sign is a unit (7 is 7 %, and 7 is neither 700 % nor 0.07), so 1 is not 100 %.
Where the gold has the percent sign, the bare number is accepted as well.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache

from k2eval.grading.math import leaf, region, symbolic, units
from k2eval.grading.math.interval import Node, as_interval, variable
from k2eval.grading.math.latex import squeezed, without_thousands
from k2eval.grading.math.number import exact
from k2eval.grading.math.structure import is_label, parse

_MAX_ITEMS = 200
_MAX_FORMS = 3
_FUNCTION = re.compile(r"([a-zA-Z]'*)\(([a-z](?:,[a-z])*)\)")
_LETTER = re.compile(r"\\(?:text\s*\{[^{}]*\}|[a-zA-Z]+)|[a-zA-Z]")
_SIDE_BY_SIDE = re.compile(r"(?<![_^\w.}\\])\d+(?:\.\d+)?(?:\s+\d|\s*\{\s*\d)|^\{\s*\d+\s*\}\s*\{?\s*\d")
_BARE_LOG = re.compile(r"\\log(?![a-zA-Z])(?!\s*_)")


def same(gold: Node, given: Node) -> bool:
    """Whether the answer ``given`` is the ``gold``."""
    if squeezed(gold.text) == squeezed(given.text):
        return bool(gold.text)
    if given.kind == "equation" and gold.kind != "equation":
        return same(gold, value_of(given)) and not _is_condition(gold, given)
    if gold.kind == "equation":
        return _same_equation(gold, given)
    both = _regions(gold, given)
    if both is not None:
        return region.same(*both)
    if gold.kind == "leaf":
        if given.kind == "list":  # one value in several forms: "1/2 or 0.5"
            return len(given.items) <= _MAX_FORMS and all(same(gold, item) for item in given.items)
        return given.kind == "leaf" and same_leaf(gold.text, given.text)
    if {gold.kind, given.kind} == {"tuple", "list"}:
        return _same_named_values(gold, given)
    if gold.kind in ("list", "set"):
        alone = gold.kind == "set" and len(gold.items) == 1 and given.kind in ("leaf", "tuple")
        return (
            same(gold.items[0], given)
            if alone
            else given.kind in ("list", "set") and _same_items(gold, given)
        )
    if gold.kind == "tuple" and given.kind == "set" and len(given.items) == 1:
        return same(gold, given.items[0])
    if gold.kind == "union":
        return _same_union(gold, given)
    if gold.kind == "matrix":
        return _same_matrix(gold, given)
    if gold.kind == "inequality":
        return _same_inequality(gold, given)
    if gold.kind == "interval" or given.kind in ("interval", "inequality"):
        return _same_interval(gold, given)
    if given.kind == "matrix":
        return _same_matrix(given, gold)
    ordered = gold.kind == given.kind or (len(gold.items) > 2 and given.kind in ("tuple", "vector"))
    return ordered and _in_order(gold.items, given.items)


def _regions(gold: Node, given: Node) -> tuple[region.Region, region.Region] | None:
    """Both as parts of the real line, if one is written as such and the other can be read so."""
    if region.read(gold) is None and region.read(given) is None:
        return None
    wanted, found = region.read_part(gold), region.read_part(given)
    return None if wanted is None or found is None else (wanted, found)


def value_of(equation: Node) -> Node:
    """The side of an equation that is its value: the last, unless that is only a name or an approximation."""
    sides = list(equation.items)
    signs = equation.detail.split()
    if signs[-1] in (r"\approx", r"\sim"):
        sides = sides[: 1 + max((i for i, sign in enumerate(signs) if sign == "="), default=-1) + 1]
    if signs[0] == r"\in":
        return sides[-1]
    return sides[0] if is_label(sides[-1]) and not is_label(sides[0]) else sides[-1]


def _is_condition(gold: Node, given: Node) -> bool:
    """Whether ``given`` is a condition like "x - 5 = 0", which does not say that x is the ``gold``, 0."""
    if exact(gold.text) != 0 or len(given.items) != 2 or is_label(given.items[0]):
        return False
    left = symbolic.parse(given.items[0].text)
    return left is not None and len(left.free_symbols) == 1 and not symbolic.vanishes(left)


def _same_equation(gold: Node, given: Node) -> bool:
    named = is_label(gold.items[0]) or is_label(gold.items[-1])
    if given.kind != "equation":
        return named and same(value_of(gold), given)
    both_named = named and (is_label(given.items[0]) or is_label(given.items[-1]))
    if both_named and _label(gold) == _label(given):
        return same(value_of(gold), value_of(given))
    renamed = _renamed(gold, given) if both_named else None
    if renamed is not None:
        return same(value_of(gold), parse(renamed))
    sides = gold.items[0].text, gold.items[-1].text
    return symbolic.proportional(sides, (given.items[0].text, given.items[-1].text), positive=False)


def _renamed(gold: Node, given: Node) -> str | None:
    """The value of ``given``, f(t) = t, in the arguments of ``gold``, f(x); None where that cannot be."""
    ours, theirs = (_FUNCTION.fullmatch(_label(equation)) for equation in (gold, given))
    if ours is None or theirs is None or ours[1] != theirs[1]:
        return None
    new, old = ours[2].split(","), theirs[2].split(",")
    value = value_of(given).text
    captured = (set(new) - set(old)) & set(_LETTER.findall(value))
    if len(new) != len(old) or len(set(old)) < len(old) or captured:
        return None
    names = dict(zip(old, new, strict=True))
    return _LETTER.sub(lambda m: names.get(m[0], m[0]), value)


def _label(equation: Node) -> str:
    sides = equation.items
    label = sides[0] if is_label(sides[0]) else sides[-1]
    return re.sub(r"\\text|[{}\s]", "", label.text)


def _same_items(gold: Node, given: Node) -> bool:
    if len(gold.items) != len(given.items) or len(gold.items) > _MAX_ITEMS:
        return False
    labels = {_label(item) for item in gold.items if item.kind == "equation"}
    if len(labels) > 1 and not any(item.kind == "equation" for item in given.items):
        return _in_order(gold.items, given.items)
    left = list(given.items)
    for wanted in gold.items:
        found = next((item for item in left if same(wanted, item)), None)
        if found is None:
            return False
        left.remove(found)
    return True


def _same_named_values(gold: Node, given: Node) -> bool:
    """Whether one of the two is "x = 2, y = 4" and the other (2, 4)."""
    named = gold if gold.kind == "list" else given
    if any(item.kind != "equation" for item in named.items):
        return False
    labels = [_label(item) for item in named.items]
    in_order = all(len(label) != 1 for label in labels) or labels == sorted(labels)
    if len(set(labels)) < len(labels) or not in_order:
        return False
    values = [value_of(item) for item in named.items]
    return _in_order(values, given.items) if named is gold else _in_order(gold.items, values)


def _in_order(gold: Sequence[Node], given: Sequence[Node]) -> bool:
    return len(gold) == len(given) and all(same(a, b) for a, b in zip(gold, given, strict=True))


def _same_union(gold: Node, given: Node) -> bool:
    if given.kind != "union" or len(gold.items) != len(given.items):
        return False
    left = list(given.items)
    for wanted in gold.items:
        found = next((i for i in left if same(wanted, i) or _same_interval(wanted, i)), None)
        if found is None:
            return False
        left.remove(found)
    return True


def _same_matrix(gold: Node, given: Node) -> bool:
    if given.kind == "matrix":
        return _in_order(gold.items, given.items)
    if given.kind in ("interval", "vector") and given.detail in ("", "[]"):
        return _in_order(gold.items, given.items)
    column = all(len(row.items) == 1 for row in gold.items)
    cells = tuple(row.items[0] for row in gold.items) if column else ()
    return column and given.kind in ("tuple", "vector") and _in_order(cells, given.items)


def _same_interval(gold: Node, given: Node) -> bool:
    a, b = as_interval(gold), as_interval(given)
    if a is None or b is None or a[0] != b[0]:
        return False
    names = variable(gold), variable(given)
    return (None in names or names[0] == names[1]) and same(a[1], b[1]) and same(a[2], b[2])


def _same_inequality(gold: Node, given: Node) -> bool:
    if _same_interval(gold, given):
        return True
    if given.kind != "inequality" or len(gold.items) != 2 or len(given.items) != 2:
        return False
    sides = [_upwards(node) for node in (gold, given)]
    return sides[0][0] == sides[1][0] and symbolic.proportional(sides[0][1], sides[1][1], positive=True)


def _upwards(node: Node) -> tuple[str, tuple[str, str]]:
    """An inequality with its sign turned to < or \\le."""
    left, right = node.items[0].text, node.items[1].text
    turned = {">": "<", r"\ge": r"\le"}
    return (turned[node.detail], (right, left)) if node.detail in turned else (node.detail, (left, right))


@lru_cache(maxsize=16384)
def same_leaf(gold: str, given: str) -> bool:
    """Whether two leaves mean the same value."""
    a, b = leaf.read(without_thousands(gold)), leaf.read(without_thousands(given))
    if a.is_words or b.is_words:
        return a.core == b.core or squeezed(gold) == squeezed(given)
    if a.base or b.base:
        return a.core == b.core and (a.base == b.base or not b.base or (not a.base and b.base == "10"))
    if units.PERCENT in (a.unit, b.unit):
        return _same_percent(a, b)
    return _same_quantity(a, b)


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
    return _same_value(gold.core, rf"\frac{{{factor.numerator}}}{{{factor.denominator}}}\cdot ({answer.core})")


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


def same_answer(gold: str, given: str) -> bool:
    """Whether the normalised answer ``given`` is the normalised ``gold``.

    "1,234" is one number or two; where the gold is a list, an answer is read as one as well.
    """
    wanted = parse(gold)
    if same(wanted, parse(given)):
        return True
    if wanted.kind == "list" and re.fullmatch(r"[\d,]+", given):
        items = tuple(Node("leaf", item) for item in given.split(","))
        return same(wanted, Node("list", given + " ", items))
    return False
