"""Compare two mathematical expressions, with math-verify's parser behind guards of our own.

math-verify decides equality of numbers to a fixed number of decimals, so that 1/2004! equals 1/2006! and 1/3
equals 0.333333. Here numbers are compared exactly where they are rational, else by relative difference at 50,
then 400 and, if their parts are longer, more digits; expressions with variables by their values at several
points. Only what cannot be evaluated (unknown functions, sets) is left to math-verify's own comparison.

sympy is imported on first use, which should be inside a worker process.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, ParamSpec, TypeVar

from k2eval.grading.math.size import digits, fits

Expr = Any
"""A sympy expression."""
P = ParamSpec("P")
T = TypeVar("T")
D = TypeVar("D")

_MAX_CHARS = 2000
_MAX_NESTING = 12
_MAX_PRECISION = 20_000
_TANGLED = re.compile(r"(?:\\[a-zA-Z]+\s*){10}|(?:\|[^|]*){20}")
"""Chains of functions and unpaired bars, for which the parser takes exponentially long."""
_LONG_NUMBER = re.compile(r"\d{1500}")
_DECIMAL = re.compile(r"(?<![\d.])(\d*)\.(\d+)(?![\d.])")
_BINOMIAL = re.compile(r"\\binom\s*\{\s*(\d+)\s*\}\s*\{\s*(\d+)\s*\}")
_UNREADABLE = re.compile(
    r"\\(?:[io]*int|lim|partial|[lc]?dots|vdots|triangle|angle|deg|m(?:ax|in)(?!\s*(?:\(|\\\{)[^()]*,)|sup|inf(?!ty)|pmod|mod|bmod)(?![a-zA-Z])|\.\.\.|__|\?|:="
)


def otherwise(result: D) -> Callable[[Callable[P, T]], Callable[P, T | D]]:
    """A function gives ``result`` where sympy fails, which it does with a dozen kinds of error."""

    def guard(function: Callable[P, T]) -> Callable[P, T | D]:
        @wraps(function)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> T | D:
            try:
                return function(*args, **kwargs)
            except (MemoryError, ImportError):
                raise
            except Exception:
                return result

        return guarded

    return guard


@lru_cache(maxsize=4096)
def parse(text: str) -> Expr | None:
    """The sympy expression that the LaTeX ``text`` means; None if it is unreadable or beyond the guards."""
    if not text or len(text) > _MAX_CHARS or _UNREADABLE.search(text) or not _is_shallow(text):
        return None
    if _LONG_NUMBER.search(text) or _TANGLED.search(text):
        return None
    if any(int(n) > 20_000 for n, _ in _BINOMIAL.findall(text)):
        return None
    from latex2sympy2_extended import latex2sympy
    from latex2sympy2_extended.latex2sympy2 import ConversionConfig

    try:
        found = latex2sympy(
            _prepare(text),
            normalization_config=None,
            conversion_config=ConversionConfig(lowercase_symbols=False),
        )
    except (MemoryError, ImportError):
        raise
    except Exception:
        return None
    return found if hasattr(found, "free_symbols") else None


def _is_shallow(text: str) -> bool:
    depth = deepest = 0
    for char in text:
        depth += (char in "([{") - (char in ")]}")
        deepest = max(deepest, depth)
    return deepest <= _MAX_NESTING


def _prepare(text: str) -> str:
    """``text`` in the dialect of the parser.

    Decimals become fractions, so that none is rounded. 2\\binom{5}{2} and 2(10) get their sign, since the parser
    reads them as the mixed number 2 + 10.
    """
    text = re.sub(r"(\\m(?:ax|in))\s*\\\{([^{}]*)\\\}", r"\1(\2)", text)
    text = re.sub(r"(?<!_\d)(?<=[\d)!])\s*(?=[(\[])", r"\\cdot ", text)
    text = re.sub(r"(?<=[\d})!])\s*(?=\\binom)", r"\\cdot ", text)
    text = _DECIMAL.sub(lambda m: f"\\frac{{{int(m[1] + m[2])}}}{{{10 ** len(m[2])}}}", text)
    text = re.sub(r"\\(lfloor|rfloor|lceil|rceil|cdot|times)(?=\S)", r"\\\1 ", text)
    text = re.sub(r"(\d+|[a-zA-Z])!(?=\s*\^)", r"{(\1!)}", text)
    text = re.sub(r"(\([^()]*\))!(?=\s*\^)", r"{(\1!)}", text)
    return text


@otherwise(False)
def equal(gold: str, given: str) -> bool:
    """Whether two leaves of LaTeX mean the same value."""
    left, right = parse(gold), parse(given)
    return left is not None and right is not None and _equal(left, right)


def _equal(left: Expr, right: Expr) -> bool:
    if type(left).__name__ != type(right).__name__ and _is_set(left) != _is_set(right):
        return False
    if _is_set(left):
        return _verify(left, right)
    if not fits(left) or not fits(right):
        return _huge_equal(left, right)
    symbols = left.free_symbols | right.free_symbols
    if not symbols:
        return numbers_equal(left, right)
    at_points = _equal_at_points(left, right, symbols)
    if not at_points and any(symbol.name == "i" for symbol in symbols):
        return _equal(*(_with_imaginary_unit(side) for side in (left, right)))
    return _verify(left, right) if at_points is None else at_points


def _is_set(expr: Expr) -> bool:
    import sympy

    if isinstance(expr, sympy.Symbol):  # which sympy counts among the Booleans
        return False
    return isinstance(expr, sympy.Set | sympy.Tuple | sympy.logic.boolalg.Boolean)


def _with_imaginary_unit(expr: Expr) -> Expr:
    import sympy

    return expr.subs({symbol: sympy.I for symbol in expr.free_symbols if symbol.name == "i"})


def numbers_equal(left: Expr, right: Expr) -> bool:
    """Whether two expressions without variables have the same value."""
    import sympy

    a, b = left.doit(), right.doit()
    if a == b:
        return a not in (sympy.nan, sympy.zoo)
    if a.is_Rational and b.is_Rational:
        return False
    if any(side.has(sympy.oo, -sympy.oo, sympy.zoo, sympy.nan) for side in (a, b)):
        return False
    longest = int(min(2 * max(digits(a), digits(b)), _MAX_PRECISION))
    return all(_close(a, b, precision) for precision in sorted({50, 400, max(400, longest)}))


def _close(a: Expr, b: Expr, precision: int) -> bool:
    """Whether ``a`` and ``b`` agree to almost ``precision`` significant digits."""
    import sympy

    x, y = a.evalf(precision), b.evalf(precision)
    if not (x.is_number and y.is_number) or any(side.has(sympy.nan, sympy.zoo, sympy.oo) for side in (x, y)):
        return False
    if a == 0 or b == 0:
        return bool(abs(x - y) < sympy.Float(10) ** -precision and sympy.simplify(a - b) == 0)
    scale = max(abs(x), abs(y))
    return bool(abs(x - y) <= scale * sympy.Float(10, precision) ** (8 - precision))


def _equal_at_points(left: Expr, right: Expr, symbols: set[Expr]) -> bool | None:
    """Whether two expressions agree at several points; None where they cannot be evaluated there."""
    pairs = [(a, b) for a, b in _values(left, right, symbols)]
    numeric = [(a, b) for a, b in pairs if _is_finite_number(a) and _is_finite_number(b)]
    if len(numeric) < 3:
        return None
    return all(numbers_equal(a, b) for a, b in numeric)


def _values(left: Expr, right: Expr, symbols: set[Expr]) -> Any:
    names = sorted(symbols, key=lambda symbol: str(symbol.name))
    for point in _points(
        len(names), _is_discrete(left) or _is_discrete(right), _is_signed(left) or _is_signed(right)
    ):
        at = dict(zip(names, point, strict=True))
        a, b = left.subs(at).doit(), right.subs(at).doit()
        if fits(a) and fits(b):
            yield a, b


def _points(count: int, discrete: bool, signed: bool) -> Any:
    """Points to compare at: naturals of both parities, and positive fractions for smooth expressions."""
    from sympy import Rational

    naturals = itertools.cycle([5, 3, 7, 4, 6, 2, 8])
    for _ in range(5):
        yield [next(naturals) for _ in range(count)]
    if not discrete:
        for shift in range(3):
            yield [Rational(17 + 7 * index + 10 * shift, 5 + index) for index in range(count)]
    if signed:
        for shift in range(2):
            yield [Rational(-13 - 4 * index - 7 * shift, 3 + index) for index in range(count)]


def _is_discrete(expr: Expr) -> bool:
    """Whether ``expr`` suggests that its variables are integers: ⌊x⌋, n!, (-1)^n, sums."""
    import sympy

    if expr.has(
        sympy.floor,
        sympy.ceiling,
        sympy.factorial,
        sympy.binomial,
        sympy.Mod,
        sympy.Sum,
        sympy.Product,
        sympy.gamma,
    ):
        return True
    return any(power.base.is_negative and power.exp.free_symbols for power in expr.atoms(sympy.Pow))


def _is_signed(expr: Expr) -> bool:
    """Whether the sign of a variable matters: |x|, max(x, 0), and roots of squares."""
    import sympy

    return bool(expr.has(sympy.Abs, sympy.sign, sympy.Max, sympy.Min)) or any(
        power.exp == sympy.Rational(1, 2) and power.base.is_Pow and power.base.exp == 2
        for power in expr.atoms(sympy.Pow)
    )


def _is_finite_number(expr: Expr) -> bool:
    return bool(getattr(expr, "is_number", False)) and expr.is_finite is not False and not expr.has_free()


def _huge_equal(left: Expr, right: Expr) -> bool:
    """Equality of powers and products that are too large to expand, by their logarithms."""
    try:
        a, b = (_log(side, 0) for side in (left, right))
    except ValueError:
        return False
    return fits(a) and fits(b) and numbers_equal(a, b)


def _log(expr: Expr, depth: int) -> Expr:
    import sympy

    if depth > 10 or expr.free_symbols:
        raise ValueError
    if expr.is_Integer and expr > 0:
        return sympy.log(expr)
    if expr.is_Mul:
        return sympy.Add(*(_log(factor, depth + 1) for factor in expr.args))
    if expr.is_Pow and fits(expr.exp):
        return expr.exp.doit() * _log(expr.base, depth + 1)
    raise ValueError


@otherwise(False)
def proportional(gold: tuple[str, str], given: tuple[str, str], positive: bool) -> bool:
    """Whether gold's left - right is a constant times given's: the same line, or the same inequality.

    Args:
        gold: Left and right side.
        given: Left and right side.
        positive: Whether the constant must be above zero, as for inequalities.
    """
    a, b = (parse(f"({side[0]})-({side[1]})") for side in (gold, given))
    if a is None or b is None or a.free_symbols != b.free_symbols or not a.free_symbols:
        return False
    if not fits(a) or not fits(b):
        return False
    ratios = [x / y for x, y in _values(a, b, a.free_symbols) if y != 0]
    if len(ratios) < 3 or not all(_is_finite_number(ratio) and ratio != 0 for ratio in ratios):
        return False
    return all(numbers_equal(ratios[0], other) for other in ratios[1:]) and (not positive or ratios[0] > 0)


@otherwise(False)
def vanishes(expr: Expr) -> bool:
    """Whether an expression with variables is 0 where they are all 0."""
    import sympy

    return fits(expr) and numbers_equal(expr.subs(dict.fromkeys(expr.free_symbols, 0)), sympy.S.Zero)


def _verify(left: Expr, right: Expr) -> bool:
    from math_verify import verify

    return bool(verify(left, right, timeout_seconds=None))


def prepare() -> None:
    """Import the parser and warm it up."""
    import logging

    logging.getLogger("math_verify").setLevel(logging.CRITICAL)
    equal(r"\frac{1}{2}+x", r"x+\frac{2}{4}")
