"""Answers made to hang, crash or fool the grader: through the pool, as in a run."""

import time
from collections.abc import Iterator

import pytest

from k2eval.grading import GradingJob, GradingPool
from k2eval.records import Outcome
from tests.grading.conftest import make_question

B = r"\boxed{"
HOSTILE = {
    "tower": B + "2^{2^{100}}}",
    "tower-of-nines": B + "9^(9^(9^9))}",
    "factorial": B + "100000000!}",
    "iterated-factorial": B + "10!!!!}",
    "binomial": B + r"\binom{1000000000}{500000000}}",
    "exponentials": B + "e^{e^{e^{100}}}}",
    "variable-tower": B + "x^{x^{x^{x}}}}",
    "power-of-a-sum": B + "(x+y+z+1)^{900}}",
    "long-sum": B + r"\sum_{k=1}^{10^{9}} k^{k}}",
    "product-of-factorials": B + r"\prod_{k=1}^{1000} k!}",
    "chain-of-functions": B + r"\sin " * 250 + "x}",
    "bars": B + "|x" * 900 + "}",
    "integral": B + r"\int_0^{\infty} \frac{\sin x^x}{x} dx}",
    "matrix-power": B + r"\begin{pmatrix}1&2\\3&4\end{pmatrix}^{100000}}",
    "sine-of-much": B + r"\sin(10^{10^{10}})}",
    "modulus": B + r"7^{7^{7^7}} \mod 1000}",
    "open-braces": B + "{" * 100_000,
    "closed-braces": B + "{" * 50_000 + "}" * 50_001,
    "open-boxes": B * 20_000,
    "many-boxes": (B + "1}") * 50_000,
    "million-digits": B + "1" * 1_000_000 + "}",
    "million-digits-unboxed": "9" * 1_000_000,
    "nested-parentheses": B + "(" * 3000 + "1" + ")" * 3000 + "}",
    "nested-a-little": B + "(" * 12 + "x+1" + ")" * 12 + "}",
    "nested-fractions": B + r"\frac{" * 900 + "1" + "}{2}" * 900 + "}",
    "nul-bytes": "\0" * 100_000,
    "surrogate": B + "\ud800}",
    "ten-megabytes": "word " * 2_000_000,
    "ten-megabytes-boxed": B + "a " * 5_000_000 + "}",
    "dollars": "answer is $" * 20_000,
    "commas": B + "," * 7000 + "}",
    "equations": B + "x=" * 2000 + "1}",
    "unions": B + r"(1,2)\cup" * 800 + "}",
    "thinking": "<think>" * 100_000,
    "words": B + "5 " + "aaaa " * 1500 + "}",
    "exponent": B + "1e999999999}",
    "repeating": B + r"0.\overline{" + "1" * 3000 + "}}",
    "division-by-zero": B + r"\frac{1}{0}}",
    "spaces": B + " " * 100_000 + "}",
}


@pytest.fixture(scope="module")
def pool() -> Iterator[GradingPool]:
    with GradingPool(1) as pool:
        pool.submit(GradingJob(make_question("7"), r"\boxed{\frac{14}{2}+x}")).result(timeout=240)
        yield pool


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("gold", ["7", "x^2+1", r"\sqrt2+1", "(1,2)"])
def test_a_hostile_answer_is_not_right_and_costs_little(gold: str, text: str, pool: GradingPool) -> None:
    worker = pool.pids()
    start = time.monotonic()
    verdict = pool.submit(GradingJob(make_question(gold), text)).result(timeout=240)
    assert verdict.outcome in (Outcome.WRONG, Outcome.NO_ANSWER, Outcome.TRUNCATED)
    assert time.monotonic() - start < 5
    assert pool.pids() == worker, "the worker had to be replaced"


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_choice_costs_little(text: str, pool: GradingPool) -> None:
    start = time.monotonic()
    question = make_question("B", options=("7", "x^2+1", "beta decay", r"\sqrt2"))
    verdict = pool.submit(GradingJob(question, text)).result(timeout=240)
    assert verdict.outcome in (Outcome.WRONG, Outcome.NO_ANSWER, Outcome.TRUNCATED)
    assert time.monotonic() - start < 5
