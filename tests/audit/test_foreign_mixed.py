"""Graders of others on Humanity's Last Exam and on measured numbers."""

from __future__ import annotations

import importlib

import pytest

from k2eval.audit import harnesses_named
from k2eval.audit.reasons import LENIENCIES, How
from k2eval.records import Grade, Outcome, Question

RIGHT, WRONG, NONE, OPEN = Outcome.CORRECT, Outcome.WRONG, Outcome.NO_ANSWER, Outcome.UNDECIDED
CHOICE = Question(
    task="hle_text", id="1", messages=(), gold="B", options=("one", "two", "three", "four", "five")
)
EXACT = Question(task="hle_text", id="2", messages=(), gold="35")
CHOICES = [
    ("eval360_hle_aa", r"so \boxed{B}", RIGHT, ""),
    ("eval360_hle_aa", "The final answer is **B**.", RIGHT, ""),
    ("eval360_hle_aa", "Answer: B. No, I choose option A", WRONG, ""),
    ("eval360_hle_aa", "<think>Answer: A</think>**(B)** two", RIGHT, ""),
    ("eval360_hle_aa", "<ifm|think>Answer: B</ifm|think>", NONE, ""),
    ("eval360_hle_aa", "<think>the answer is B", RIGHT, ""),
    ("eval360_hle_aa", "It follows:\nB) two", RIGHT, ""),
    ("eval360_hle_aa", "A) no\nB) yes\nso it is\nB", WRONG, ""),
    ("eval360_hle_aa", "1: two things\nB", RIGHT, ""),
    ("eval360_hle_aa", "12345", NONE, ""),
    ("eval360_hle", "Answer: B", RIGHT, ""),
    ("eval360_hle", "Answer: A. Rather, Answer: B", WRONG, How.FIRST_MATCH),
    ("eval360_hle", "Because of this it is C", RIGHT, How.FIRST_LETTER),
    ("eval360_hle", r"\boxed{A}", RIGHT, How.FIRST_LETTER),
    ("eval360_hle", "Two: B", WRONG, How.FIRST_LETTER),
    ("eval360_hle", "12345", NONE, ""),
]
NEAR = Question(task="molprops_esol", id="1", messages=(), gold="-0.77", metadata={"tolerance": 0.5})
NUMBERS = [
    ("lm_eval_number", r"\boxed{-0.5}", RIGHT, How.LAST_NUMBER),
    ("lm_eval_number", "log S = -0.5 at 25 degrees", WRONG, How.LAST_NUMBER),
    ("lm_eval_number", "it is soluble in 3 steps, -0.9.", RIGHT, How.LAST_NUMBER),
    ("lm_eval_number", "it is -77e-2", WRONG, How.LAST_NUMBER),
    ("lm_eval_number", "so ... and so on ...", NONE, ""),
    ("lm_eval_number", "none", NONE, ""),
    ("math_verify_number", r"\boxed{-0.5}", RIGHT, ""),
    ("math_verify_number", r"\boxed{-\frac{1}{2}}", RIGHT, ""),
    ("math_verify_number", r"\boxed{3}", WRONG, ""),
    ("math_verify_number", "none", NONE, ""),
    ("math_verify_number", r"\boxed{x}", NONE, ""),
]


def graded(name: str, question: Question, text: str) -> Grade:
    module = importlib.import_module(f"k2eval.audit.foreign.{name}")
    return module.grade(question, text, False)  # type: ignore[no-any-return]


@pytest.mark.parametrize(("name", "text", "outcome", "how"), CHOICES)
def test_a_choice_gets_the_documented_verdict(name: str, text: str, outcome: Outcome, how: str) -> None:
    found = graded(name, CHOICE, text)
    assert (found.outcome, found.detail.get("how", "")) == (outcome, how)


@pytest.mark.parametrize("name", ["eval360_hle_aa", "eval360_hle"])
def test_an_answer_without_options_needs_their_judge(name: str) -> None:
    found = graded(name, EXACT, r"\boxed{35}")
    assert (found.outcome, found.detail["how"]) == (OPEN, How.JUDGE)


@pytest.mark.parametrize(("name", "text", "outcome", "how"), NUMBERS)
def test_a_number_gets_the_documented_verdict(name: str, text: str, outcome: Outcome, how: str) -> None:
    found = graded(name, NEAR, text)
    assert (found.outcome, found.detail.get("how", "")) == (outcome, how)


def test_the_graders_of_this_exam_are_for_no_other_task_of_its_kind() -> None:
    [harness] = harnesses_named(["eval360"])
    assert harness.module("rule_first", "hle_verified") and not harness.module(
        "rule_first", "frontierscience_olympiad"
    )
    assert harness.module("math", "aime24")


def test_the_first_letter_of_a_text_is_a_leniency() -> None:
    assert How.FIRST_LETTER in LENIENCIES and How.EARLY_END in LENIENCIES
