"""Every answer of the smoke test, computed again by a program that does not know it.

A check returns a value, or a text where the answer has a unit or is a decimal; `written` gives the
value's LaTeX, and that must be the answer to the letter.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from functools import cache
from itertools import combinations, count, pairwise, permutations, product

import pytest
import sympy
from sympy import Rational, sqrt

from k2eval.tasks.data import load_questions
from k2eval.tasks.files import tasks_folder
from k2eval.tasks.task import load_tasks

x, n = sympy.symbols("x n")
Check = Callable[[], object]
CHECKS: dict[str, Check] = {}


def check(question: str) -> Callable[[Check], Check]:
    def register(compute: Check) -> Check:
        assert question not in CHECKS, f"{question} has two checks"
        CHECKS[question] = compute
        return compute

    return register


def written(value: object) -> str:
    """LaTeX of a value in the spelling of the answers: no sizes of brackets, one space after a comma."""
    if isinstance(value, str):
        return value
    if isinstance(value, Fraction):
        value = Rational(value.numerator, value.denominator)
    text: str = sympy.latex(value, ln_notation=True)
    for spelling, plain in ((r"\left", ""), (r"\right", ""), (r"\  ", ""), (r"\ ", ""), ("( ", "(")):
        text = text.replace(spelling, plain)
    return text


def decimal(value: Fraction) -> str:
    """The terminating decimal of ``value``."""
    return f"{(Decimal(value.numerator) / Decimal(value.denominator)).normalize():f}"


def percent(share: Fraction) -> str:
    return decimal(100 * share) + r"\%"


@cache
def rows() -> dict[str, dict[str, str]]:
    lines = (tasks_folder() / "smoke" / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    return {row["id"]: row for row in map(json.loads, lines)}


check("smoke-01")(lambda: (6**83 + 8**83) % 49)
check("smoke-02")(lambda: "strawberry".count("r"))
check("smoke-03")(lambda: sum(b for b in range(10, 1000) if (9 * b + 7) % (b + 7) == 0))


@check("smoke-04")
def points_on_the_curve() -> int:
    grid = range(-100, 101)
    return sum(12 * a * a == a * b + 6 * b * b for a in grid for b in grid)


check("smoke-05")(lambda: sum([24] * 7) - 95)


@check("smoke-06")
def strings_of_balloon() -> int:
    return len({"".join(letters) for letters in permutations("BALLOON")})


@check("smoke-07")
def domino_coverings(columns: int = 12) -> int:
    """Cell by cell; the mask says which of the next three cells are covered already."""
    ways = Counter({0: 1})
    for cell in range(3 * columns):
        following: Counter[int] = Counter()
        for mask, number in ways.items():
            if mask & 1:
                following[mask >> 1] += number
                continue
            following[mask >> 1 | 4] += number
            if cell % 3 < 2 and not mask & 2:
                following[mask >> 1 | 1] += number
        ways = following
    return ways[0]


check("smoke-08")(lambda: 2**10 - 10**3 + 3**4)
check("smoke-09")(lambda: sum(math.factorial(k) for k in range(1, 2027)) % 100)


@check("smoke-10")
def rows_without_neighbours() -> int:
    return sum(all(abs(a - b) != 1 for a, b in pairwise(row)) for row in permutations(range(1, 8)))


check("smoke-11")(lambda: Fraction(3, 4) + Fraction(5, 6) - Fraction(1, 8))
check("smoke-12")(lambda: sympy.sqrtdenest(sqrt(7 + 4 * sqrt(3))))
check("smoke-13")(lambda: sympy.rem(x**20, x**2 - x - 2, x))
check("smoke-14")(lambda: str(Decimal("0.35") * Decimal("1.6")).rstrip("0"))
check("smoke-15")(lambda: sympy.FiniteSet(*(k for k in range(-100, 101) if abs(k * k - 5 * k) == 6)))


@check("smoke-16")
def series_of_cubes_over_powers() -> Fraction:
    """A partial sum, rounded to a small denominator; the tail after 100 terms is below 10^-40."""
    terms = (Fraction(k**3, 3**k) for k in range(1, 101))
    return sum(terms, Fraction()).limit_denominator(1000)


check("smoke-17")(lambda: percent(Fraction(80 - 68, 80)))


@check("smoke-18")
def sum_of_odd_squares() -> sympy.Expr:
    sums = [(k, sum((2 * i - 1) ** 2 for i in range(1, k + 1))) for k in range(1, 6)]
    return sympy.factor(sympy.interpolate(sums, n))


@check("smoke-19")
def mean_tosses_until(pattern: str = "HHTHH") -> sympy.Expr:
    """Mean times from each matched prefix, from the linear system of the automaton."""
    size = len(pattern)

    def matched(text: str) -> int:
        return max(k for k in range(size + 1) if text.endswith(pattern[:k]))

    times = sympy.symbols(f"t0:{size}")
    after = [[matched(pattern[:k] + side) for side in "HT"] for k in range(size)]
    equations = [
        sympy.Eq(times[k], 1 + sum((times[to] for to in after[k] if to < size), sympy.S.Zero) / 2)
        for k in range(size)
    ]
    return sympy.solve(equations, times)[times[0]]


check("smoke-20")(lambda: Fraction(12 + 7, 5 - 3))
check("smoke-21")(lambda: sympy.factor(sympy.diff(x**2 * sympy.exp(3 * x), x)))


@check("smoke-22")
def hexagon_area() -> sympy.Expr:
    lines = [a * x + b * n + c * (x + n) - 4 for a, b, c in product((1, -1), repeat=3)]
    corners = set()
    for first, second in combinations(lines, 2):
        for met in sympy.solve([first, second], [x, n], dict=True):
            if len(met) == 2 and abs(met[x]) + abs(met[n]) + abs(met[x] + met[n]) <= 4:
                corners.add((met[x], met[n]))
    return sympy.Polygon(*sympy.convex_hull(*corners).vertices).area


check("smoke-23")(lambda: sympy.FiniteSet(*(d for d in range(1, 29) if 28 % d == 0)))
check("smoke-24")(lambda: sympy.integrate(x * sympy.sin(x), (x, 0, sympy.pi)))


@check("smoke-25")
def interval_of_two_positive_roots(step: Fraction = Fraction(1, 8)) -> sympy.Interval:
    """On a grid: the values of a with two positive roots, widened by the step to the first that fails."""

    def fits(a: Fraction) -> bool:
        inside = a * a - 4 * (a + 3)
        return inside > 0 and -a - math.sqrt(inside) > 0

    good = [a for a in (k * step for k in range(-400, 401)) if fits(a)]
    assert all(b - a == step for a, b in pairwise(good))
    return sympy.Interval.open(good[0] - step, good[-1] + step)


check("smoke-26")(lambda: next((a, b) for a in range(-50, 51) for b in (a - 1,) if 2 * a + b == 11))


@check("smoke-27")
def circumradius() -> sympy.Expr:
    corners = [sympy.Point(0, 0), sympy.Point(14, 0), sympy.Point(5, 12)]
    sides = sorted(a.distance(b) for a, b in combinations(corners, 2))
    assert sides == [13, 14, 15]
    return sympy.Triangle(*corners).circumradius


@check("smoke-28")
def closed_form_of_the_sequence() -> sympy.Expr:
    """Fits a 2^n + b 3^n to two terms, and holds it against twenty."""
    terms = [1, 4]
    while len(terms) < 20:
        terms.append(5 * terms[-1] - 6 * terms[-2])
    a, b = sympy.symbols("a b")
    fitted = sympy.solve([a + b - terms[0], 2 * a + 3 * b - terms[1]], [a, b])
    formula = fitted[b] * 3**n + fitted[a] * 2**n
    assert [formula.subs(n, k) for k in range(20)] == terms
    return formula


check("smoke-29")(lambda: sympy.Point(0, 0).distance(sympy.Point(4, 6)))


@check("smoke-30")
def three_of_one_colour() -> Fraction:
    draws = list(combinations("RRRRRBBBB", 3))
    return Fraction(sum(len(set(draw)) == 1 for draw in draws), len(draws))


@check("smoke-31")
def pairs_of_unit_fractions() -> sympy.FiniteSet:
    pairs = (
        (a, b)
        for a in range(1, 13)
        for b in range(a + 1, 100)
        if Fraction(1, a) + Fraction(1, b) == Fraction(1, 6)
    )
    return sympy.FiniteSet(*pairs)


check("smoke-32")(lambda: sympy.solve_univariate_inequality(abs(2 * x - 3) <= 7, x, relational=False))


@check("smoke-33")
def faulty_given_the_alarm() -> str:
    faulty, sound = Fraction(1, 5) * Fraction(90, 100), Fraction(4, 5) * Fraction(75, 1000)
    return percent(faulty / (faulty + sound))


check("smoke-34")(lambda: pow(7, 7**7, 100))
check("smoke-35")(lambda: sympy.expand((x + 3) * (2 * x - 5)))
check("smoke-36")(lambda: decimal(Fraction(sum(max(roll) for roll in product(range(1, 5), repeat=2)), 16)))


@check("smoke-37")
def union_of_intervals() -> sympy.Set:
    return sympy.solve_univariate_inequality((x**2 - 5 * x + 4) / (x + 2) >= 0, x, relational=False)


check("smoke-38")(lambda: decimal(Fraction(25, 60) * 18) + r"\text{ km}")
check("smoke-39")(lambda: tuple(sympy.Point(3, 1).reflect(sympy.Line((0, 0), (1, 2)))))


@check("smoke-40")
def eigenvalues() -> sympy.FiniteSet:
    matrix = sympy.Matrix([[2, 1, 0], [1, 2, 1], [0, 1, 2]])
    return sympy.FiniteSet(*sympy.roots(sympy.expand((matrix - x * sympy.eye(3)).det()), x))


check("smoke-41")(lambda: sum(all(k % d for d in range(2, k)) for k in range(2, 60)))
check("smoke-42")(lambda: decimal(Fraction(180 + 220) / (Fraction(54 + 90) * 1000 / 3600)) + r"\text{ s}")
check("smoke-43")(lambda: sympy.integrate(sympy.pi * (x**2 - x**4), (x, 0, 1)))
check("smoke-44")(lambda: (24 * 60 + 6 * 60 + 15) - (22 * 60 + 47))
check("smoke-45")(lambda: next(k for k in count(1) if (k % 5, k % 7, k % 9) == (3, 4, 5)))


@check("smoke-46")
def distance_to_the_parabola() -> sympy.Expr:
    square = x**2 + (x**2 - 3) ** 2
    return sqrt(min(square.subs(x, at) for at in sympy.solve(sympy.diff(square, x), x)))


@check("smoke-47")
def total_of_at_least_eight() -> Fraction:
    return Fraction(sum(a + b >= 8 for a, b in product(range(1, 7), repeat=2)), 36)


@check("smoke-48")
def function_of_x_and_its_reciprocal() -> sympy.Expr:
    at_x, at_reciprocal = sympy.symbols("f g")
    equations = [at_x + 2 * at_reciprocal - 3 * x, at_reciprocal + 2 * at_x - 3 / x]
    return sympy.expand(sympy.solve(equations, [at_x, at_reciprocal])[at_x])


@check("smoke-49")
def three_wins_of_five() -> str:
    """All five games, even those that would not be played: who wins three of five wins the match."""
    matches = (games.count(True) for games in product((True, False), repeat=5))
    chances = (Fraction(3, 5) ** wins * Fraction(2, 5) ** (5 - wins) for wins in matches if wins >= 3)
    return percent(sum(chances, Fraction()))


@check("smoke-50")
def divisor_and_multiple() -> tuple[int, int]:
    divisor = max(d for d in range(1, 85) if 84 % d == 0 and 126 % d == 0)
    return divisor, next(k for k in count(1) if k % 84 == 0 and k % 126 == 0)


@check("smoke-51")
def side_of_the_octagon() -> sympy.Expr:
    return sqrt((sympy.cos(sympy.pi / 4) - 1) ** 2 + sympy.sin(sympy.pi / 4) ** 2).simplify()


@check("smoke-52")
def smallest_pell_solution() -> tuple[int, int]:
    squares = ((13 * b * b + 1, b) for b in count(1))
    return next((math.isqrt(a), b) for a, b in squares if math.isqrt(a) ** 2 == a)


def test_every_question_has_a_check_and_every_check_a_question() -> None:
    assert CHECKS.keys() == rows().keys()


@pytest.mark.parametrize("question", CHECKS)
def test_answer_is_what_the_computation_gives(question: str) -> None:
    assert rows()[question]["answer"] == written(CHECKS[question]())


def test_the_task_has_as_many_questions_as_it_says() -> None:
    result = load_questions(load_tasks(["smoke"])[0], data=None)
    assert (result.available, result.notes) == (len(rows()), ())


def test_ids_and_problems_occur_once() -> None:
    assert len({row["problem"] for row in rows().values()}) == len(rows()) == 52


def test_every_question_has_a_known_level_and_a_topic() -> None:
    levels = Counter(row["level"] for row in rows().values())
    assert set(levels) == {"easy", "medium", "hard"} and min(levels.values()) >= 16
    assert all(row["topic"] for row in rows().values())
