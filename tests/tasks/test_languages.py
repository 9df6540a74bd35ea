"""Instructions in Chinese, and the tasks whose questions are: rows by hand in their documented fields."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from k2eval.config import TaskOverrides
from k2eval.errors import ConfigError, JournalError
from k2eval.grading import grader_for
from k2eval.journal import read_run
from k2eval.reasoning import AUTO
from k2eval.records import Outcome
from k2eval.tasks import load_questions, load_tasks
from tests.scripted_runs import config, golds, run, student

CHINESE = TaskOverrides(prompt_language="zh")
PLACES: list[tuple[str, str, dict[str, Any], int]] = [
    ("aime24_zh", "aime24_zh/zh.jsonl", {"id": 60, "problem": "求 $1+1$ 的值。", "answer": "002"}, 30),
    (
        "polymath_zh_top",
        "polymath/zh_top.jsonl",
        {"id": "top-zh-0", "question": "求 $1+1$。", "answer": "2"},
        125,
    ),
    (
        "polymath_zh_high",
        "polymath/zh_high.jsonl",
        {"id": "high-zh-0", "question": "求 $1+1$。", "answer": "2"},
        125,
    ),
]


@pytest.mark.parametrize(("name", "file", "row", "expected"), PLACES)
def test_questions_in_chinese_are_asked_and_their_golds_pass(
    tmp_path: Path, name: str, file: str, row: dict[str, Any], expected: int
) -> None:
    (tmp_path / file).parent.mkdir()
    (tmp_path / file).write_text(json.dumps(row) + "\n")
    for overrides, word in ((None, "Put "), ({name: CHINESE}, "请把")):
        [task] = load_tasks([name], overrides)
        found = load_questions(task, data=tmp_path)
        [question] = found.questions()
        assert found.expected == expected and word in question.messages[-1].content
        grade = grader_for("math").grade_response(question, r"所以答案是 \boxed{2}。", False, AUTO)
        assert grade.outcome is Outcome.CORRECT


@pytest.mark.parametrize(
    "name", ["aime24", "hmmt25", "math500", "gpqa_diamond", "hle_text", "nano_math", "nano_choice"]
)
def test_all_words_of_mathematics_and_choices_are_known_in_chinese(name: str) -> None:
    [task] = load_tasks([name], {name: CHINESE})
    assert task.language == "zh"
    assert "严谨" in task.system and "\\boxed{} 中" in task.prompt


def test_a_task_with_other_words_is_refused() -> None:
    with pytest.raises(
        ConfigError, match="Task nano_code: expected all of its instructions in the language 'zh'"
    ):
        load_tasks(["nano_code"], {"nano_code": CHINESE})


def test_a_system_text_of_the_run_takes_precedence() -> None:
    overrides = TaskOverrides(prompt_language="zh", system="Be brief.")
    [task] = load_tasks(["aime24"], {"aime24": overrides})
    assert task.system == "Be brief."


async def test_the_language_is_part_of_the_identity_of_a_run(tmp_path: Path) -> None:
    first = config(tmp_path / "run", prompt_language="zh", limit=1, repeats=1)
    await run(first, student(golds(first), lambda request: True))
    record = read_run(tmp_path / "run")
    assert record.config.prompt_language == "zh"
    assert any("instructions in the language 'zh'" in note.text for note in record.tasks["smoke"].notes)
    other = config(tmp_path / "run", limit=1, repeats=1)
    with pytest.raises(JournalError, match="prompt_language: 'zh' there, 'en' now"):
        await run(other, student(golds(other), lambda request: True))
