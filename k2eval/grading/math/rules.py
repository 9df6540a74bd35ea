"""Functions of real and complex numbers, as `values` evaluates them: each takes the evaluator and its arguments."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from k2eval.grading.math.budget import Undefined, Unsupported

if TYPE_CHECKING:
    from k2eval.grading.math.values import Evaluator

Value = Any
"""A `Fraction` if the value is known exactly, else a number of mpmath."""

_MAX_FACTORIAL = 3_000
_MAX_ROOT_BITS = 4_000
_LARGEST_ARGUMENT = 10**40


# ---------------------------------------------------------------------------------------------------- arithmetic


def add(at: Evaluator, *values: Value) -> Value:
    """Return the sum of ``values``, exactly if all are rational."""
    exact, others = _told_apart(values)
    total = sum(exact, Fraction(0))
    return sum(others, at.to_float(total)) if others else total


def multiply(at: Evaluator, *values: Value) -> Value:
    """Return the product of ``values``, exactly if all are rational, or one is 0."""
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
    nearest = at.nearest(_real(at, x))
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
    return add(at, a, -multiply(at, m, turns))


def _divisor(at: Evaluator, *values: Value) -> Value:
    return Fraction(math.gcd(*(at.integer(value) for value in values)))


def _multiple(at: Evaluator, *values: Value) -> Value:
    return Fraction(math.lcm(*(at.integer(value) for value in values)))


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
    at.budget.spend(at.digits * 8)
    return at.mp.gamma(x)


def _snapped(at: Evaluator, x: Value) -> Value:
    """Return ``x`` as an exact integer if it is one but for rounding."""
    if isinstance(x, Fraction | at.mp.mpc) or abs(x) > 10**12:
        return x
    nearest = at.nearest(x)
    return x if nearest is None else Fraction(nearest)


def _double_factorial(at: Evaluator, n: Value) -> Value:
    whole = at.integer(n)
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
        return multiply(at, *(add(at, n, Fraction(-step)) for step in range(int(k)))) / math.factorial(int(k))
    if abs(at.to_float(n)) > 10**6 or abs(at.to_float(k)) > 10**6:
        raise Unsupported
    at.budget.spend(at.digits * 16)
    return at.mp.binomial(at.to_float(n), at.to_float(k))


def _cis(at: Evaluator, angle: Value) -> Value:
    return at.mp.expj(at.to_float(angle))


RULES: dict[str, Callable[..., Value]] = {
    "Add": add,
    "Mul": multiply,
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
    r"\zeta": _real_function("zeta"),
    "gcd": _divisor,
    "lcm": _multiple,
    "mod": _modulo,
    "df": _double_factorial,
    "cis": _cis,
    "max": _largest,
    "min": _smallest,
    "sgn": _sign,
}  # fmt: skip
"""The rule of each function, by the names of sympy's classes and those of `functions`."""
