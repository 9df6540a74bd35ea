from __future__ import annotations

from typing import Any

import pytest

from k2eval.grading import grader_for
from k2eval.reasoning import AUTO
from k2eval.records import Grade, Outcome, Question


def graded(text: str, gold: str, *, judge: bool = False, truncated: bool = False, **fields: Any) -> Grade:
    metadata = {"decided_by": "judge"} if judge else {}
    question = Question(
        task="t", id="1", grader="rule_first", messages=(), gold=gold, metadata=metadata, **fields
    )
    return grader_for("rule_first").grade_response(question, text, truncated, AUTO)


def test_a_choice_is_decided_by_rule() -> None:
    options = ("alpha", "beta")
    assert graded("Answer: B", "B", options=options).outcome is Outcome.CORRECT
    assert graded("Answer: A", "B", options=options).outcome is Outcome.WRONG


def test_a_whole_number_is_decided_by_rule() -> None:
    assert graded(r"\boxed{35}", "35").outcome is Outcome.CORRECT
    assert graded(r"\boxed{36}", "35").outcome is Outcome.WRONG


def test_an_answer_that_a_rule_finds_right_needs_no_judge() -> None:
    assert graded(r"\boxed{T = T_0 B_1/B_0}", r"T=\frac{B_1}{B_0}T_0", judge=True).outcome is Outcome.CORRECT


@pytest.mark.parametrize("text", [r"\boxed{RNase H}", "It has an RNase H domain.", r"\boxed{0.21}"])
def test_any_other_answer_is_left_to_the_judge(text: str) -> None:
    grade = graded(text, "The enzyme contains an RNase H domain", judge=True)
    assert (grade.outcome, grade.score) == (Outcome.UNDECIDED, None)
    assert grade.extracted


def test_an_empty_or_cut_response_needs_no_judge() -> None:
    assert graded("<think>so</think>", "cGAS", judge=True).outcome is Outcome.NO_ANSWER
    assert graded("<think>so", "cGAS", judge=True, truncated=True).outcome is Outcome.TRUNCATED
