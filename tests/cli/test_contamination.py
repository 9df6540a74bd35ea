from __future__ import annotations

import json
from pathlib import Path

import pytest

from k2eval.cli.contamination import contamination_command
from k2eval.errors import ConfigError
from k2eval.leaderboard import build
from k2eval.tasks import load_questions, load_tasks
from tests.scripted_runs import carry_out, config


def test_the_list_of_a_search_leaves_the_questions_out_of_scores(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [task] = load_tasks(["nano_math"])
    questions = load_questions(task, data=None)
    seen = max(questions.all_items[:6], key=lambda item: len(str(item.fields["problem"])))
    (tmp_path / "data").mkdir()
    (tmp_path / "data/train.jsonl").write_text(json.dumps({"text": seen.fields["problem"]}) + "\n")
    code = contamination_command(["nano_math"], tmp_path / "data", tmp_path / "list", 0.99, None, (), 1)
    assert code == 0 and "of 100 questions are in the data" in capsys.readouterr().out
    assert f"nano_math/{seen.id}" in (tmp_path / "list").read_text().splitlines()


async def test_a_listed_question_is_left_out_by_exclude(tmp_path: Path) -> None:
    await carry_out(config(tmp_path / "run", repeats=1))
    [task] = load_tasks(["smoke"])
    items = load_questions(task, data=None).all_items[:6]
    text = "".join(f"# 100 % of it is in train.jsonl:0\nsmoke/{item.id}\n" for item in items[:2])
    (tmp_path / "list").write_text(text)
    assert build([tmp_path / "run"], exclude=tmp_path / "list").frame.iloc[0]["smoke_questions"] == 4


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Expected a folder with training data"):
        contamination_command(["smoke"], tmp_path / "none", None, 0.5, None, (), 1)
