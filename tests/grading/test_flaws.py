"""Flaws of other graders, found by running them: each must not happen here."""

from pathlib import Path

import pytest

from k2eval.grading import choice, grader_for
from k2eval.grading.math import grader
from k2eval.reasoning import AUTO
from k2eval.records import Outcome
from tests.grading.conftest import make_question

NAMES = ("Alpha decay", "Beta decay", "Gamma decay", "DNA")
BRACKETS = ("[Fe(CN)6]4-", "[Fe(CN)6]3-", "[Fe]", "[CN]")

ACCEPTED = {
    "2.2.5-power": ("1024", "2^{10}"),
    "2.2.5-power-as-gold": ("2^{10}", "1024"),
    "2.2.5-unreduced": (r"\frac12", r"\frac{2}{4}"),
    "2.2.5-golden-ratio": (r"\frac{1+\sqrt5}{2}", r"\frac{\sqrt5+1}{2}"),
    "2.2.5-e": (r"\frac1e", "e^{-1}"),
    "2.2.5-binomial": ("252", r"\binom{10}{5}"),
    "2.2.5-factorial": ("3628800", "10!"),
    "2.2.5-order": ("1,2", "2,1"),
    "2.2.5-set": (r"\{1,2\}", r"\{2,1\}"),
    "2.2.5-variable-exponent": ("2^{n-1}", r"\frac{2^n}{2}"),
    "2.2.3-symbolic-equality-works": ("x+1", "1+x"),
    "2.2.4-pi-is-compared": (r"2\pi+1", r"1+\pi\cdot 2"),
    "3.4-leading-zero": ("025", "25"),
    "3.5-list-in-any-order": (r"\frac{-1+\sqrt{17}}{2}, \frac{-1-\sqrt{17}}{2}", r"\frac{-1\pm\sqrt{17}}{2}"),
    "3.5-text-is-dropped": ("56", r"56 \text{ ways}"),
    "3.5-digit-groups": ("3375", "3,375"),
    "3.8-thin-space": ("1000", r"1\,000"),
    "3.8-interval-as-inequality": ("[0,1)", r"0 \le x < 1"),
    "3.8-inequality-as-interval": (r"0 \le x < 1", "[0,1)"),
    "3.8-bare-percent": (r"\frac12", r"50\%"),
    "3.8-huge-power": ("2^{2^{100}}", "4^{2^{99}}"),
}

REJECTED = {
    "2.2.1-times-100": ("7", "700"),
    "2.2.1-divided-by-100": ("204", "2.04"),
    "2.2.2-relative-tolerance": ("20250", "20251"),
    "2.2.2-relative-tolerance-below": ("20250", "20249.9"),
    "3.8-tiny-factorials": (r"\frac{1}{2004!}", r"\frac{1}{2006!}"),
    "3.8-tiny-powers": (r"\frac{1}{2^{99}}", r"\frac{1}{2^{98}}"),
    "3.8-rounded-third": (r"\frac13", "0.333333"),
    "3.8-pair-is-not-a-list": ("(1,2)", "1,2"),
    "3.8-one-is-not-100-percent": ("1", r"100\%"),
    "3.8-case-of-letters": ("a", "A"),
    "math-verify-strips-variables-as-units": ("2", "2t"),
    "math-verify-drops-dots": (r"1+\frac17", r"1+\ldots+\frac17"),
    "infinite-is-not-everything": ("7", r"\frac{1}{0}"),
}


@pytest.mark.parametrize(("gold", "answer"), ACCEPTED.values(), ids=ACCEPTED.keys())
def test_a_right_answer_that_others_reject(gold: str, answer: str) -> None:
    assert grader.grade(make_question(gold), rf"\boxed{{{answer}}}", False).outcome is Outcome.CORRECT


@pytest.mark.parametrize(("gold", "answer"), REJECTED.values(), ids=REJECTED.keys())
def test_a_wrong_answer_that_others_accept(gold: str, answer: str) -> None:
    assert grader.grade(make_question(gold), rf"\boxed{{{answer}}}", False).outcome is Outcome.WRONG


@pytest.mark.parametrize(
    ("text", "truncated"),
    [(r"<think> maybe \boxed{42} hmm", False), (r"<think> maybe \boxed{42} hmm", True),
     ("<think> the answer is 42", False),
     (r"<think>a</think> <think>\boxed{42}", False)],
)  # fmt: skip
def test_2_2_6_reasoning_that_never_ended_is_not_graded(text: str, truncated: bool) -> None:
    for name in ("math", "choice"):
        options = ("42", "43") if name == "choice" else ()
        question = make_question("A" if options else "42", options=options)
        verdict = grader_for(name).grade_response(question, text, truncated, AUTO)
        assert (verdict.outcome, verdict.score, verdict.extracted) == (Outcome.TRUNCATED, 0.0, None)


