from __future__ import annotations

import json
from pathlib import Path

import pytest

from k2eval.records import Json
from k2eval.tasks import load_questions, load_tasks
from k2eval.tasks.data import QuestionSet
from k2eval.tasks.overlap import Text, Twin, hashes_of_twins, overlaps_in_words, twins

LONG = (
    "Alice writes the numbers from 1 to 20 on a board. In each step Bob erases two of them and writes their sum. How "
    "many different boards can remain after 5 steps, if the order does not matter?"
)


def text(task: str, question: str, words: str, gold: Json = "7") -> Text:
    return Text.of(task, question, words, gold)


def found(*texts: Text, near: bool = True) -> list[tuple[str, str, bool]]:
    return [(twin.question, twin.other_question, twin.near) for twin in twins(texts, near=near)]


@pytest.mark.parametrize(
    "other",
    [
        LONG + "\n",
        LONG.replace("20", "$20$"),
        LONG.replace("1 to 20", r"\\text{1} to \\, 20"),
        LONG.replace("After", "after").replace(", if", " , if"),
    ],
)
def test_layout_makes_no_other_question(other: str) -> None:
    assert found(text("a", "1", LONG), text("b", "2", other), near=False) == [("2", "1", False)]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Compute $a+b$.", "Compute $a-b$."),
        ("CC(C)O", "CCCO"),
        ("c1ccccc1", "C1CCCCC1"),
        ("f(x) = 1", "f(X) = 1"),
    ],
)
def test_signs_and_capitals_make_another_question(first: str, second: str) -> None:
    assert found(text("a", "1", first), text("b", "2", second)) == []


@pytest.mark.parametrize(
    ("first", "second"),
    [("1.5 + 2", "15 + 2"), ("5!", "5"), ("n!", "n"), ("3:2", "32"), ("f(1,2)", "f(12)"), ("f'(x)", "f(x)"),
     ("x^{2}3", "x^{23}"), (r"\frac{1}{23}", r"\frac{12}{3}"), ("1 2", "12"), ("1,5", "1.5")],
)  # fmt: skip
def test_marks_between_digits_make_another_question(first: str, second: str) -> None:
    assert not found(text("a", "1", f"Compute {first}"), text("b", "2", f"Compute {second}"), near=False)


@pytest.mark.parametrize(
    ("first", "second"),
    [("1{,}000", "1000"), ("1,000", "1000"), (r"\frac12", r"\dfrac{1}{2}"), ("$1$, $2$", "1,2"), ("$5$!", "5 !"),
     ("x_1", "x_{1}"), ("$3$.", "3"), (r"2^{10}\, 3", "2^{10} 3")],
)  # fmt: skip
def test_other_marks_make_none(first: str, second: str) -> None:
    pair = text("a", "1", f"Compute {first}"), text("b", "2", f"Compute {second}")
    assert found(*pair, near=False) == [("2", "1", False)]


def test_a_question_in_slightly_other_words_is_a_near_duplicate() -> None:
    other = LONG.replace("How many different boards", "How many distinct boards")
    assert found(text("a", "1", LONG), text("b", "2", other)) == [("2", "1", True)]
    assert found(text("a", "1", LONG), text("b", "2", other), near=False) == []


def test_a_question_with_another_number_or_answer_is_another_one() -> None:
    assert found(text("a", "1", LONG), text("b", "2", LONG.replace("5 steps", "6 steps"))) == []
    assert found(text("a", "1", LONG), text("b", "2", LONG.replace("different", "distinct"), "8")) == []


def test_questions_of_one_task_are_not_compared_with_each_other() -> None:
    assert found(text("a", "1", LONG), text("a", "2", LONG)) == []


def test_the_earlier_task_is_named_second() -> None:
    other = LONG.replace("different", "distinct")
    texts = [text("a", "1", other), text("b", "2", LONG), text("c", "3", other)]
    assert found(*texts) == [("3", "1", False), ("2", "1", True), ("3", "2", True)]


def test_a_pair_of_tasks_is_one_sentence() -> None:
    shared = [Twin("b", str(number), "a", str(number), False) for number in range(7)]
    assert overlaps_in_words(shared) == ["b shares 7 questions with a: 0 = 0, 1 = 1, 2 = 2, 3 = 3, 4 = 4, …"]


def competition(folder: Path, name: str, place: str, *problems: str) -> QuestionSet:
    (folder / place).mkdir()
    rows = [
        {"problem_idx": number, "problem": problem, "answer": "7"}
        for number, problem in enumerate(problems, start=1)
    ]
    (folder / place / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    [task] = load_tasks([name])
    return load_questions(task, data=folder)


def test_near_duplicates_carry_the_hash_of_the_earlier_question(tmp_path: Path) -> None:
    first = competition(tmp_path, "smt25", "smt_2025", LONG, "Other?")
    second = competition(tmp_path, "apex25", "apex_2025", LONG.replace("different", "distinct"), "Other?")
    assert hashes_of_twins([first, second]) == {"apex25": {"1": first.hashes["1"]}}
    assert second.hashes["2"] == first.hashes["2"]
