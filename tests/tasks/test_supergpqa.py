"""SuperGPQA: rows by hand, in the fields that its data set documents."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from k2eval.config import TaskOverrides
from k2eval.errors import ConfigError, DataError
from k2eval.grading import grader_for
from k2eval.reasoning import AUTO
from k2eval.records import Outcome, Question
from k2eval.report.breakdown import break_down
from k2eval.tasks import QuestionSet, load_questions, load_tasks
from tests.scripted_runs import carry_out, config

TEN = [
    "Mercury", "Venus", "Earth", "Mars", "Jupiter", "Saturn", "Uranus", "Neptune", "None of the above", "Both A and B",
]  # fmt: skip
ROW = {
    "uuid": "0a1b",
    "question": "Which planet is the fourth from the sun?",
    "options": TEN,
    "answer": "Mars",
    "answer_letter": "D",
    "discipline": "Science",
    "field": "Astronomy",
    "subfield": "Solar System Science",
    "difficulty": "easy",
    "is_calculation": False,
}
LAST = {
    **ROW,
    "uuid": "2c3d",
    "question": "Which two are nearest?",
    "answer": "Both A and B",
    "answer_letter": "J",
}
FOUR = {
    **ROW,
    "uuid": "4e5f",
    "question": "What is 2 + 2?",
    "options": ["3", "4", "5", "6"],
    "answer": "4",
    "answer_letter": "B",
    "discipline": "Engineering",
    "difficulty": "hard",
    "is_calculation": True,
}


def loaded(folder: Path, *rows: dict[str, Any], **options: Any) -> QuestionSet:
    (folder / "supergpqa").mkdir(exist_ok=True)
    (folder / "supergpqa/train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    [task] = load_tasks(["supergpqa"], {"supergpqa": TaskOverrides(options=options)})
    return load_questions(task, data=folder)


def outcome(question: Question, text: str) -> Outcome:
    return grader_for(question.grader).grade_response(question, text, False, AUTO).outcome


def test_the_documented_fields_make_questions_with_ids_tags_and_options(tmp_path: Path) -> None:
    found = loaded(tmp_path, ROW, FOUR)
    first, second = found.questions()
    assert (found.expected, found.task.repeats, first.id, first.gold) == (26_529, 1, "0a1b", "D")
    assert "D. Mars" in first.messages[-1].content and "J. Both A and B" in first.messages[-1].content
    assert set(first.tags) == {"discipline", "field", "subfield", "difficulty", "calculation"}
    assert (second.options, second.tags["calculation"]) == (("3", "4", "5", "6"), "True")


@pytest.mark.parametrize("row", [ROW, LAST, FOUR])
def test_every_gold_passes_its_own_grader_and_no_other_letter_does(
    tmp_path: Path, row: dict[str, Any]
) -> None:
    [question] = loaded(tmp_path, row).questions()
    passing = [
        letter
        for letter in "ABCDEFGHIJ"[: len(row["options"])]
        if outcome(question, rf"So \boxed{{{letter}}}.") is Outcome.CORRECT
    ]
    assert passing == [row["answer_letter"]]


@pytest.mark.parametrize("letter", "ABCDEFGHIJ")
@pytest.mark.parametrize(
    "form", ["The answer is ({}).", "Answer: {}", "**Answer:** {}", "<answer>{}</answer>", "({})"]
)
def test_the_letters_of_ten_options_are_read_without_a_box(tmp_path: Path, letter: str, form: str) -> None:
    at = "ABCDEFGHIJ".index(letter)
    [question] = loaded(tmp_path, {**ROW, "answer": TEN[at], "answer_letter": letter}).questions()
    assert outcome(question, f"Let me see.\n\n{form.format(letter)}") is Outcome.CORRECT


def test_a_letter_behind_the_last_option_is_not_right(tmp_path: Path) -> None:
    [question] = loaded(tmp_path, FOUR).questions()
    assert outcome(question, r"\boxed{J}") is not Outcome.CORRECT


def test_options_stay_in_the_order_of_the_rows_in_every_repeat(tmp_path: Path) -> None:
    found = loaded(tmp_path, ROW)
    assert [found.questions(repeat)[0].options for repeat in range(4)] == [tuple(TEN)] * 4


def test_options_can_be_shuffled(tmp_path: Path) -> None:
    found = loaded(tmp_path, ROW, order="shuffled")
    orders = {found.questions(repeat)[0].options for repeat in range(4)}
    assert len(orders) == 4
    assert all(each.options["ABCDEFGHIJ".index(str(each.gold))] == "Mars" for each in found.questions(3))


def test_another_order_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected order to be given or shuffled, got 'random'"):
        loaded(tmp_path, ROW, order="random").questions()


@pytest.mark.parametrize(
    "change",
    [
        {"answer_letter": "C"},
        {"answer_letter": "K"},
        {"answer_letter": "AD"},
        {"answer": "Ares"},
        {"options": ["Mars", "Mars", "Venus", "Mars"]},
        {"options": ["Mars", " ", "Venus", "Mercury"]},
        {"options": "Mars"},
        {"options": None},
    ],
)
def test_a_row_whose_key_is_not_one_of_its_options_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="Task supergpqa, row 1: expected"):
        loaded(tmp_path, {**ROW, **change}).questions()


def test_the_hub_is_asked_for_the_pinned_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def load(dataset: str, config: str | None, **arguments: Any) -> list[dict[str, Any]]:
        asked.update(arguments, dataset=dataset)
        return [ROW]

    monkeypatch.setattr("datasets.load_dataset", load)
    [task] = load_tasks(["supergpqa"])
    load_questions(task, data=tmp_path)
    assert (asked["dataset"], asked["split"], len(asked["revision"])) == ("m-a-p/SuperGPQA", "train", 40)


async def test_a_run_has_a_table_by_discipline(tmp_path: Path) -> None:
    loaded(tmp_path, ROW, LAST, FOUR)
    run = config(tmp_path / "run", tasks=("supergpqa",), repeats=1, data=tmp_path)
    await carry_out(run)
    frame = break_down([tmp_path / "run"], by=["discipline"], data=tmp_path)
    rows = {row["value"]: row["questions"] for row in frame.query("tag == 'discipline'").to_dict("records")}
    assert rows == {"Engineering": 1, "Science": 2}