def test_2_2_6_a_number_in_passing_is_no_answer() -> None:
    assert (
        grader.grade(make_question("42"), "There are 42 cases, it seems.", False).outcome is Outcome.NO_ANSWER
    )


@pytest.mark.parametrize(
    "code", ["__import__('os').system('touch {}')", "__import__('pathlib').Path('{}').touch()"]
)
@pytest.mark.parametrize(
    "around", [r"\pi {}", "{}", r"\begin{{pmatrix}} {} \end{{pmatrix}}", r"\frac{{{}}}{{2}}"]
)
def test_2_2_7_nothing_of_an_answer_is_executed(code: str, around: str, tmp_path: Path) -> None:
    marker = tmp_path / "executed"
    text = rf"\boxed{{{around.format(code.format(marker))}}}"
    assert grader.grade(make_question(r"2\pi"), text, False).outcome is not Outcome.CORRECT
    assert not marker.exists()


@pytest.mark.parametrize(
    ("text", "letter"),
    [(r"\boxed{B. Alpha decay}", "B"), (r"\boxed{B. Alpha}", "B"), (r"\boxed{D) DNA}", "D"),
     (r"\boxed{B. Beta decay}", "B")],
)  # fmt: skip
def test_2_2_8_the_letter_counts_and_not_letters_of_words(text: str, letter: str) -> None:
    assert choice.grade(make_question(letter, options=NAMES), text, False).outcome is Outcome.CORRECT


def test_2_2_8_a_missing_answer_is_never_drawn_at_random() -> None:
    grades = {
        choice.grade(make_question(gold, options=NAMES), "No idea.", False).outcome
        for gold in "ABCD"
        for _ in range(20)
    }
    assert grades == {Outcome.NO_ANSWER}


@pytest.mark.parametrize(
    "text",
    [r"\boxed{B}", "Answer: B", "Answer: b", "**Answer:** B", "**Answer: B**", "Answer: $B$", r"Answer: \boxed{B}",
     "Answer: A\n\nNo, I was wrong.\n\nAnswer: B"],
)  # fmt: skip
def test_2_2_9_boxes_and_statements_count_and_the_last_one_decides(text: str) -> None:
    assert choice.grade(make_question("B", options=NAMES), text, False).outcome is Outcome.CORRECT


@pytest.mark.parametrize(
    ("text", "letter"), [(r"\boxed{[Fe(CN)6]3-}", "B"), (r"\boxed{[Fe]}", "C"), (r"\boxed{D. [CN]}", "D")]
)
def test_2_2_10_options_keep_their_brackets(text: str, letter: str) -> None:
    assert choice.grade(make_question(letter, options=BRACKETS), text, False).outcome is Outcome.CORRECT


def test_3_8_the_last_box_counts_and_boxes_are_not_merged() -> None:
    assert (
        grader.grade(make_question("73"), "\\boxed{12} no wait,\n\\boxed{73}", False).outcome
        is Outcome.CORRECT
    )
    assert (
        grader.grade(make_question("73"), r"\boxed{12} no wait, \boxed{73}", False).outcome is Outcome.CORRECT
    )
    assert (
        grader.grade(make_question("12"), r"\boxed{12} no wait, \boxed{73}", False).outcome is Outcome.WRONG
    )


@pytest.mark.parametrize(
    "text", ["<answer>73</answer>", "<answer>73", "<answer> $73$ </answer>", r"<answer>\boxed{73}</answer>"]
)
def test_3_8_an_answer_block_is_read(text: str) -> None:
    assert (
        grader_for("math")
        .grade_response(make_question("73"), f"<think>72?</think>{text}", False, AUTO)
        .outcome
        is Outcome.CORRECT
    )


def test_5_6_a_letter_in_the_reasoning_is_not_the_answer() -> None:
    text = "<think>The answer is A.</think>The answer is (C)."
    assert (
        grader_for("choice").grade_response(make_question("C", options=NAMES), text, False, AUTO).outcome
        is Outcome.CORRECT
    )


def test_5_17_grading_needs_no_main_thread() -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as threads:
        verdict = threads.submit(grader.grade, make_question("x+1"), r"\boxed{1+x}", False).result()
    assert verdict.outcome is Outcome.CORRECT
