"""The competitions whose rows are not at hand: rows by hand, in the fields that their data sets document."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from k2eval.grading import grader_for
from k2eval.reasoning import AUTO
from k2eval.records import Outcome
from k2eval.tasks import load_questions, load_tasks

ROW = {"problem_idx": 7, "problem": "Compute $1/2 + 1/4$.", "answer": "3/4"}
TYPED = {**ROW, "problem_type": ["Algebra"]}
SOURCED = {**ROW, "source": "SMT"}
PLACES: list[tuple[str, str, dict[str, Any], int, int]] = [
    ("hmmt_feb26", "hmmt_feb_2026", TYPED, 33, 16),
    ("brumo25", "brumo_2025", TYPED, 30, 16),
    ("smt25", "smt_2025", TYPED, 53, 16),
    ("cmimc25", "cmimc_2025", TYPED, 40, 16),
    ("apex25", "apex_2025", SOURCED, 12, 16),
    ("apex_shortlist", "apex_shortlist", SOURCED, 47, 4),
]


@pytest.mark.parametrize(("name", "folder", "row", "questions", "repeats"), PLACES)
def test_the_documented_fields_make_a_question_whose_gold_passes(
    tmp_path: Path, name: str, folder: str, row: dict[str, Any], questions: int, repeats: int
) -> None:
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "train.jsonl").write_text(json.dumps(row) + "\n")
    [task] = load_tasks([name])
    found = load_questions(task, data=tmp_path)
    [question] = found.questions()
    assert (found.expected, task.repeats, question.id) == (questions, repeats, "7")
    assert row["problem"] in question.messages[-1].content
    assert set(question.tags) <= {"type", "source"} and question.tags
    grade = grader_for(question.grader).grade_response(question, r"\boxed{0.75}", False, AUTO)
    assert grade.outcome is Outcome.CORRECT


@pytest.mark.parametrize("name", [name for name, *_ in PLACES] + ["aime26", "hmmt_nov25"])
def test_the_hub_is_asked_for_the_pinned_revision(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}

    def load(dataset: str, config: str | None, **arguments: Any) -> list[dict[str, Any]]:
        asked.update(arguments, dataset=dataset)
        return [{**ROW, "answer": 204}]

    monkeypatch.setattr("datasets.load_dataset", load)
    [task] = load_tasks([name])
    load_questions(task, data=tmp_path)
    assert asked["dataset"].startswith("MathArena/") and len(asked["revision"]) == 40
