r"""Decide whether two expressions with variables are equal, by their values at many points.

The points are drawn at random, seeded by the two texts: the same pair is always judged alike, and no answer can be
written to agree at the points alone. Where an expression changes its rule (floor, |x|, max, min, mod) points lie at
each break, on both sides of it, and far away; see `points`. A chance agreement is below 1e-9: a rational identity
that fails agrees at one random point in thousands, and at least eight points must agree.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from k2eval.grading.math.budget import POINT, SEARCH, Budget, Undefined, Unsupported
from k2eval.grading.math.points import Domain, Point, domain_of, points
from k2eval.grading.math.rules import Value
from k2eval.grading.math.size import digits
from k2eval.grading.math.values import Evaluator

Expr = Any
"""A sympy expression."""

ENOUGH = 8
"""Points at which both expressions must have a value, and the same one."""

_STEPS = 60_000
_DIGITS = 150
_MAX_DIGITS = 700


def precision(left: Expr, right: Expr) -> int:
    """Return the digits that tell ``left`` from ``right`` if they differ by the smallest number in them."""
    longest = max(digits(left), digits(right))
    return 2 * _DIGITS if math.isinf(longest) else int(min(max(_DIGITS, 2 * longest + 60), _MAX_DIGITS))


def agree(left: Expr, right: Expr, seed: str, is_complex: bool = False) -> bool | None:
    """Return whether two expressions agree wherever both have a value; None if they have too few in common.

    Args:
        left: One expression.
        right: The other.
        seed: Seed of the random points.
        is_complex: Whether values may be complex.
    """
    common = mismatches = 0
    domain = domain_of(left, right)
    for pair in _pairs(left, right, domain, seed, is_complex):
        if pair.left is None or pair.right is None:
            mismatches += pair.is_generic and (pair.left is None) != (pair.right is None)
            if domain.is_signed and mismatches > 1:
                return False
        elif not _agree_at(pair, left, right):
            return False
        else:
            common += 1
    return True if common >= ENOUGH else None


def constant_ratio(left: Expr, right: Expr, seed: str) -> Value | None:
    """Return the number that ``left`` is times ``right`` wherever both have a value; None if there is none."""
    ratio: Value = None
    common = 0
    for pair in _pairs(left, right, domain_of(left, right), seed, False):
        a, b, evaluator = pair.left, pair.right, pair.evaluator
        if a is None or b is None or (a == 0 and b == 0):
            continue
        if a == 0 or b == 0:
            return None
        exact = isinstance(a, Fraction) and isinstance(b, Fraction)
        quotient = a / b if exact else evaluator.to_float(a) / evaluator.to_float(b)
        if ratio is None:
            ratio = quotient
        elif not evaluator.is_close(ratio, quotient):
            return None
        common += 1
    return ratio if common >= ENOUGH else None


def same_value(left: Expr, right: Expr, point: Point, evaluator: Evaluator) -> bool:
    """Return whether ``left`` and ``right`` have the same value at ``point``.

    Where they do not seem to, they are computed again to three times the digits, since digits are lost where large
    numbers cancel. A value that shrinks with every digit is 0.
    """
    a, b = evaluator.value(left, point), evaluator.value(right, point)
    return _agree_at(_Pair(point, True, a, b, evaluator), left, right)


def _agree_at(pair: _Pair, left: Expr, right: Expr) -> bool:
    a, b, coarse = pair.left, pair.right, pair.evaluator
    if coarse.is_close(a, b):
        return True
    if isinstance(a, Fraction) and isinstance(b, Fraction):
        return False
    finer = Evaluator(3 * coarse.digits, Budget(_STEPS), coarse.is_complex, coarse.limits)
    c, d = finer.value(left, pair.point), finer.value(right, pair.point)
    return finer.is_close(c, d) or (finer.is_noise(a, c) and finer.is_noise(b, d))


@dataclass(frozen=True, slots=True)
class _Pair:
    """The values of both expressions at a point; None if one of them has none."""

    point: Point
    is_generic: bool
    left: Value | None
    right: Value | None
    evaluator: Evaluator


def _pairs(left: Expr, right: Expr, domain: Domain, seed: str, is_complex: bool) -> Iterator[_Pair]:
    """Yield the values at points until there are enough; points that would cost too much are left out."""
    evaluator = Evaluator(precision(left, right), Budget(_STEPS), is_complex, POINT)
    seeker = Evaluator(20, Budget(_STEPS // 2), limits=SEARCH)
    seen: set[tuple[Fraction, ...]] = set()
    common = 0
    has_rules = bool(domain.integers or domain.breaks or domain.is_signed)
    for point, is_generic in points(domain, random.Random(seed), seeker):
        key = tuple(point.values())
        if key in seen or evaluator.budget.left < 0:
            continue
        seen.add(key)
        try:
            a, b = (_value(side, point, evaluator) for side in (left, right))
        except Unsupported:
            continue
        yield _Pair(point, is_generic, a, b, evaluator)
        common += a is not None and b is not None
        if common >= ENOUGH + 4 and not has_rules:
            return


def _value(expr: Expr, point: Point, evaluator: Evaluator) -> Value | None:
    try:
        return evaluator.value(expr, point)
    except (Undefined, ZeroDivisionError):
        return None
