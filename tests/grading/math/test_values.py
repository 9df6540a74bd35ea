"""Values of expressions at points, and what is concluded from them."""

import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from k2eval.grading.math import points, sampling, symbolic
from k2eval.grading.math.budget import Budget, Undefined, Unsupported
from k2eval.grading.math.values import Evaluator


def value(text: str, is_complex: bool = False, **variables: int | Fraction) -> Any:
    expr = symbolic.parse(text)
    assert expr is not None
    point = {symbol: Fraction(variables[str(symbol.name)]) for symbol in expr.free_symbols}
    return Evaluator(50, Budget(10_000), is_complex).value(expr, point)


@pytest.mark.parametrize(
    ("text", "expected"),
    [(r"\lfloor x \rfloor", -3), (r"\lceil x \rceil", -2), ("|x|", Fraction(5, 2)), (r"x-\lfloor x\rfloor", Fraction(1, 2)),
     (r"\max(x, 1)", 1), (r"\min(x, 1)", Fraction(-5, 2)), (r"\sqrt{4x^2}", 5)],
)  # fmt: skip
def test_a_rational_point_has_an_exact_value(text: str, expected: object) -> None:
    assert value(text, x=Fraction(-5, 2)) == expected


@given(st.integers(1, 10**6), st.integers(1, 10**6))
@settings(deadline=None, max_examples=30)
def test_divisors_and_remainders_are_those_of_integers(m: int, n: int) -> None:
    assert value(r"\gcd(m,n)", m=m, n=n) == math.gcd(m, n)
    assert value(r"\lcm(m,n)", m=m, n=n) == math.lcm(m, n)
    assert value(r"m \bmod n", m=m, n=n) == m % n


def test_an_odd_root_of_a_negative_number_is_real_and_an_even_one_is_none() -> None:
    assert math.isclose(float(value(r"\sqrt[3]{x}", x=-8)), -2)
    with pytest.raises(Undefined):
        value(r"\sqrt{x}", x=-4)


def test_a_logarithm_at_a_power_of_its_base_is_an_integer_to_floor() -> None:
    assert value(r"\lfloor \log_2 n \rfloor", n=2**29) == 29
    assert value(r"\lceil \log_2 n \rceil", n=2**29 + 1) == 30


def test_an_unknown_function_has_one_value_for_one_argument() -> None:
    assert value("f(x)", x=2) == value("f(y)", y=2)
    assert value("f(x)", x=2) != value("g(x)", x=2)


def test_what_costs_too_much_has_no_value() -> None:
    with pytest.raises(Unsupported):
        value(r"\sum_{k=1}^{n} k", n=10**9)


def test_a_pair_is_compared_at_the_same_points_each_time_and_another_pair_at_others() -> None:
    left, right = symbolic.parse("x+1"), symbolic.parse("1+x")

    def drawn(seed: str) -> list[object]:
        return [
            pair.point for pair in sampling._pairs(left, right, points.domain_of(left, right), seed, False)
        ]

    assert drawn("a") == drawn("a")
    assert drawn("a") != drawn("b")


@pytest.mark.parametrize(
    ("text", "integers"),
    [(r"\lfloor n/2 \rfloor", "n"), (r"\lfloor x/2 \rfloor", ""), (r"\gcd(a,b)", "ab"), ("n^2", ""), ("(-1)^n", "n"),
     (r"\lceil n/t \rceil", "nt")],
)  # fmt: skip
def test_names_and_uses_say_which_variables_are_integers(text: str, integers: str) -> None:
    expr = symbolic.parse(text)
    assert {str(symbol.name) for symbol in points.domain_of(expr, expr).integers} == set(integers)


def test_a_variable_that_only_the_answer_has_is_real() -> None:
    assert not points.domain_of(symbolic.parse("5"), symbolic.parse(r"5+\sin(\pi n)")).integers


coefficients = st.lists(st.integers(-9, 9), min_size=2, max_size=6)


@given(coefficients, st.integers(0, 5), st.integers(1, 12))
@settings(deadline=None, max_examples=40)
def test_a_polynomial_is_equal_to_no_other(numbers: list[int], place: int, exponent: int) -> None:
    text = " + ".join(f"({number}) x^{{{power}}}" for power, number in enumerate(numbers))
    assert symbolic.equal(text, f"{text} + 0")
    assert not symbolic.equal(text, rf"{text} + \frac{{x^{{{place}}}}}{{10^{{{exponent}}}}}")


HARD = [
    r"\lfloor " * 30 + "x" + r"\rfloor " * 30, r"\gcd(" * 9 + "n" + ",m)" * 9, r"n\bmod " * 100 + "2", "(n!)!", "n^{n^{n}}",
    r"\Gamma(\Gamma(x))", r"\binom{n^{9}}{k^{9}}", r"\sin(e^{e^{x}})", r"\sum_{i=1}^{n} i^{50}", "1:" * 1000 + "1",
    "x=1,y=2;" * 500, r"5\text{ cm}" * 400, "5 " + "m/" * 900 + "s", r"x\equiv 1\pmod 7, " * 150, "x=12k+5 or " * 50 + "x=1",
    r"\lfloor\sqrt{n}\rfloor!\binom{n}{\lfloor n/2\rfloor}\gcd(n,k)", "x" + "'" * 2000, r"2\begin{pmatrix}" + r"1\\" * 1000 + r"1\end{pmatrix}",
]  # fmt: skip


@pytest.mark.parametrize("answer", HARD)
@pytest.mark.parametrize(
    "gold", [r"\lfloor n/2\rfloor+\gcd(n,k)", "|x-3|", "(p,q)=(3,2)", r"x\equiv5\pmod{12}"]
)
def test_no_pair_costs_more_than_seconds(gold: str, answer: str) -> None:
    import time

    from k2eval.grading.math.grader import matches

    # Imports, and tables of the gamma function, are made once in a process.
    matches("2x", r"\Gamma(\Gamma(x))")
    start = time.process_time()
    assert not matches(gold, answer)
    assert time.process_time() - start < 5
