from __future__ import annotations

from typing import Any

import pytest

from k2eval.errors import ConfigError
from k2eval.tasks import Item
from k2eval.tasks.mixed import items
from tests.tasks.test_adapters import spec

CHOICE = "Which is right?\n\nAnswer Choices:\nA. one\nB. two"


def made(*rows: dict[str, Any], only: str | None = None) -> list[Item]:
    return items(rows, spec(grader="rule_first", options={"only": only}), 0).items


def test_options_in_a_questions_text_make_it_a_choice_in_their_order() -> None:
    [item] = made({"problem": CHOICE, "answer": "B"})
    assert (item.options, item.gold, item.fields["is_choice"]) == (("one", "two"), "B", True)


def test_an_answer_that_is_no_letter_of_an_option_is_no_choice() -> None:
    [item] = made({"problem": CHOICE, "answer": "D"})
    assert item.options == () and item.metadata == {"decided_by": "judge"}


@pytest.mark.parametrize("answer", ["35", "-1,234", "$7/2$", r"\(r = 19\)", r"\\(r = 19\\)", r"\-8"])
def test_a_rule_decides_about_whole_numbers_and_fractions(answer: str) -> None:
    assert made({"problem": "How many?", "answer": answer})[0].metadata == {}


@pytest.mark.parametrize("answer", ["0.2", "14 times", "cGAS-STING", r"\frac{e}{2}", "1,2"])
def test_a_judge_decides_about_all_other_answers(answer: str) -> None:
    assert made({"problem": "Which?", "answer": answer})[0].metadata == {"decided_by": "judge"}


def test_questions_with_a_picture_are_left_out() -> None:
    rows = [
        {"problem": "See it.", "answer": "1", "image": "data:image/png"},
        {"problem": "2?", "answer": "2", "image": ""},
    ]
    assert [item.gold for item in made(*rows)] == ["2"]


def test_the_questions_that_a_rule_decides_can_be_asked_alone() -> None:
    rows = [{"problem": "a", "answer": "12"}, {"problem": "b", "answer": "cGAS"}]
    made_of = items(rows, spec(options={"only": "rule"}), 0)
    assert [item.gold for item in made_of.items] == ["12"]
    assert [note.text for note in made_of.notes] == ["1 questions that only a judge can decide are left out"]


def test_any_other_selection_is_refused() -> None:
    with pytest.raises(ConfigError, match="expected only to be rule or nothing, got 'choices'"):
        made({"problem": "a", "answer": "1"}, only="choices")
