r"""Compare two mathematical expressions, with math-verify's parser behind guards of our own.

math-verify decides equality of numbers to a fixed number of decimals, so that 1/2004! equals 1/2006! and 1/3
equals 0.333333, and it takes roots of negative numbers as complex. Here numbers are compared exactly where they are
rational, else to more digits than either is written with; expressions with variables as `sampling` says. Sets that
come as one expression are left to math-verify's own comparison.

sympy is imported on first use, which should be inside a worker process.

    >>> equal(r"\sqrt[3]{-8}", "-2"), equal(r"\lfloor x \rfloor", "x"), equal(r"\gcd(m,n)", "1")
    (True, False, False)
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache, partial, wraps
from typing import Any, ParamSpec, TypeVar

from k2eval.grading.math import functions, sampling
from k2eval.grading.math.budget import Budget, Undefined, Unsupported
from k2eval.grading.math.size import digits, fits
from k2eval.grading.math.values import Evaluator

Expr = Any
"""A sympy expression."""
P = ParamSpec("P")
T = TypeVar("T")
D = TypeVar("D")

_MAX_CHARS = 2000
_MAX_NESTING = 12
_MAX_PRECISION = 20_000
_STEPS = 200_000
# Matches ten commands in a row, or 20 bars; not "\sin\cos x".
_TANGLED = re.compile(r"(?:\\[a-zA-Z]+\s*){10}|(?:\|[^|]*){20}")
"""Chains of functions and unpaired bars, for which the parser takes exponentially long."""
# Matches a number of 1,500 digits; not a shorter one.
_LONG_NUMBER = re.compile(r"\d{1500}")
# Matches "1.5" and ".5"; not "1.2.3" or "1.".
_DECIMAL = re.compile(r"(?<![\d.])(\d*)\.(\d+)(?![\d.])")
# Matches "\binom{5}{2}"; not "\binom{n}{2}".
_BINOMIAL = re.compile(r"\\binom\s*\{\s*(\d+)\s*\}\s*\{\s*(\d+)\s*\}")
_SUMMED = re.compile(r"(\\(?:sum|prod)\s*(?:[_^]\s*(?:\{[^{}]*\}|\w)\s*){1,2})\\cdot(?![a-zA-Z])")
r"""Matches a sign of multiplication between a sum and what it sums."""
_UNREADABLE = re.compile(
    r"\\(?:[io]*int|lim|partial|[lc]?dots|vdots|triangle|angle|deg|max|min|gcd|lcm|sup|inf(?!ty)|pmod|mod|bmod)(?![a-zA-Z])"
    r"|\.\.\.|__|(?<![\w}])\d+\s*_|\?|:=|(?<=[\d)}\]])\s*(?:'|\^\s*\{?\s*\\prime)"
)
r"""Matches what the parser reads wrongly: \lim, \dots, 7' / not \limits, f'(x)."""


def otherwise(result: D) -> Callable[[Callable[P, T]], Callable[P, T | D]]:
    """Let a function return ``result`` if sympy fails, which has a dozen kinds of error."""

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
@otherwise(None)
def parse(text: str) -> Expr | None:
    """Parse LaTeX into a sympy expression; return None if ``text`` is unreadable or beyond the guards."""
    if not text or len(text) > _MAX_CHARS or not _is_shallow(text):
        return None
    if _LONG_NUMBER.search(text) or _TANGLED.search(text):
        return None
    if any(int(n) > 20_000 for n, _ in _BINOMIAL.findall(text)):
        return None
    return functions.parse(_prepare(text), _parse_plain)


def _parse_plain(text: str) -> Expr | None:
    if _UNREADABLE.search(text):
        return None
    try:
        expr = _parser()(text)
    except (MemoryError, ImportError):
        raise
    except Exception:
        return None
    return expr if hasattr(expr, "free_symbols") else None


@lru_cache(maxsize=1)
def _parser() -> Callable[[str], Expr]:
    from latex2sympy2_extended import latex2sympy
    from latex2sympy2_extended.latex2sympy2 import ConversionConfig

    config = ConversionConfig(lowercase_symbols=False)
    return partial(latex2sympy, normalization_config=None, conversion_config=config)


def _is_shallow(text: str) -> bool:
    depth = deepest = 0
    for char in text:
        depth += (char in "([{") - (char in ")]}")
        deepest = max(deepest, depth)
    return deepest <= _MAX_NESTING


def _prepare(text: str) -> str:
    """Return ``text`` in the dialect of the parser.

    Decimals become fractions, so that none is rounded. 2\\binom{5}{2} and 2(10) get their sign, since the parser
    reads them as the mixed number 2 + 10.
    """
    text = re.sub(r"\\varphi(?![a-zA-Z])", r"\\phi", text)
    text = re.sub(
        r"(?<!\\)(?<![a-zA-Z])([a-zA-Z])('+)(?!\s*_)", lambda m: f"{m[1]}_{{{9100 + len(m[2])}}}", text
    )
    text = re.sub(r"(?<!_\d)(?<=[\d)!])\s*(?=[(\[])", r"\\cdot ", text)
    text = re.sub(r"(?<=[\d})!])\s*(?=\\binom)", r"\\cdot ", text)
    text = _SUMMED.sub(r"\1 ", text)
    text = _DECIMAL.sub(lambda m: f"\\frac{{{int(m[1] + m[2])}}}{{{10 ** len(m[2])}}}", text)
    text = re.sub(r"\\(lfloor|rfloor|lceil|rceil|cdot|times)(?=\S)", r"\\\1 ", text)
    text = re.sub(r"(\d+|[a-zA-Z])!(?=\s*\^)", r"{(\1!)}", text)
    text = re.sub(r"(\([^()]*\))!(?=\s*\^)", r"{(\1!)}", text)
    return text


@otherwise(False)
def equal(gold: str, answer: str) -> bool:
    """Return whether two leaves of LaTeX mean the same value."""
    left, right = parse(gold), parse(answer)
    return left is not None and right is not None and _equal(left, right, f"{gold}\0{answer}")


def _equal(left: Expr, right: Expr, seed: str) -> bool:
    if type(left).__name__ != type(right).__name__ and _is_set(left) != _is_set(right):
        return False
    if _is_set(left):
        return _verify(left, right)
    if left == right:
        return _has_value(left)
    if not left.free_symbols and right.free_symbols:
        right = _with_golden_ratio(right)
    if not left.free_symbols and not right.free_symbols:
        if not fits(left) or not fits(right):
            return _huge_equal(left, right)
        return numbers_equal(left, right)
    if _is_never_evaluated(left) or _is_never_evaluated(right):
        return False
    imaginary = left.has(_imaginary_unit()) or right.has(_imaginary_unit())
    verdict = sampling.agree(left, right, seed, is_complex=imaginary)
    if verdict is None and not imaginary:
        verdict = sampling.agree(left, right, seed, is_complex=True)
    if not verdict and any(symbol.name == "i" for symbol in left.free_symbols | right.free_symbols):
        return _equal(_with_imaginary_unit(left), _with_imaginary_unit(right), seed)
    return bool(verdict)


def _imaginary_unit() -> Expr:
    import sympy

    return sympy.I


def _with_golden_ratio(expr: Expr) -> Expr:
    """Return ``expr`` with its only letter, if that is phi, as the golden ratio: what is asked for is a number."""
    import sympy

    [symbol, *others] = expr.free_symbols
    return expr if others or symbol.name not in ("phi", r"\phi") else expr.subs(symbol, sympy.GoldenRatio)


def _has_value(expr: Expr) -> bool:
    """Return whether ``expr`` is no division by 0, and nothing that only looks like a value."""
    import sympy

    return not expr.has(sympy.nan, sympy.zoo)


def _is_never_evaluated(expr: Expr) -> bool:
    import sympy

    return bool(expr.has(sympy.Integral, sympy.Limit, sympy.Derivative, sympy.nan, sympy.zoo, sympy.oo))


def _is_set(expr: Expr) -> bool:
    import sympy

    if isinstance(expr, sympy.Symbol):  # which sympy counts among the Booleans
        return False
    return isinstance(expr, sympy.Set | sympy.Tuple | sympy.logic.boolalg.Boolean)


def _with_imaginary_unit(expr: Expr) -> Expr:
    import sympy

    return expr.subs({symbol: sympy.I for symbol in expr.free_symbols if symbol.name == "i"})


def numbers_equal(left: Expr, right: Expr) -> bool:
    """Return whether two expressions without variables have the same value.

    Roots are real where both sides have a real value, else principal ones.
    """
    import sympy

    if left == right:
        return _has_value(left)
    if any(side.has(sympy.oo, -sympy.oo, sympy.zoo, sympy.nan) for side in (left, right)):
        return bool(left.doit() == right.doit() and _has_value(left))
    longest = int(min(2 * max(digits(left), digits(right)) + 60, _MAX_PRECISION))
    for is_complex in (False, True):
        try:
            evaluator = Evaluator(max(150, longest), Budget(_STEPS), is_complex)
            return sampling.same_value(left, right, {}, evaluator)
        except (Undefined, ZeroDivisionError):
            continue
        except Unsupported:
            return bool(left.doit() == right.doit())
    return False


def _huge_equal(left: Expr, right: Expr) -> bool:
    """Tell whether powers and products that are too large to expand are equal, by their logarithms."""
    try:
        a, b = (_log(side, 0) for side in (left, right))
    except ValueError:
        return False
    return fits(a) and fits(b) and numbers_equal(a, b)


def _log(expr: Expr, depth: int) -> Expr:
    import sympy

    if depth > 10 or expr.free_symbols:
        raise ValueError
    if expr.is_Rational and expr > 0:
        return sympy.log(expr.p) - sympy.log(expr.q)
    if type(expr).__name__ in ("factorial", "binomial") and fits(expr):
        return _log(expr.doit(), depth + 1)
    if expr.is_Mul:
        return sympy.Add(*(_log(factor, depth + 1) for factor in expr.args))
    if expr.is_Pow and fits(expr.exp):
        return expr.exp.doit() * _log(expr.base, depth + 1)
    raise ValueError


@otherwise(False)
def proportional(gold: tuple[str, str], answer: tuple[str, str], positive: bool) -> bool:
    """Return whether gold's left - right is a constant times the answer's: the same line, or the same inequality.

    Args:
        gold: Left and right side.
        answer: Left and right side.
        positive: Whether the constant must be above zero, as for inequalities.
    """
    a, b = (parse(f"({side[0]})-({side[1]})") for side in (gold, answer))
    if a is None or b is None or a.free_symbols != b.free_symbols or not a.free_symbols:
        return False
    ratio = sampling.constant_ratio(a, b, "\0".join((*gold, *answer)))
    return ratio is not None and (not positive or ratio > 0)


@otherwise(False)
def vanishes(expr: Expr) -> bool:
    """Tell whether an expression with variables is 0 if they are all 0."""
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
