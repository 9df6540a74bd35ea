from __future__ import annotations

import pytest

from k2eval.errors import DataError
from k2eval.grading.code.rows import asked, steps_in
from k2eval.records import Json, Question

QUESTION = Question(task="t", id="10", messages=(), gold={}, metadata={"kept": 1})


def test_a_response_leaves_the_question_as_it_is() -> None:
    assert asked(QUESTION, {"question_id": "10", "response": "words"}) == (QUESTION, "words")


def test_code_is_marked_as_such() -> None:
    question, text = asked(QUESTION, {"question_id": "10", "code": "x = '```'"})
    assert text == "x = '```'"
    assert question.metadata == {"kept": 1, "as_code": True}


def test_a_row_without_either_is_an_error() -> None:
    with pytest.raises(DataError, match='expected "response" to be a string, got nothing'):
        asked(QUESTION, {"question_id": "10"})
    with pytest.raises(DataError, match='expected "code" to be a string, got 5'):
        asked(QUESTION, {"question_id": "10", "code": 5})


@pytest.mark.parametrize("step", ["10.2", "2", 2])
def test_a_step_is_named_in_full(step: object) -> None:
    question, _ = asked(
        QUESTION, {"question_id": "10", "code": "x", "step_id": step, "earlier": {"10.1": "y"}}
    )
    assert question.metadata["step_id"] == "10.2"
    assert question.metadata["earlier"] == {"10.1": "y"}


def test_earlier_steps_come_from_the_other_rows_where_they_are_unambiguous() -> None:
    rows: list[dict[str, Json]] = [
        {"question_id": "10", "step_id": "10.1", "code": "one"},
        {"question_id": "10", "step_id": "10.2", "response": "<think>x</think>```python\ntwo\n```"},
        {"question_id": "10", "step_id": "10.3", "code": "three"},
        {"question_id": "10", "step_id": "10.3", "code": "another three"},
        {"question_id": "10", "step_id": "10.1", "code": "of another run", "repeat_index": 1},
        {"question_id": "11", "code": "no step"},
    ]
    steps = steps_in(rows)
    assert steps == {("10", 0): {"10.1": "one", "10.2": "two"}, ("10", 1): {"10.1": "of another run"}}
    question, _ = asked(QUESTION, rows[2], steps)
    assert question.metadata["earlier"] == {"10.1": "one", "10.2": "two"}
