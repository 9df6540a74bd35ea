"""Read equations: find the side that is the value, and whether the other side is a name."""

from __future__ import annotations

import re

from k2eval.grading.math import ratio, symbolic
from k2eval.grading.math.interval import Node
from k2eval.grading.math.number import exact
from k2eval.grading.math.solution import label
from k2eval.grading.math.structure import is_label

_FUNCTION = re.compile(r"([a-zA-Z]'*)\(([a-z](?:,[a-z])*)\)")
"""Matches f(x), g'(s,t) / not f(2), \\sin(x)."""
_TERM = re.compile(r"([a-zA-Z])_\{?([i-n])\}?")
"""Matches a_n, b_{k} / not a_{n+1}, x_0."""
# Matches "\pi", "\text{ab}" and "x"; not "2".
LETTER = re.compile(r"\\(?:text\s*\{[^{}]*\}|[a-zA-Z]+)|[a-zA-Z]")
_QUANTITY = re.compile(
    r"(?:[A-Z](?:'|_\{?\w+\}?)*+|\\(?:frac|overline|angle|triangle|widehat|vec|overrightarrow|cdot|odot|measuredangle|arc|text\s*\{[^{}]*\}"
    r"|sin|cos|tan|cot|Pr)(?![a-zA-Z])|[{}()|\[\]:/^_\s\d]|m(?=\s*\\angle))++"
)
"""Matches what a length, angle, area or ratio is called: |AB|, \\frac{NO}{BO}, \\angle ABC / not 2x+3y, x."""
_QUOTIENT = re.compile(r"\\[dt]?frac\s*\{([^{}]+)\}\s*\{([^{}]+)\}|([^/\\]+)/([^/\\]+)")
"""Matches \\frac{a}{b}, m/n / not \\frac{x^2}{9}+1, \\frac{1}{\\sqrt{2}}."""


def value_of(equation: Node) -> Node:
    """Return the side of an equation that is its value: the last, unless that is a name or an approximation."""
    sides = list(equation.items)
    signs = equation.detail.split()
    if signs[-1] in (r"\approx", r"\sim"):
        sides = sides[: 1 + max((i for i, sign in enumerate(signs) if sign == "="), default=-1) + 1]
    if signs[0] == r"\in":
        return sides[-1]
    return sides[0] if is_label(sides[-1]) and not is_label(sides[0]) else sides[-1]


def is_condition(gold: Node, answer: Node) -> bool:
    """Return whether ``answer`` is a condition like "x - 5 = 0", which does not say that x is the ``gold``, 0."""
    if exact(gold.text) != 0 or len(answer.items) != 2 or is_label(answer.items[0]):
        return False
    left = symbolic.parse(answer.items[0].text)
    return left is not None and len(left.free_symbols) == 1 and not symbolic.vanishes(left)


def is_measured(gold: Node) -> bool:
    """Return whether ``gold`` says how large something with a name in capitals is, "|AB| = 1", or a named ratio."""
    if len(gold.items) != 2 or gold.detail != "=":
        return False
    name, value = gold.items[0].text, gold.items[1].text
    if ":" in name and ":" in value:
        return all(is_label(Node("leaf", term)) for term in ratio.terms(name))
    letters = {letter for letter in LETTER.findall(value) if len(letter) == 1}
    quotient = _QUOTIENT.fullmatch(name.strip())
    if quotient and not letters:
        terms = [term for term in quotient.groups() if term is not None]
        if all(is_label(Node("leaf", term)) for term in terms):
            return True
    has_name = re.search(r"[A-Z]", re.sub(r"\\[a-zA-Z]+", "", name)) is not None
    return (
        has_name and _QUANTITY.fullmatch(name) is not None and not any(letter.isupper() for letter in letters)
    )


def bare_name(text: str) -> str:
    """Return the name of a segment or angle without what only says that its size is meant."""
    return re.sub(r"\\overline|[|{}\s]|m(?=\s*\\angle)", "", text)


def is_graph(gold: Node, answer: Node) -> bool:
    """Return whether one is "f(x) = ..." and the other "y = ..."."""
    functions = [_FUNCTION.fullmatch(label_of(node)) for node in (gold, answer)]
    labels = [label_of(node) for node in (gold, answer)]
    return any(
        f is not None and f[2] == "x" and other == "y"
        for f, other in zip(functions, reversed(labels), strict=True)
    )


def renamed(gold: Node, answer: Node) -> str | None:
    """Return the value of ``answer``, f(t) = t, in the arguments of ``gold``, f(x); None if that cannot be."""
    labels = label_of(gold), label_of(answer)
    ours, theirs = (_FUNCTION.fullmatch(name) or _TERM.fullmatch(name) for name in labels)
    if ours is None or theirs is None or ours[1] != theirs[1] or ours.re is not theirs.re:
        return None
    new, old = ours[2].split(","), theirs[2].split(",")
    value = value_of(answer).text
    captured = (set(new) - set(old)) & set(LETTER.findall(value))
    if len(new) != len(old) or len(set(old)) < len(old) or captured:
        return None
    names = dict(zip(old, new, strict=True))
    return LETTER.sub(lambda m: names.get(m[0], m[0]), value)


def label_of(equation: Node) -> str:
    """Return the name that an equation gives its value."""
    sides = equation.items
    return label(sides[0] if is_label(sides[0]) else sides[-1])
