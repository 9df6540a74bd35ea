"""Whatever a model writes is read in linear time, or is cut to a length at which the time does not matter."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import islice
from random import Random

import pytest

from k2eval.grading import choice
from k2eval.grading.answer import find_answer
from k2eval.grading.code.blocks import extract_code
from k2eval.grading.math import grader
from k2eval.grading.math.latex import normalise
from k2eval.grading.math.structure import parse
from k2eval.grading.option import letter_of
from tests.grading.conftest import make_question
from tests.grading.patterns import patterns, pumped
from tests.grading.repetition import AROUND, FRAGMENTS, seconds, texts

RESPONSE, ANSWER = 20_000, grader._MAX_ANSWER
"""Characters: enough for a quadratic reader to take seconds; the longest answer that is not only compared as written."""
SHORT = 80
"""Characters on which only a pattern of exponential time is slow."""
LIMIT_S = 1.0
OPTIONS = ("7", "x^2+1", "beta decay", r"\sqrt2")


def chosen(text: str) -> object:
    return choice.grade(make_question("B", options=OPTIONS), text, False)


RESPONSES: dict[str, Callable[[str], object]] = {
    "answer": lambda text: find_answer(text, False),
    "choice": chosen,
    "code": extract_code,
}
ANSWERS: dict[str, Callable[[str], object]] = {
    "normalise": normalise,
    "shape": lambda text: parse.__wrapped__(normalise(text)),
    "letter": lambda text: letter_of(text, OPTIONS),
}


def assert_fast(read: Callable[[str], object], text: str) -> None:
    spent = seconds(read, text, LIMIT_S)
    assert spent < LIMIT_S, f"{spent:.1f} s for {len(text)} characters: {text[:80]!r} … {text[-60:]!r}"


def search(read: Callable[[str], object], size: int, count: int, seed: int) -> None:
    random = Random(seed)
    for text in islice(texts(random, size, FRAGMENTS), count):
        begin, end = random.choice(AROUND) if size == RESPONSE else ("", "")
        assert_fast(read, begin + text[:size] + end)


@pytest.fixture(scope="module", autouse=True)
def loaded() -> None:
    grader.prepare()
    letter_of("x+1", OPTIONS)


KNOWN = {
    "statements": ("", "answer is (E).^ ", ""),
    "statements of formulas": ("", r"\[answer: ", ""),
    "statements of inline formulas": ("", r"answer is \(", ""),
    "statements with dollars": ("", "$$**Answer:** ", ""),
    "boxes in boxes": ("", r"\boxed{", "}" * 3000),
    "spaces after answer": ("answer", " ", "x"),
    "spaces after is": ("The answer is", " ", "x"),
    "stars after answer": ("answer is", "* ", "x"),
    "spaces after declared": ("\nA is the", " ", "x"),
    "stars on the last line": ("word\n", "* ", "x"),
    "combining marks": (r"\boxed{a", "\u0323\u0301", "}"),
    "spaces in a box": (r"\boxed{a", " ", "b}"),
    "brackets in a box": (r"\boxed{a", "[", "}"),
    "answers in blocks": ("", "<answer>answer is ", "</answer>"),
}


@pytest.mark.parametrize("parts", KNOWN.values(), ids=KNOWN.keys())
@pytest.mark.parametrize("read", [RESPONSES["answer"], RESPONSES["choice"]], ids=["answer", "choice"])
def test_texts_that_once_took_quadratic_time(
    read: Callable[[str], object], parts: tuple[str, str, str]
) -> None:
    begin, unit, end = parts
    assert_fast(read, begin + unit * (2 * RESPONSE // len(unit)) + end)


@pytest.mark.parametrize(
    "text", [r"\boxed{" + "answer is (E).^ " * 250_000 + "}", "answer is (E).^ " * 250_000]
)
@pytest.mark.parametrize("read", [RESPONSES["answer"], RESPONSES["choice"]], ids=["answer", "choice"])
def test_four_megabytes_are_read_in_seconds(read: Callable[[str], object], text: str) -> None:
    assert seconds(read, text, 20.0) < 8


@pytest.mark.parametrize("read", RESPONSES.values(), ids=RESPONSES.keys())
def test_repeated_fragments_in_a_response_are_read_in_linear_time(read: Callable[[str], object]) -> None:
    search(read, RESPONSE, 60, seed=1)


@pytest.mark.parametrize("read", ANSWERS.values(), ids=ANSWERS.keys())
def test_repeated_fragments_in_an_answer_are_read_fast(read: Callable[[str], object]) -> None:
    search(read, ANSWER, 100, seed=2)


@pytest.mark.slow
@pytest.mark.parametrize("read", RESPONSES.values(), ids=RESPONSES.keys())
def test_many_repeated_fragments_in_a_response_are_read_in_linear_time(read: Callable[[str], object]) -> None:
    search(read, RESPONSE, 1000, seed=3)


@pytest.mark.slow
@pytest.mark.parametrize("read", ANSWERS.values(), ids=ANSWERS.keys())
def test_many_repeated_fragments_in_an_answer_are_read_fast(read: Callable[[str], object]) -> None:
    search(read, ANSWER, 1500, seed=4)


@pytest.mark.slow
def test_no_pattern_backtracks_without_end() -> None:
    for place, pattern in patterns("k2eval.grading").items():
        for text in pumped(pattern, SHORT):
            assert seconds(match_anywhere(pattern), text, 0.3) < 0.3, f"{place} on {text!r}"


def match_anywhere(pattern: re.Pattern[str]) -> Callable[[str], object]:
    return lambda text: (pattern.fullmatch(text), pattern.search(text))


@pytest.mark.parametrize("pattern", [r"(?:a+b?)*c", r"(?:x|xx)+$", r"(?:[ ,]+\w*)*;", r"(?:'|_\w+|_)+z"])
def test_the_search_finds_patterns_that_backtrack_without_end(pattern: str) -> None:
    read = match_anywhere(re.compile(pattern))
    assert any(seconds(read, text, 0.1) >= 0.1 for text in pumped(re.compile(pattern), SHORT))


def test_the_search_finds_what_is_quadratic() -> None:
    with pytest.raises(AssertionError, match="characters"):
        search(lambda text: re.findall(r"\s*;|[a-z ]*;|[$]*;", text), 4 * RESPONSE, 200, seed=5)
