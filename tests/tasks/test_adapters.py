"""Rows to items: short answers and options."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, strategies as st

from k2eval.errors import ConfigError, DataError
from k2eval.tasks.adapters import LETTERS, answers, choices, distinct, numbers
from k2eval.tasks.spec import DataSpec, TaskSpec
from k2eval.tasks.task import Item


def spec(task: str = "toy", **changes: Any) -> TaskSpec:
    base: dict[str, Any] = {"title": "Toy", "kind": "general", "grader": "math", "data": DataSpec()}
    return TaskSpec(task=task, **{**base, **changes})


def choice_spec(task: str = "toy") -> TaskSpec:
    fields = {"id": "id", "problem": "Question", "answer": "Right", "wrong": "Wrong 1, Wrong 2, Wrong 3"}
    return spec(task, grader="choice", fields=fields)


def choice_row(identity: str, question: str = "Which?", right: str = "right") -> dict[str, str]:
    wrong = {f"Wrong {number}": f"w{number}" for number in (1, 2, 3)}
    return {"id": identity, "Question": question, "Right": right, **wrong}


CHOICE_ROWS = [choice_row(f"q{number}") for number in range(40)]


def orders(
    rows: list[dict[str, str]], repeat_index: int = 0, task: str = "toy"
) -> dict[str, tuple[str, ...]]:
    return {item.id: item.options for item in choices(rows, choice_spec(task), repeat_index).items}


def test_an_answer_given_as_a_number_becomes_text() -> None:
    result = answers([{"problem": "1 + 1", "answer": 2}], spec(), 0).items
    assert result[0].gold == "2"


def test_a_whole_float_loses_its_point() -> None:
    result = answers([{"problem": "1 + 1", "answer": 2.0}], spec(), 0).items
    assert result[0].gold == "2"


def test_leading_zeros_of_an_answer_are_kept() -> None:
    result = answers([{"problem": "p", "answer": "025"}], spec(), 0).items
    assert result[0].gold == "025"


@pytest.mark.parametrize(
    "missing", [{}, {"answer": None}, {"answer": "  "}, {"answer": []}, {"answer": True}]
)
def test_a_question_without_an_answer_is_refused_with_its_row(missing: dict[str, Any]) -> None:
    rows = [{"problem": "p", "answer": "1"}, {"problem": "q", **missing}]
    with pytest.raises(DataError, match=r"Task toy, row 2: expected a text or number in field 'answer'"):
        answers(rows, spec(), 0)


def test_a_question_without_a_problem_is_refused_with_the_fields_there() -> None:
    with pytest.raises(DataError, match=r"field 'question', got None. Fields there: prompt, answer\."):
        answers([{"prompt": "p", "answer": "1"}], spec(fields={"problem": "question"}), 0)


def test_a_row_without_an_id_is_known_by_its_text() -> None:
    first, second = answers(
        [{"problem": "p", "answer": "1"}, {"problem": "q", "answer": "1"}], spec(), 0
    ).items
    assert first.id != second.id
    assert first.id == answers([{"problem": "p", "answer": "7"}], spec(), 5).items[0].id


def test_the_id_zero_is_an_id() -> None:
    result = answers([{"problem": "p", "answer": "1", "id": 0}], spec(fields={"id": "id"}), 0).items
    assert result[0].id == "0"


def test_empty_tags_are_left_out() -> None:
    tags = {"level": "level", "domain": "domain", "source": "source"}
    row = {"problem": "p", "answer": "1", "level": 3, "domain": [], "source": ""}
    assert answers([row], spec(tags=tags), 0).items[0].tags == {"level": "3"}


def test_the_answer_type_reaches_the_grader() -> None:
    result = answers([{"problem": "p", "answer": "1"}], spec(answer_type="integer"), 0).items
    assert result[0].metadata == {"answer_type": "integer"}


def test_ids_that_occur_again_get_suffixes() -> None:
    items = [Item(id=identity, gold="", fields={}) for identity in ("a", "b", "a", "a", "b")]
    assert [item.id for item in distinct(items)] == ["a", "b", "a-2", "a-3", "b-2"]


@given(st.lists(st.sampled_from(["a", "a-2", "a-3", "a-2-2", "b"])))
def test_suffixes_never_meet_an_id_that_is_there(ids: list[str]) -> None:
    made = [item.id for item in distinct([Item(id=identity, gold="", fields={}) for identity in ids])]
    assert len(set(made)) == len(made)


def test_option_order_does_not_depend_on_the_order_of_rows() -> None:
    shuffled = list(CHOICE_ROWS)
    random.Random(1).shuffle(shuffled)
    assert orders(shuffled) == orders(CHOICE_ROWS)


def test_option_order_does_not_depend_on_how_many_rows_there_are() -> None:
    assert orders(CHOICE_ROWS[3:7]).items() <= orders(CHOICE_ROWS).items()


def test_option_order_does_not_depend_on_the_task() -> None:
    assert orders(CHOICE_ROWS, task="other") == orders(CHOICE_ROWS)


def test_option_order_does_not_depend_on_what_was_made_before() -> None:
    expected = orders(CHOICE_ROWS, repeat_index=3)
    random.seed(5)
    orders(CHOICE_ROWS, repeat_index=1, task="other")
    assert orders(CHOICE_ROWS, repeat_index=3) == expected


def test_option_order_differs_between_runs() -> None:
    assert len({orders(CHOICE_ROWS[:1], repeat_index)["q0"] for repeat_index in range(16)}) > 4


def test_option_order_differs_between_questions() -> None:
    assert len(set(orders(CHOICE_ROWS).values())) > 12


def test_each_position_holds_the_right_option_about_as_often() -> None:
    golds = [item.gold for run in range(16) for item in choices(CHOICE_ROWS, choice_spec(), run).items]
    shares = {letter: golds.count(letter) / len(golds) for letter in LETTERS[:4]}
    assert sum(shares.values()) == pytest.approx(1)
    assert all(0.18 < share < 0.32 for share in shares.values()), shares


@given(st.integers(0, 63), st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1))
def test_the_gold_letter_names_the_right_option(repeat_index: int, identity: str) -> None:
    item = choices([choice_row(identity)], choice_spec(), repeat_index).items[0]
    assert item.options[LETTERS.index(item.gold)] == "right"
    assert sorted(item.options) == ["right", "w1", "w2", "w3"]


def test_options_are_shown_as_lettered_lines() -> None:
    item = choices([choice_row("q")], choice_spec(), 0).items[0]
    lines = [f"{letter}. {text}" for letter, text in zip("ABCD", item.options, strict=True)]
    assert item.fields["choices"] == "\n".join(lines)


def test_brackets_in_question_and_options_survive() -> None:
    question = "Treat (2R,3S)-[1,1'-bi(cyclopentane)] with {{x}} and <A>; see [1]."
    right = "[Fe(CN)_6]^{4-} {% raw %}"
    item = choices([choice_row("q", question, right)], choice_spec(), 0).items[0]
    assert item.fields["question"] == question
    assert item.options[LETTERS.index(item.gold)] == right
    assert f"{item.gold}. {right}" in item.fields["choices"].splitlines()


def test_equal_option_texts_keep_the_gold_a_single_letter() -> None:
    item = choices([choice_row("q", right="w1")], choice_spec(), 0).items[0]
    assert item.gold in LETTERS[:4] and item.options[LETTERS.index(item.gold)] == "w1"


def test_a_missing_wrong_option_is_refused_with_its_field() -> None:
    row = {**choice_row("q"), "Wrong 2": ""}
    with pytest.raises(DataError, match=r"row 1: expected a text or number in field 'Wrong 2'"):
        choices([row], choice_spec(), 0)


def test_options_may_stand_in_a_list_with_the_index_of_the_right_one() -> None:
    listed = spec(fields={"problem": "q", "options": "options", "answer": "index"})
    item = choices([{"q": "Which?", "options": ["w", 7, "x"], "index": 1}], listed, 2).items[0]
    assert item.options[LETTERS.index(item.gold)] == "7"


@pytest.mark.parametrize("index", [3, -1, "1", None, True])
def test_an_index_beside_the_list_is_refused(index: Any) -> None:
    listed = spec(fields={"problem": "q", "options": "options", "answer": "index"})
    with pytest.raises(DataError, match="none empty, and the index of the right one"):
        choices([{"q": "Which?", "options": ["w", "v", "x"], "index": index}], listed, 0)


@pytest.mark.parametrize(
    "options", [["w", " "], [str(number) for number in range(27)]], ids=["empty", "too many"]
)
def test_an_option_that_cannot_be_shown_is_refused(options: list[str]) -> None:
    listed = spec(fields={"problem": "q", "options": "options", "answer": "index"})
    with pytest.raises(DataError, match="a list of at most 26 options"):
        choices([{"q": "Which?", "options": options, "index": 0}], listed, 0)


def test_a_task_that_names_no_wrong_options_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"Task toy: metadata\.k2eval\.fields must name 'wrong' or 'options'"
    ):
        choices([{"problem": "Which?", "answer": "x"}], spec(), 0)


def test_a_numeric_answer_becomes_a_number_with_the_tasks_settings_for_its_grader() -> None:
    task = spec(grader="number", options={"tolerance": 0.5, "min": None, "units": {"kJ": 0.24}})
    [item] = numbers([{"problem": "CCO", "answer": "-0.77"}], task, 0).items
    assert (item.gold, item.metadata) == (-0.77, {"tolerance": 0.5, "units": {"kJ": 0.24}})


@pytest.mark.parametrize("answer", ["high", "nan", "1e999"])
def test_a_numeric_answer_must_be_a_finite_number(answer: str) -> None:
    with pytest.raises(DataError, match="row 1: expected a number as answer"):
        numbers([{"problem": "CCO", "answer": answer}], spec(), 0)


def test_a_tolerance_must_be_a_number() -> None:
    with pytest.raises(ConfigError, match="expected numbers as option tolerance, got 'small'"):
        numbers([{"problem": "CCO", "answer": 1}], spec(options={"tolerance": "small"}), 0)


@pytest.mark.parametrize(
    "options",
    [{"tolerence": 0.5}, {"tolerance": -1}, {"min": 5, "max": 1}, {"units": 3}, {"units": {"kJ": 0}}, {"unit": "kcal"}],
)  # fmt: skip
def test_an_option_by_which_no_number_could_pass_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="Task"):
        numbers([{"problem": "CCO", "answer": 1}], spec(options=options), 0)


def test_a_misspelt_option_is_refused_with_the_right_one() -> None:
    with pytest.raises(ConfigError, match=r"no option 'ordre'.*order"):
        choices([], spec(options={"ordre": "given"}), 0)
