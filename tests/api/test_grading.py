"""One response, graded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import k2eval

CITIES = ["London", "Paris", "Rome"]


@pytest.mark.parametrize(
    ("response", "gold", "outcome"),
    [
        (r"so \boxed{50\%}", r"\frac12", "correct"),
        (r"\boxed{50}", r"\frac12", "wrong"),
        (r"\boxed{7}", 7, "correct"),
        ("I cannot tell.", "7", "no_answer"),
        (r"<think>Is it \boxed{7}?", "7", "truncated"),
    ],
)
def test_mathematics_is_graded_against_its_gold(response: str, gold: str | int, outcome: str) -> None:
    assert k2eval.grade(response, gold=gold).outcome == outcome


@pytest.mark.parametrize("gold", ["B", "Paris", 1])
def test_the_gold_of_a_choice_is_a_letter_a_text_or_an_index(gold: str | int) -> None:
    assert k2eval.grade("The answer is (B).", gold=gold, grader="choice", options=CITIES).score == 1
    assert k2eval.grade("The answer is (C).", gold=gold, grader="choice", options=CITIES).score == 0


def test_a_response_that_was_cut_is_truncated() -> None:
    assert k2eval.grade("<think>So far", gold="7", truncated=True).outcome == "truncated"


def test_only_an_integer_may_be_asked_for() -> None:
    assert k2eval.grade(r"\boxed{7.5}", gold="7", answer_type="integer").outcome != "correct"


def test_a_question_of_a_task_has_its_own_gold() -> None:
    assert k2eval.grade(r"\boxed{3}", task="smoke", question_id="smoke-02").outcome == "correct"
    assert k2eval.grade(r"\boxed{4}", task="smoke", question_id="smoke-02").outcome == "wrong"


def test_the_order_of_options_is_that_of_the_repeat() -> None:
    rows = (Path(__file__).parents[2] / "tasks/nano/nano_choice.jsonl").read_text().splitlines()
    question_id = json.loads(rows[0])["id"]
    right = {
        repeat: [
            letter
            for letter in "ABCD"
            if k2eval.grade(
                rf"\boxed{{{letter}}}", task="nano_choice", question_id=question_id, repeat_index=repeat
            ).score
        ]
        for repeat in range(4)
    }
    assert all(len(letters) == 1 for letters in right.values())
    assert len({letters[0] for letters in right.values()}) > 1


def test_a_question_of_an_own_task_is_found_in_its_folder() -> None:
    sums = Path(__file__).parents[2] / "examples" / "own_task"
    grade = k2eval.grade(r"\boxed{42}", task="sums", question_id="sum-03", include_path=sums)
    assert grade.outcome == "correct"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({}, k2eval.ConfigError, "Expected either gold=…, or task=… and question_id=…"),
        (
            {"gold": "7", "task": "smoke", "question_id": "smoke-01"},
            k2eval.ConfigError,
            "Expected either gold",
        ),
        ({"task": "smoke"}, k2eval.ConfigError, "Expected either gold"),
        (
            {"gold": "7", "grader": "maths"},
            k2eval.ConfigError,
            "Expected grader math, choice or number, .*got 'maths'",
        ),
        ({"gold": "print(1)", "grader": "code"}, k2eval.ConfigError, "Programs are graded by their task"),
        ({"gold": " "}, k2eval.DataError, 'expected "gold" to be a non-empty string'),
        ({"gold": "B", "grader": "choice"}, k2eval.DataError, 'expected "options" to be a list'),
        ({"task": "smoke", "question_id": "smoke-99"}, k2eval.DataError, "smoke has no question 'smoke-99'"),
    ],
)
def test_a_wrong_argument_is_explained(
    arguments: dict[str, str], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        k2eval.grade(r"\boxed{7}", **arguments)  # type: ignore[arg-type]
