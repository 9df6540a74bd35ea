"""Graders of others do with responses what is documented of them, leniencies and faults included."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from k2eval.audit.foreign import boxes as looked_for
from k2eval.audit.reasons import How
from k2eval.grading import GradingJob, grade_all
from k2eval.reasoning import NONE as NO_MARKS
from k2eval.records import Grade, Outcome, Question

RIGHT, WRONG, NONE = Outcome.CORRECT, Outcome.WRONG, Outcome.NO_ANSWER
TWO_ROOTS = r"\sqrt{17}-1, -\sqrt{17}-1"
CASES = [
    # A box that is not closed, no box, and a thought that breaks off.
    ("sieval", "27", r"so \boxed{27", RIGHT, How.LAST_NUMBER),
    ("sieval", "277", r"\boxed{277} so \boxed{\approx 277.1}", RIGHT, ""),
    ("matharena", "277", r"\boxed{277} so \boxed{\approx 277.1}", WRONG, ""),
    ("sieval", r"\frac{1}{3}", r"\boxed{\frac13} = \boxed{0.33}", RIGHT, ""),
    ("sieval", "1,2", r"\boxed{1,2}, so \boxed{1,2}", RIGHT, ""),
    ("matharena", "277", "so the answer is 277.", RIGHT, How.ASKED_AGAIN),
    ("matharena", "-3", "it is -3", WRONG, How.ASKED_AGAIN),
    ("matharena", "7", "no idea", NONE, How.ASKED_AGAIN),
    ("eval360_math", "277", "so the answer is 277.", RIGHT, How.WHOLE_TEXT),
    ("math_verify_alone", "277", "x + y = 277 and then", RIGHT, How.LAST_NUMBER),
    ("math_verify_alone", "27", r"so \boxed{27", NONE, ""),
    ("lm_eval_math", "277", "so the answer is 277.", WRONG, How.WHOLE_TEXT),
    ("reasoning360_math", "42", r"<think> maybe \boxed{42} hmm", RIGHT, ""),
    # Several numbers in a box, and several boxes.
    ("eval360_math", "277", r"\boxed{12, 277}", RIGHT, How.SECOND_CHANCE),
    ("matharena", "277", r"\boxed{12, 277}", WRONG, ""),
    ("eval360_math", "2", r"\boxed{2\frac{2}{3}}", WRONG, ""),
    ("math_verify_alone", "73", r"\boxed{12} no wait, \boxed{73}", WRONG, How.SEVERAL_BOXES),
    ("matharena", TWO_ROOTS, r"\boxed{-\sqrt{17}-1} and \boxed{\sqrt{17}-1}", RIGHT, ""),
    ("eval360_math", TWO_ROOTS, r"\boxed{\sqrt{17}-1}, \boxed{-\sqrt{17}-1}", WRONG, ""),
    # Numbers that are almost equal, or a hundred times each other; values and strings.
    ("reasoning360_math", "20250", r"\boxed{20251}", RIGHT, How.TOLERANCE),
    ("reasoning360_math", "7", r"\boxed{700}", RIGHT, How.PERCENT),
    ("reasoning360_math", "204", r"\boxed{2.04}", RIGHT, How.PERCENT),
    ("reasoning360_math", "1024", r"\boxed{2^{10}}", WRONG, ""),
    ("matharena", "20250", r"\boxed{20251}", WRONG, ""),
    ("matharena", "1024", r"\boxed{2^{10}}", RIGHT, ""),
    ("matharena", "1234", r"\boxed{1,234}", RIGHT, ""),
    ("lm_eval_math", "1024", r"\boxed{2^{10}}", WRONG, How.STRINGS),
    ("lm_eval_math", r"\frac{1}{2}", r"\boxed{\frac12}", RIGHT, How.STRINGS),
    ("lm_eval_math", "025", r"\boxed{25}", WRONG, How.STRINGS),
    # What only a prompt of that harness asks for.
    ("simple_evals_math", "7", r"so \boxed{7}", NONE, How.FORM),
    ("simple_evals_math", "7", "Answer: 7", RIGHT, ""),
    ("simple_evals_math", "1/2", "Answer: 0.5", Outcome.UNDECIDED, How.JUDGE),
    ("simple_evals_math", "025", "**Answer:** $25$", RIGHT, ""),
    ("simple_evals_math", "1234", r"Answer: 1{,}234.", RIGHT, ""),
    ("simple_evals_math", "-2", "Answer: −2.0", RIGHT, ""),
    ("simple_evals_math", "7", "Answer: 8", WRONG, ""),
    ("simple_evals_math", "72", "Answer: 72 degrees", Outcome.UNDECIDED, How.JUDGE),
    ("simple_evals_math", "7", "Answer: 1,23", Outcome.UNDECIDED, How.JUDGE),
]


def grade(name: str, gold: str, text: str) -> Grade:
    module = importlib.import_module(f"k2eval.audit.foreign.{name}")
    question = Question(task="t", id="1", messages=(), gold=gold)
    return module.grade(question, text, False)  # type: ignore[no-any-return]


@pytest.mark.parametrize(("name", "gold", "text", "outcome", "how"), CASES)
def test_a_response_gets_the_documented_verdict(
    name: str, gold: str, text: str, outcome: Outcome, how: str
) -> None:
    found = grade(name, gold, text)
    assert found.outcome is outcome
    assert found.detail.get("how", "") == how


@pytest.mark.parametrize(
    "name", ["matharena", "eval360_math", "reasoning360_math", "sieval", "math_verify_alone"]
)
@pytest.mark.parametrize("text", [r"\boxed{x \le 3}", r"\boxed{\{}", r"\boxed{}", "", r"\boxed{\frac{1}{0}}"])
def test_no_answer_is_an_error(name: str, text: str) -> None:
    assert not grade(name, "7", text).outcome.is_infrastructure


@pytest.mark.parametrize("text", ["\\boxed{" * 50_000, "{" * 200_000, "\\boxed{1}" * 40_000])
def test_boxes_are_found_in_one_pass(text: str) -> None:
    assert len(looked_for.boxes(text)) == text.count("boxed")


def test_an_inner_box_begins_after_the_outer_one() -> None:
    outer, inner = looked_for.boxes(r"\boxed{a \boxed{b} c}")
    assert (outer.content, inner.content) == (r"a \boxed{b} c", "b")


def test_python_in_an_answer_is_not_run(tmp_path: Path) -> None:
    evil = rf"\boxed{{__import__('os').mkdir('{tmp_path / 'evil'}')\pi}}"
    for name in ("reasoning360_math", "matharena", "eval360_math"):
        assert grade(name, "7", evil).outcome is not RIGHT
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["matharena", "eval360_math", "reasoning360_math", "math_verify_alone"])
def test_an_answer_that_never_ends_is_stopped(name: str) -> None:
    question = Question(task="t", id="1", messages=(), gold="7")
    bomb = r"\boxed{9^{9^{9^{9}}} + 1000000000!}"
    job = GradingJob(question, bomb, False, f"k2eval.audit.foreign.{name}", reasoning=NO_MARKS)
    [grade] = grade_all(iter([job]), 1, limit_s=3.0)
    assert grade.score == 0.0
