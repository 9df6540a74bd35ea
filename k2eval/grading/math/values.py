"""Evaluate an expression at a point: exactly where it is rational, else to as many digits as asked for.

sympy reads floor, gcd, factorials and roots of negative numbers as algebra does. Answers mean functions of real
numbers, so this module gives them real values: the cube root of -8 is -2, the square root of -1 has none.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

Expr = Any
"""A sympy expression."""
Value = Any
"""A `Fraction` where the value is known exactly, else a number of mpmath."""

_MAX_FACTORIAL = 3_000
_MAX_ROOT_BITS = 4_000
_LARGEST_ARGUMENT = 10**40


class Undefined(ArithmeticError):
    """The expression has no value at this point, as 1/x has none at 0."""


class Unsupported(ArithmeticError):
    """The expression has a part that is not evaluated here, or costs more than it may."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How far one evaluation goes."""

    bits: int
    """Longest integer that is computed exactly; beyond, a value is known to its leading digits."""
    terms: int
    """Most terms of a sum or product."""


NUMBER = Limits(bits=120_000, terms=3_000)
"""For expressions without variables, which are evaluated once."""
POINT = Limits(bits=8_000, terms=200)
"""For expressions that are evaluated at many points."""
SEARCH = Limits(bits=1_000, terms=50)
"""For expressions whose zeros are sought."""


