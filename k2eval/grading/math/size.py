"""Estimate the size of an expression's value without evaluating it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

MAX_DIGITS = 30_000
"""Decimal digits of the largest number that is ever expanded."""

_MAX_FACTORIAL = 8_000
_MAX_TERMS = 5_000
_MAX_ARGUMENT = 1_000
_MAX_LOGGED = 9_000
"""Digits of the longest integer whose logarithm is computed, to twice as many digits."""
SYMBOL_BOUND = 10.0
"""Largest value that is ever put in for a variable."""
_SYMBOL_DIGITS = 2.0
"""Digits of the numerators and denominators that are put in for variables."""
_NEVER = frozenset({"Integral", "Limit", "Derivative", "MatPow", "MatMul"})
"""Operations that may never end and that no gold contains."""


def fits(expr: Any) -> bool:
    """Tell whether evaluating the sympy expression ``expr`` stays below `MAX_DIGITS` digits."""
    return digits(expr) <= MAX_DIGITS


def digits(expr: Any) -> float:
    """Return an upper bound of the decimal digits of the value of ``expr``; infinite if unknown."""
    try:
        return _digits(expr, 0, {})
    except (OverflowError, ValueError, RecursionError, AttributeError, TypeError):
        return math.inf


def _digits(expr: Any, depth: int, bounds: Mapping[Any, float]) -> float:
    """Return an upper bound of the decimal digits of ``expr`` (numerator or denominator).

    ``bounds`` holds the largest values of the variables of the sums and products around ``expr``.
    """
    if depth > 200:
        return math.inf
    if type(expr).__name__ in _NEVER:
        return math.inf
    if expr.is_Rational:
        return max(_integer_digits(expr.p), _integer_digits(expr.q))
    if not expr.args:
        return max(_SYMBOL_DIGITS, math.log10(bounds.get(expr, 1.0)))
    name = type(expr).__name__
    if name in ("Sum", "Product"):
        for over in expr.args[1:]:
            bounds = {**bounds, over.args[0]: sum(_magnitude(end, _digits(end, depth + 1, bounds), bounds)
                                                  for end in over.args[1:])}  # fmt: skip
    inner = [_digits(arg, depth + 1, bounds) for arg in expr.args if hasattr(arg, "args")]
    if max(inner, default=0.0) > MAX_DIGITS:
        return math.inf
    if name == "Add":
        return max(inner) + sum(1 for size in inner if size > 1) + math.log10(len(inner))
    if name == "Pow":
        return inner[0] * _magnitude(expr.args[1], inner[1], bounds)
    if name in ("factorial", "gamma", "binomial", "factorial2", "subfactorial"):
        size = _magnitude(expr.args[0], inner[0], bounds)
        return math.inf if size > _MAX_FACTORIAL else max(1.0, size) * math.log10(max(size, 2.0))
    if name in ("Sum", "Product"):
        terms = math.prod(bounds[over.args[0]] for over in expr.args[1:])
        return math.inf if terms > _MAX_TERMS else sum(inner) * (terms if name == "Product" else 1.0)
    if name in ("exp", "sinh", "cosh", "tanh"):
        return max(1.0, 0.44 * _magnitude(expr.args[0], inner[0], bounds))
    if name == "log" and expr.args[0].is_Integer:
        return math.inf if inner[0] > _MAX_LOGGED else max(5.0, inner[0])
    if name in ("log", "sin", "cos", "tan", "cot", "sec", "csc"):
        return math.inf if inner[0] > _MAX_ARGUMENT else max(5.0, inner[0])
    return sum(inner)


def _integer_digits(value: int) -> float:
    return max(1, abs(int(value)).bit_length()) * math.log10(2)


def _magnitude(expr: Any, digits: float, bounds: Mapping[Any, float]) -> float:
    """Return an upper bound of the absolute value of ``expr``, at least 1, from its digits."""
    if expr.is_Integer:
        return max(1.0, abs(float(expr)))
    if expr.is_Rational:
        return max(1.0, abs(float(expr.p) / float(expr.q)))
    if expr.is_Symbol:
        return bounds.get(expr, SYMBOL_BOUND)
    if expr.is_Add:
        return sum(_magnitude(arg, _digits(arg, 1, bounds), bounds) for arg in expr.args)
    if expr.is_Mul:
        return math.prod(_magnitude(arg, _digits(arg, 1, bounds), bounds) for arg in expr.args)
    if expr.is_Atom:
        return math.inf if expr.is_infinite else 4.0
    return math.inf if digits > 7 else 10.0**digits
