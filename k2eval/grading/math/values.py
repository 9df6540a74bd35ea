"""Evaluate an expression at a point: exactly if it is rational, else to as many digits as asked for.

sympy reads floor, gcd, factorials and roots of negative numbers as algebra does. Answers mean functions of real
numbers, so this module gives them real values: the cube root of -8 is -2, the square root of -1 has none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Any

from k2eval.grading.math.budget import NUMBER, Budget, Limits, Undefined, Unsupported
from k2eval.grading.math.rules import RULES, Value, add, multiply

Expr = Any
"""A sympy expression."""


@lru_cache(maxsize=32)
def _context(digits: int) -> Any:
    import mpmath

    context = mpmath.MPContext()
    context.dps = digits
    return context


class Evaluator:
    """Values of expressions to a number of digits, of real or of complex functions."""

    def __init__(
        self, digits: int, budget: Budget, is_complex: bool = False, limits: Limits = NUMBER
    ) -> None:
        """Prepare to evaluate.

        Args:
            digits: Significant decimal digits of what is not rational.
            budget: Steps that may be taken, shared by all evaluations of a comparison.
            is_complex: Whether the root of -1 has a value; roots are principal ones then.
            limits: How far the evaluation goes.
        """
        self.mp = _context(digits)
        self.digits = digits
        self.is_complex = is_complex
        self.limits = limits
        self.budget = budget

    def value(self, expr: Expr, point: Mapping[Expr, Fraction]) -> Value:
        """Return the value of ``expr`` where its variables have the values of ``point``.

        Raises:
            Undefined: If it has none there.
            Unsupported: If it cannot be computed here.
        """
        self.budget.spend()
        if expr.is_Rational:
            return Fraction(int(expr.p), int(expr.q))
        if expr.is_Symbol:
            if expr not in point:
                raise Undefined
            return point[expr]
        name = type(expr).__name__
        if name in ("Sum", "Product"):
            return self._series(expr, point, name == "Sum")
        rule = RULES.get(name)
        if rule is not None:
            return self._checked(rule(self, *(self.value(arg, point) for arg in expr.args)))
        if not expr.args:
            return self._constant(name, expr)
        if getattr(expr, "is_Function", False):
            return self._unknown(name, [self.value(arg, point) for arg in expr.args])
        raise Unsupported

    def to_float(self, value: Value) -> Any:
        """Return ``value`` as a number of mpmath."""
        if isinstance(value, Fraction):
            return self.mp.mpf(value.numerator) / value.denominator
        return value

    def is_close(self, a: Value, b: Value) -> bool:
        """Return whether ``a`` and ``b`` agree to three quarters of the digits; exactly if both are rational."""
        if isinstance(a, Fraction) and isinstance(b, Fraction):
            return a == b
        x, y = self.to_float(a), self.to_float(b)
        return bool(abs(x - y) <= max(abs(x), abs(y)) * self.mp.mpf(10) ** (-3 * self.digits // 4))

    def is_tiny(self, value: Value) -> bool:
        """Return whether ``value`` may be nothing but what rounding left of 0."""
        return bool(abs(self.to_float(value)) < self.mp.mpf(10) ** (-self.digits // 2))

    def is_noise(self, coarse: Value, fine: Value) -> bool:
        """Return whether ``fine``, computed here, is 0: it has shrunk from ``coarse`` by a third of the digits."""
        x, y = abs(self.to_float(coarse)), abs(self.to_float(fine))
        return bool(y == 0 or y < x * self.mp.mpf(10) ** (-self.digits // 3))

    def _checked(self, value: Value) -> Value:
        if isinstance(value, Fraction):
            if max(value.numerator.bit_length(), value.denominator.bit_length()) > self.limits.bits:
                return self.to_float(value)
            return value
        if self.mp.isnan(value) or self.mp.isinf(value):
            raise Undefined
        if isinstance(value, self.mp.mpc):
            if value.imag == 0:
                return value.real
            if not self.is_complex:
                raise Undefined
        return value

    def _constant(self, name: str, expr: Expr) -> Value:
        if name == "Pi":
            return +self.mp.pi
        if name == "Exp1":
            return +self.mp.e
        if name == "ImaginaryUnit" and self.is_complex:
            return self.mp.mpc(0, 1)
        if name == "Float":
            return Fraction(str(expr))
        if name == "GoldenRatio":
            return +self.mp.phi
        raise (
            Undefined
            if name == "ImaginaryUnit" or expr.is_infinite or expr.is_finite is None
            else Unsupported
        )

    def _series(self, expr: Expr, point: Mapping[Expr, Fraction], is_sum: bool) -> Value:
        """Return the value of a sum or product over one integer that runs between two numbers."""
        if len(expr.args) != 2:
            raise Unsupported
        index, *ends = expr.args[1].args
        low, high = (self.integer(self.value(end, point)) for end in ends)
        if high - low > self.limits.terms:
            raise Unsupported
        total: Value = Fraction(0 if is_sum else 1)
        for place in range(low, high + 1):
            term = self.value(expr.args[0], {**point, index: Fraction(place)})
            total = add(self, total, term) if is_sum else multiply(self, total, term)
        return self._checked(total)

    def _unknown(self, name: str, values: list[Value]) -> Value:
        """Return the value of a function of which only the name is known: any, but always the same one."""
        shown = [
            str(value) if isinstance(value, Fraction) else self.mp.nstr(value, min(25, self.digits // 2))
            for value in values
        ]
        digest = hashlib.sha256("\0".join([name, *shown]).encode()).digest()
        return Fraction(int.from_bytes(digest[:16]) + 1, int.from_bytes(digest[16:]) + 1)

    def integer(self, value: Value) -> int:
        """Return the integer that ``value`` is.

        Raises:
            Undefined: If it is none.
        """
        if isinstance(value, Fraction):
            if value.denominator != 1:
                raise Undefined
            return value.numerator
        nearest = self.nearest(value)
        if nearest is None:
            raise Undefined
        return nearest

    def nearest(self, value: Value) -> int | None:
        """Return the integer that an inexact ``value`` is, rounding aside; None if it is none.

        Raises:
            Undefined: If ``value`` is not real.
            Unsupported: If ``value`` is too large to have digits behind the point.
        """
        if isinstance(value, self.mp.mpc):
            raise Undefined
        if abs(value) > self.mp.mpf(10) ** (self.digits // 2):
            raise Unsupported
        nearest = int(self.mp.nint(value))
        return nearest if abs(value - nearest) < self.mp.mpf(10) ** (-self.digits // 3) else None
