r"""Draw the points at which two expressions are compared.

The domain of a variable follows from its name and its use:

- x, y, z, t, u, v, w and Greek letters are real numbers, of either sign;
- i to n, p, q and capital K, M, N are positive integers where the pair speaks of integers: floor, gcd, n!, (-1)^n;
- other letters are positive reals, or integers where they stand in gcd, lcm, mod, n! and binomials;
- where |.|, max, min or the root of a square is in play, every variable takes both signs and 0.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from k2eval.grading.math.budget import SEARCH, Budget, Undefined, Unsupported
from k2eval.grading.math.values import Evaluator

Expr = Any
"""A sympy expression."""
Point = dict[Expr, Fraction]

_REAL = frozenset("xyztuvw")
_INTEGERS = frozenset("ijklmnpqKMN")
_NEVER_INTEGERS = frozenset("xyz")
_ROUNDING = frozenset({"floor", "ceiling", "Mod", "mod", "frac"})
_INTEGRAL = _ROUNDING | {"factorial", "factorial2", "binomial", "gcd", "lcm", "Sum", "Product", "df"}
_ARGUMENTS_ARE_INTEGERS = frozenset({"Mod", "mod", "factorial", "factorial2", "binomial", "gcd", "lcm", "df"})
_SIGNED = frozenset({"Abs", "sign", "Max", "Min", "max", "min", "sgn"})
_MAX_BREAKS = 40
_LARGEST = 10**60
"""Largest number of an expression around which it is compared."""


@dataclass(frozen=True, slots=True)
class Domain:
    """The domain on which the variables of a pair of expressions are compared."""

    variables: tuple[Expr, ...]
    integers: frozenset[Expr]
    """Variables that are integers only."""
    negative: frozenset[Expr]
    """Variables that may be 0 and below."""
    constants: tuple[Fraction, ...]
    """Numbers that occur in the pair, around which it may change its rule."""
    breaks: tuple[Expr, ...]
    """Expressions whose zeros, or integer values, are where the pair changes its rule."""
    is_signed: bool
    """Whether a sign matters, so that both sides must be undefined at the same points."""


def name_of(part: Expr) -> str:
    """Return the name of the function or operation that ``part`` is."""
    return type(part).__name__


def domain_of(left: Expr, right: Expr) -> Domain:
    """Return where ``left`` and ``right`` are to be compared."""
    import sympy

    variables = tuple(sorted(left.free_symbols | right.free_symbols, key=lambda symbol: str(symbol.name)))
    parts = [part for side in (left, right) for part in sympy.preorder_traversal(side)]
    names = {name_of(part) for part in parts}
    is_signed = bool(names & _SIGNED) or any(_is_root_of_square(part) for part in parts)
    speaks_of_integers = bool(names & _INTEGRAL) or any(_alternates(part) for part in parts)
    integers = _integers(left.free_symbols, parts) if speaks_of_integers else frozenset()
    negative = frozenset(
        symbol for symbol in variables if is_signed or (symbol not in integers and _is_real(symbol))
    )
    constants = {value for part in parts if (value := _constant(part)) is not None}
    constants |= {a + b for a, b in itertools.pairwise(sorted(constants)[:12])}
    small = tuple(sorted((c for c in constants if abs(c) < _LARGEST), key=abs)[:24])
    breaks = tuple(dict.fromkeys(b for part in parts for b in _breaks(part)))[:8]
    return Domain(variables, integers, negative, small, breaks, is_signed)


def _constant(part: Expr) -> Fraction | None:
    """Return the rational number that ``part`` is, 10^15 included; None if it is none, or beyond all sizes."""
    if part.is_Rational:
        return Fraction(int(part.p), int(part.q))
    if not part.is_Pow or part.free_symbols:
        return None
    try:
        value = Evaluator(20, Budget(50), limits=SEARCH).value(part, {})
    except (Undefined, Unsupported, ZeroDivisionError):
        return None
    return value if isinstance(value, Fraction) else None


def _is_real(symbol: Expr) -> bool:
    bare = str(symbol.name).partition("_")[0]
    return bare in _REAL or len(bare) > 1


def _integers(variables: Iterable[Expr], parts: list[Expr]) -> frozenset[Expr]:
    import sympy

    named = {symbol for symbol in variables if str(symbol.name).partition("_")[0] in _INTEGERS}
    within: set[Expr] = set()
    for part in parts:
        if name_of(part) in _ARGUMENTS_ARE_INTEGERS:
            within |= part.free_symbols
        if name_of(part) in _ROUNDING and part.free_symbols & named:
            within |= {
                power.base for power in part.atoms(sympy.Pow) if power.exp == -1 and power.base.is_Symbol
            }
    return frozenset(
        named | {symbol for symbol in within & set(variables) if str(symbol.name) not in _NEVER_INTEGERS}
    )


def _is_root_of_square(part: Expr) -> bool:
    if not (part.is_Pow and part.exp.is_Rational and part.exp.q % 2 == 0):
        return False
    return bool(part.base.is_Pow and part.base.exp.is_Integer and part.base.exp % 2 == 0)


def _alternates(part: Expr) -> bool:
    """Return whether ``part`` is a power like (-1)^n, or a wave like cos(n pi)."""
    import sympy

    if part.is_Pow and part.free_symbols:
        return bool(part.base.is_number and part.base.is_negative and part.exp.free_symbols)
    return isinstance(part, sympy.sin | sympy.cos) and bool(part.free_symbols) and part.has(sympy.pi)


def _breaks(part: Expr) -> Iterator[Expr]:
    """Yield what is 0, or an integer, where ``part`` changes its rule."""
    name = name_of(part)
    if name in ("Max", "Min", "max", "min"):
        yield from (a - b for a, b in itertools.combinations(part.args[:4], 2))
    elif name in ("Abs", "sign", "sgn", "floor", "ceiling", "frac"):
        yield part.args[0]
    elif name in ("Mod", "mod"):
        yield part.args[0] / part.args[1]
    elif _is_root_of_square(part):
        yield part.base.base


# ------------------------------------------------------------------------------------------------------- points


def points(domain: Domain, rng: random.Random, evaluator: Evaluator) -> Iterator[tuple[Point, bool]]:
    """Yield points of ``domain``, and whether each is a generic one rather than chosen for a break."""
    kinds: list[Iterator[tuple[Point, bool]]] = [_random_points(domain, rng)]
    if domain.integers:
        kinds.append(_small_integers(domain, rng))
        kinds.append(_related_integers(domain, rng))
    if domain.breaks:
        kinds.append(_break_points(domain, rng, evaluator))
    if domain.breaks or domain.is_signed or domain.integers:
        kinds.append(_near_constants(domain, rng))
    return _in_turn(kinds)


def _in_turn(kinds: list[Iterator[tuple[Point, bool]]]) -> Iterator[tuple[Point, bool]]:
    while kinds:
        for kind in list(kinds):
            point = next(kind, None)
            if point is None:
                kinds.remove(kind)
            else:
                yield point


def _random_points(domain: Domain, rng: random.Random) -> Iterator[tuple[Point, bool]]:
    count = 64 if domain.integers or domain.is_signed or domain.breaks else 40
    for turn in range(count):
        drawn = {symbol: _random_number(symbol in domain.integers, rng, turn) for symbol in domain.variables}
        if turn % 2:
            drawn = {
                symbol: -x if symbol in domain.negative and rng.random() < 0.7 else x
                for symbol, x in drawn.items()
            }
        yield drawn, True


def _random_number(is_integer: bool, rng: random.Random, turn: int) -> Fraction:
    """Return a positive number: small, then between 0 and 1, then of any size."""
    if is_integer:
        top = (9, 40, 1_000, 10 ** rng.randint(3, 12))[turn // 2 % 4]
        return Fraction(rng.randint(1, top))
    size = turn // 2 % 4
    if size == 3:
        return Fraction(rng.randint(10**5, 10**6 - 1), 10 ** rng.randint(0, 9) + rng.randint(0, 9))
    bottom = rng.randint(1_000, 9_999)
    return Fraction(rng.randint(1, (6, 1, 20)[size] * bottom), bottom)


def _small_integers(domain: Domain, rng: random.Random) -> Iterator[tuple[Point, bool]]:
    if len(domain.variables) == 1:
        [symbol] = domain.variables
        for value in range(-12 if symbol in domain.negative else 1, 41):
            yield {symbol: Fraction(value)}, False
        return
    for _ in range(60):
        low = [-3 if symbol in domain.negative else 1 for symbol in domain.variables]
        yield (
            {s: Fraction(rng.randint(least, 8)) for s, least in zip(domain.variables, low, strict=True)},
            False,
        )


def _related_integers(domain: Domain, rng: random.Random) -> Iterator[tuple[Point, bool]]:
    """Yield points at which variables are powers, or multiples of one another but for 1."""
    names = list(domain.variables)
    for _ in range(24):
        base = rng.randint(2, 9)
        values = {symbol: Fraction(base ** rng.randint(1, 6) + rng.choice((-1, 0, 0, 1))) for symbol in names}
        if len(names) > 1:
            first, second = rng.sample(names, 2)
            values[second] = Fraction(rng.randint(2, 30))
            values[first] = values[second] * rng.randint(1, 30) + rng.choice((-1, 0, 0, 1))
        yield (
            {
                s: max(value, Fraction(1)) if s not in domain.negative else value
                for s, value in values.items()
            },
            False,
        )


def _near_constants(domain: Domain, rng: random.Random) -> Iterator[tuple[Point, bool]]:
    """Yield points around the numbers of the pair, and integers and halves if the variables are real."""
    near = [c + shift for c in domain.constants for shift in (0, -1, 1)]
    near += [c * factor for c in domain.constants for factor in (2, 3, -1)]
    near += [Fraction(value, 2) for value in range(-6, 7)]
    near += [c + Fraction(sign, 997) for c in domain.constants[:8] for sign in (-1, 1)]
    rng.shuffle(near)
    for value in near[:80]:
        point = {}
        for symbol in domain.variables:
            chosen = value if len(domain.variables) == 1 or rng.random() < 0.6 else rng.choice(near)
            chosen = Fraction(round(chosen)) if symbol in domain.integers else chosen
            point[symbol] = chosen if symbol in domain.negative else max(abs(chosen), Fraction(1))
        yield point, False


def _break_points(domain: Domain, rng: random.Random, evaluator: Evaluator) -> Iterator[tuple[Point, bool]]:
    """Yield points at the zeros and integer values of what breaks the rule, and between them."""
    for turn in range(3 if len(domain.variables) > 1 else 1):
        for expr in domain.breaks:
            inside = [symbol for symbol in domain.variables if symbol in expr.free_symbols]
            if not inside:
                continue
            symbol = rng.choice(inside)
            others = {
                other: _random_number(other in domain.integers, rng, turn)
                for other in domain.variables
                if other != symbol
            }
            for value in _around(_zeros(expr, symbol, others, evaluator, rng), symbol in domain.integers):
                if value > 0 or symbol in domain.negative:
                    yield {**others, symbol: value}, False


def _around(zeros: list[Fraction], is_integer: bool) -> Iterator[Fraction]:
    """Yield each of ``zeros``, what lies close to it on both sides, and what lies between neighbours."""
    for zero in zeros:
        if is_integer:
            yield from (Fraction(round(zero) + shift) for shift in (-1, 0, 1))
        else:
            yield from (zero + shift for shift in (0, Fraction(-1, 1009), Fraction(1, 1009)))
    for a, b in itertools.pairwise(sorted(zeros)):
        middle = (a + b) / 2
        yield Fraction(round(middle)) if is_integer else middle


def _zeros(
    expr: Expr, symbol: Expr, others: Point, evaluator: Evaluator, rng: random.Random
) -> list[Fraction]:
    """Return where ``expr`` is 0 or a few integers, as far as a search along ``symbol`` finds it."""

    def height(x: Fraction) -> float | None:
        try:
            return float(evaluator.to_float(evaluator.value(expr, {**others, symbol: x})))
        except (Undefined, Unsupported, OverflowError, TypeError):
            return None

    exact = _polynomial_zeros(expr, symbol, others)
    grid = sorted(
        {Fraction(step, 2) for step in range(-16, 17)}
        | {Fraction(s * 4**k) for k in range(2, 12) for s in (1, -1)}
    )
    heights = [(x, y) for x in grid if (y := height(x)) is not None]
    levels = [0, 1, -1, 2, 3, rng.randint(4, 60), -rng.randint(2, 60)]
    zeros = list(exact)
    for level, ((a, low), (b, high)) in itertools.product(levels, itertools.pairwise(heights)):
        if (low - level) * (high - level) < 0 and len(zeros) < _MAX_BREAKS:
            zeros.append(_bisected(height, level, a, b, low < level))
    return zeros


def _bisected(
    height: Callable[[Fraction], float | None], level: int, low: Fraction, high: Fraction, rises: bool
) -> Fraction:
    """Return where ``height`` passes ``level`` between ``low`` and ``high``."""
    for _ in range(40):
        middle = (low + high) / 2
        reached = height(middle)
        if reached is None:
            break
        low, high = (middle, high) if (reached < level) == rises else (low, middle)
    return ((low + high) / 2).limit_denominator(10_000)


def _polynomial_zeros(expr: Expr, symbol: Expr, others: Point) -> list[Fraction]:
    """Return the real zeros of ``expr`` if it is a polynomial in ``symbol``, close ones included."""
    import sympy

    try:
        at = expr.xreplace({name: sympy.Rational(x.numerator, x.denominator) for name, x in others.items()})
        polynomial = sympy.Poly(at, symbol)
        if not 2 <= polynomial.degree() <= 12 or not polynomial.domain.is_Numerical:
            return []
        zeros = [root for root in polynomial.nroots(n=15) if abs(sympy.im(root)) < 1e-9]
        return [Fraction(float(sympy.re(zero))).limit_denominator(10**6) for zero in zeros]
    except Exception:  # sympy fails in many ways; the grid remains
        return []