class Budget:
    """Steps that the evaluation of one pair of expressions may take."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def spend(self, steps: int = 1) -> None:
        """Take ``steps`` away.

        Raises:
            Unsupported: If none is left.
        """
        self.left -= steps
        if self.left < 0:
            raise Unsupported


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
        rule = _RULES.get(name)
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
        """Return whether ``a`` and ``b`` agree to three quarters of the digits; exactly where both are rational."""
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
        low, high = (self._integer(self.value(end, point)) for end in ends)
        if high - low > self.limits.terms:
            raise Unsupported
        total: Value = Fraction(0 if is_sum else 1)
        for place in range(low, high + 1):
            term = self.value(expr.args[0], {**point, index: Fraction(place)})
            total = _add(self, total, term) if is_sum else _multiply(self, total, term)
        return self._checked(total)

    def _unknown(self, name: str, values: list[Value]) -> Value:
        """Return the value of a function of which only the name is known: any, but always the same one."""
        shown = [
            str(value) if isinstance(value, Fraction) else self.mp.nstr(value, min(25, self.digits // 2))
            for value in values
        ]
        digest = hashlib.sha256("\0".join([name, *shown]).encode()).digest()
        return Fraction(int.from_bytes(digest[:16]) + 1, int.from_bytes(digest[16:]) + 1)

    def _integer(self, value: Value) -> int:
        """Return the integer that ``value`` is.

        Raises:
            Undefined: If it is none.
        """
        if isinstance(value, Fraction):
            if value.denominator != 1:
                raise Undefined
            return value.numerator
        nearest = self._nearest(value)
        if nearest is None:
            raise Undefined
        return nearest

    def _nearest(self, value: Value) -> int | None:
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


# ---------------------------------------------------------------------------------------------------- arithmetic


def _add(at: Evaluator, *values: Value) -> Value:
    exact, others = _told_apart(values)
    total = sum(exact, Fraction(0))
    return sum(others, at.to_float(total)) if others else total


def _multiply(at: Evaluator, *values: Value) -> Value:
    exact, others = _told_apart(values)
    total = math.prod(exact, start=Fraction(1))
    return math.prod(others, start=at.to_float(total)) if others and total else total


def _told_apart(values: tuple[Value, ...]) -> tuple[list[Fraction], list[Any]]:
    """Return the rational ones of ``values``, and the others."""
    exact = [value for value in values if isinstance(value, Fraction)]
    return exact, [value for value in values if not isinstance(value, Fraction)]


def _power(at: Evaluator, base: Value, exponent: Value) -> Value:
    if isinstance(exponent, Fraction):
        if exponent.denominator == 1:
            return _integer_power(at, base, exponent.numerator)
        if isinstance(base, Fraction):
            root = _exact_root(base, exponent)
            if root is not None:
                return root
    elif not at.is_complex and isinstance(base, Fraction) and base == 1:
        return base
    return _root(at, base, exponent)


def _integer_power(at: Evaluator, base: Value, exponent: int) -> Value:
    if exponent == 0:
        return Fraction(1)
    if base == 0 and exponent < 0:
        raise Undefined
    if isinstance(base, Fraction):
        bits = max(base.numerator.bit_length(), base.denominator.bit_length())
        if base in (0, 1, -1) or bits * abs(exponent) <= at.limits.bits:
            return base if base in (0, 1) else base ** (exponent % 2 if base == -1 else exponent)
        base = at.to_float(base)
    if abs(exponent) > _LARGEST_ARGUMENT:
        raise Unsupported
    return base**exponent


def _exact_root(base: Fraction, exponent: Fraction) -> Fraction | None:
    """Return the value of a power that is rational, as 8^(2/3); None if it is irrational or too long to try."""
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    if base < 0 or bits > _MAX_ROOT_BITS or exponent.denominator > 64 or abs(exponent.numerator) > 200:
        return None
    if base == 0:
        if exponent < 0:
            raise Undefined
        return base
    roots = [_integer_root(part, exponent.denominator) for part in (base.numerator, base.denominator)]
    if None in roots:
        return None
    return Fraction(roots[0] or 0, roots[1] or 1) ** exponent.numerator


def _integer_root(number: int, degree: int) -> int | None:
    """Return the integer whose power of ``degree`` is ``number``; None if there is none."""
    if degree == 2:
        root = math.isqrt(number)
    else:
        low, high = 0, 1 << (number.bit_length() // degree + 1)
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if middle**degree <= number else (low, middle - 1)
        root = low
    return root if root**degree == number else None


def _root(at: Evaluator, base: Value, exponent: Value) -> Value:
    x, y = at.to_float(base), at.to_float(exponent)
    if abs(y) > _LARGEST_ARGUMENT:
        raise Unsupported
    if x == 0:
        if at.mp.re(y) <= 0:
            raise Undefined
        return Fraction(0)
    if at.is_complex or (not isinstance(x, at.mp.mpc) and x > 0):
        return at.mp.power(x, y)
    odd = isinstance(exponent, Fraction) and exponent.denominator % 2 == 1
    if not odd:
        raise Undefined
    size = at.mp.power(-x, y)
    return -size if exponent.numerator % 2 else size


# ----------------------------------------------------------------------------------------------------- functions


def _exp(at: Evaluator, x: Value) -> Value:
    if x == 0:
        return Fraction(1)
    x = at.to_float(x)
    if abs(x) > _LARGEST_ARGUMENT:
        raise Unsupported
    return at.mp.exp(x)


def _log(at: Evaluator, x: Value, base: Value = None) -> Value:
    if base is not None:
        top, bottom = _log(at, x), _log(at, base)
        if bottom == 0:
            raise Undefined
        return at.to_float(top) / at.to_float(bottom)
    if x == 1:
        return Fraction(0)
    if x == 0:
        raise Undefined
    return at.mp.log(at.to_float(x))


def _real_function(name: str) -> Callable[[Evaluator, Value], Value]:
    """Return the rule of a function that mpmath has under ``name``."""

    def rule(at: Evaluator, x: Value) -> Value:
        x = at.to_float(x)
        if abs(x) > _LARGEST_ARGUMENT:
            raise Unsupported
        try:
            return getattr(at.mp, name)(x)
        except (ValueError, ZeroDivisionError):
            raise Undefined from None

    return rule


def _quotient(top: str, bottom: str) -> Callable[[Evaluator, Value], Value]:
    """Return the rule of tan = sin/cos and its like, which have no value where ``bottom`` is 0."""
    above, below = _real_function(top), _real_function(bottom)

    def rule(at: Evaluator, x: Value) -> Value:
        divisor = below(at, x)
        if at.is_tiny(divisor):
            raise Undefined
        return above(at, x) / divisor

    return rule


def _reciprocal(name: str) -> Callable[[Evaluator, Value], Value]:
    """Return the rule of sec and csc: 1 by what mpmath has under ``name``."""
    below = _real_function(name)

    def rule(at: Evaluator, x: Value) -> Value:
        divisor = below(at, x)
        if at.is_tiny(divisor):
            raise Undefined
        return 1 / divisor

    return rule


def _inverse_of(name: str) -> Callable[[Evaluator, Value], Value]:
    """Return the rule of acot, asec and acsc: the inverse of ``name`` at 1/x."""
    rule = _real_function(name)

    def inverse(at: Evaluator, x: Value) -> Value:
        if x == 0:
            raise Undefined
        return rule(at, 1 / x)

    return inverse


def _real(at: Evaluator, x: Value) -> Value:
    if isinstance(x, at.mp.mpc):
        if not at.is_tiny(x.imag):
            raise Undefined
        return x.real
    return x


def _sign(at: Evaluator, x: Value) -> Value:
    x = _real(at, x)
    return Fraction(0 if at.is_tiny(x) and not isinstance(x, Fraction) else (x > 0) - (x < 0))


def _largest(at: Evaluator, *values: Value) -> Value:
    return max((_real(at, value) for value in values), key=at.to_float)


def _smallest(at: Evaluator, *values: Value) -> Value:
    return min((_real(at, value) for value in values), key=at.to_float)


def _floor(at: Evaluator, x: Value) -> Value:
    if isinstance(x, Fraction):
        return Fraction(math.floor(x))
    nearest = at._nearest(_real(at, x))
    return Fraction(int(at.mp.floor(_real(at, x))) if nearest is None else nearest)


def _ceiling(at: Evaluator, x: Value) -> Value:
    return -_floor(at, -x)


def _fraction_part(at: Evaluator, x: Value) -> Value:
    return x - _floor(at, x) if isinstance(x, Fraction) else x - at.to_float(_floor(at, x))


def _modulo(at: Evaluator, x: Value, modulus: Value) -> Value:
    a, m = (_real(at, value) for value in (x, modulus))
    if m == 0:
        raise Undefined
    turns = _floor(
        at, a / m if isinstance(m, Fraction) == isinstance(a, Fraction) else at.to_float(a) / at.to_float(m)
    )
    return _add(at, a, -_multiply(at, m, turns))


def _divisor(at: Evaluator, *values: Value) -> Value:
    return Fraction(math.gcd(*(at._integer(value) for value in values)))


def _multiple(at: Evaluator, *values: Value) -> Value:
    return Fraction(math.lcm(*(at._integer(value) for value in values)))


def _factorial(at: Evaluator, n: Value) -> Value:
    n = _snapped(at, n)
    if isinstance(n, Fraction) and n.denominator == 1:
        if n < 0:
            raise Undefined
        if n <= _MAX_FACTORIAL:
            at.budget.spend(int(n) // 50)
            return Fraction(math.factorial(int(n)))
    return _gamma(at, n + 1)


def _gamma(at: Evaluator, x: Value) -> Value:
    if isinstance(x, Fraction) and x.denominator == 1 and (x <= 0 or x <= _MAX_FACTORIAL):
        return _factorial(at, x - 1)
    x = at.to_float(x)
    if abs(x) > 10**7:
        raise Unsupported
    at.budget.spend(at.digits * 2)
    return at.mp.gamma(x)


def _snapped(at: Evaluator, x: Value) -> Value:
    """Return ``x`` as an exact integer if it is one but for rounding."""
    if isinstance(x, Fraction | at.mp.mpc) or abs(x) > 10**12:
        return x
    nearest = at._nearest(x)
    return x if nearest is None else Fraction(nearest)


def _double_factorial(at: Evaluator, n: Value) -> Value:
    whole = at._integer(n)
    if whole < -1:
        raise Undefined
    if whole > _MAX_FACTORIAL:
        raise Unsupported
    return Fraction(math.prod(range(whole, 0, -2)))


def _binomial(at: Evaluator, n: Value, k: Value) -> Value:
    n, k = _snapped(at, n), _snapped(at, k)
    whole = [isinstance(value, Fraction) and value.denominator == 1 for value in (n, k)]
    if all(whole) and n >= 0:
        shorter = min(k, n - k)
        if shorter < 0:
            return Fraction(0)
        if shorter <= _MAX_FACTORIAL and shorter * int(n).bit_length() <= at.limits.bits:
            at.budget.spend(int(shorter) // 20)
            return Fraction(math.comb(int(n), int(k)))
    if whole[1] and 0 <= k <= 30:
        return _multiply(at, *(_add(at, n, Fraction(-step)) for step in range(int(k)))) / math.factorial(
            int(k)
        )
    if abs(at.to_float(n)) > 10**6 or abs(at.to_float(k)) > 10**6:
        raise Unsupported
    at.budget.spend(at.digits * 6)
    return at.mp.binomial(at.to_float(n), at.to_float(k))


def _cis(at: Evaluator, angle: Value) -> Value:
    return at.mp.expj(at.to_float(angle))


_RULES: dict[str, Callable[..., Value]] = {
    "Add": _add,
    "Mul": _multiply,
    "Pow": _power,
    "UnevaluatedExpr": lambda at, x: x,
    "exp": _exp,
    "log": _log,
    "Abs": lambda at, x: abs(x),
    "sign": _sign,
    "Max": _largest,
    "Min": _smallest,
    "floor": _floor,
    "ceiling": _ceiling,
    "frac": _fraction_part,
    "Mod": _modulo,
    "factorial": _factorial,
    "factorial2": _double_factorial,
    "gamma": _gamma,
    "binomial": _binomial,
    "tan": _quotient("sin", "cos"),
    "cot": _quotient("cos", "sin"),
    "sec": _reciprocal("cos"),
    "csc": _reciprocal("sin"),
    "acot": _inverse_of("atan"),
    "asec": _inverse_of("acos"),
    "acsc": _inverse_of("asin"),
    **{name: _real_function(name) for name in ("sin", "cos", "asin", "acos", "atan", "sinh", "cosh", "tanh", "coth",
                                               "sech", "csch", "asinh", "acosh", "atanh", "erf", "zeta")},
    "gcd": _divisor,
    "lcm": _multiple,
    "mod": _modulo,
    "df": _double_factorial,
    "cis": _cis,
    "max": _largest,
    "min": _smallest,
    "sgn": _sign,
}  # fmt: skip
"""How functions are evaluated, by the names of sympy's classes and those that `functions` gives."""
