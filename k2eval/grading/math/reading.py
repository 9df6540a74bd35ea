r"""Compare whole answers, in each of the readings that their texts have.

The outer shape counts first. Then residue classes, values with names, sums of unit vectors, and an answer without its
qualifiers ("for n > 1", "where c is a constant").
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from k2eval.grading.math import congruence, domain, family, matrix, progression, qualifier, solution, symbolic
from k2eval.grading.math.brackets import floored
from k2eval.grading.math.equal import in_order, matched, same, shaped
from k2eval.grading.math.equation import LETTER, value_of
from k2eval.grading.math.interval import Node, is_symbol, variable
from k2eval.grading.math.number import exact
from k2eval.grading.math.structure import parse

_USUAL_PARAMETERS = frozenset("kmnlcCt")
_CONSTANT = re.compile(r"[+]\s*[cC](?![a-zA-Z])")
"""Matches the constant in "x^{2} + C" / not that in "c x"."""
_LONGEST = 600
"""Characters of an answer that is read in other ways than by its shape."""


@lru_cache(maxsize=4096)
def same_answer(gold: str, answer: str) -> bool:
    r"""Return whether the normalised ``answer`` is the normalised ``gold``, with its qualifiers or without.

    >>> same_answer("1,2", r"2 \text{ or } 1"), same_answer("(1,2)", "(2,1)"), same_answer("[0,1)", r"0 \le x < 1")
    (True, False, True)
    >>> same_answer("a_n=2^{n}", r"a_n=2^{n} \text{ for } n \ge 1"), same_answer("5", r"5 \text{ or more}")
    (True, False)
    """
    gold = _with_alternatives(floored(gold))
    if r"\lfloor" in gold:
        answer = floored(answer)
    gold, answer = qualifier.without_place(gold), qualifier.without_place(answer)
    is_long = len(gold) > _LONGEST or len(answer) > _LONGEST
    bare_gold, bare_answer = (
        (gold, answer) if is_long else (qualifier.without(gold), qualifier.without(answer))
    )
    if domain.differ(gold, answer, bare_gold, bare_answer):
        return False
    if _same_reading(gold, answer) or family.same(gold, answer):
        return True
    bare_answer = _in_letters_of(gold, answer, bare_gold, bare_answer)
    if (bare_gold, bare_answer) == (gold, answer):
        return False
    readings = {(bare_gold, bare_answer), (gold, bare_answer), (bare_gold, answer)} - {(gold, answer)}
    return any(_same_reading(*reading) for reading in sorted(readings))


def _with_alternatives(gold: str) -> str:
    r"""Return a gold such as "n=1, n \\ge 3", which no number meets, with the "or" that is meant."""
    items = parse(gold).items if "=" in gold and parse(gold).kind == "list" else ()
    points = [
        item for item in items if item.kind == "equation" and item.detail == "=" and is_symbol(item.items[0])
    ]
    is_mixed = (
        points
        and len(points) < len(items)
        and all(
            item in points
            or (item.kind == "inequality" and variable(item) == points[0].items[0].text.strip())
            for item in items
        )
    )
    return r" \text{ or } ".join(item.text for item in items) if is_mixed else gold


def _in_letters_of(gold: str, answer: str, bare_gold: str, bare_answer: str) -> str:
    r"""Return ``bare_answer`` with the letter of its parameter, "n \\in \\mathbb{Z}", as the gold calls it."""
    ours, theirs = qualifier.parameter(gold), qualifier.parameter(answer)
    letters = [set(LETTER.findall(text)) for text in (bare_gold, bare_answer)]
    own_constant, their_constant = letters[0] & {"c", "C"}, letters[1] & {"c", "C"}
    if (
        len(own_constant | their_constant) == 2
        and own_constant
        and their_constant
        and _CONSTANT.search(bare_gold)
    ):
        [ours], [theirs] = own_constant, their_constant
    if theirs and not ours:
        own = (letters[0] - letters[1]) & _USUAL_PARAMETERS
        ours = own.pop() if len(own) == 1 and theirs not in LETTER.findall(gold) else None
    if not ours or not theirs or ours == theirs or ours in LETTER.findall(bare_answer):
        return bare_answer
    return LETTER.sub(lambda m: ours if m[0] == theirs else m[0], bare_answer)


def _same_reading(gold: str, answer: str) -> bool:
    ours, theirs = shaped(parse(gold)), shaped(parse(answer))
    if same(ours, theirs):
        return True
    if len(gold) > _LONGEST or len(answer) > _LONGEST:
        return False
    if _same_but_for_braces(ours, theirs) or congruence.same(gold, answer):
        return True
    if _same_solutions(gold, answer) or _same_vector(ours, theirs):
        return True
    if progression.same(gold, answer):
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
    return bool(gold and answer) and matched([_row(row) for row in gold], [_row(row) for row in answer], same)


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
    return in_order(cells, parts)
