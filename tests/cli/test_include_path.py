"""Tasks of one's own, through the commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from k2eval.cli.app import app

TASK = """
task: puzzle
output_type: generate_until
doc_to_text: "{{problem}}"
generation_kwargs: {max_gen_toks: 64, temperature: 1.0, do_sample: true}
repeats: 1
metadata:
  version: 1
  k2eval:
    task: puzzle
    title: Puzzle
    kind: general
    grader: math
    data: {bundled: puzzle.jsonl}
    fields: {id: id, problem: problem, answer: answer}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "puzzle.yaml").write_text(TASK)
    (folder / "puzzle.jsonl").write_text(json.dumps({"id": "a", "problem": "1 + 1", "answer": "2"}) + "\n")
    return folder


def invoke(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return result.output


def test_a_task_of_an_included_folder_is_listed(folder: Path) -> None:
    assert "Puzzle" in invoke("tasks", "--include-path", str(folder))


def test_it_is_run_and_graded_again(folder: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.jsonl"
    script.write_text(json.dumps({"match": "", "responses": ["\\boxed{2}"]}) + "\n")
    run = [
        "--engine",
        "scripted",
        "--model",
        str(script),
        "--tasks",
        "puzzle",
        "--out",
        str(tmp_path / "run"),
    ]
    assert "1/1 samples" in invoke("run", *run, "--workers", "1", "--include-path", str(folder))
    moved = folder.rename(tmp_path / "moved")
    assert "0 verdicts changed" in invoke("grade", str(tmp_path / "run"), "--include-path", str(moved))


def test_responses_to_it_are_scored(folder: Path, tmp_path: Path) -> None:
    responses = tmp_path / "responses.jsonl"
    responses.write_text(json.dumps({"question_id": "a", "response": "\\boxed{2}"}) + "\n")
    out = tmp_path / "graded.jsonl"
    invoke("score", str(responses), "--task", "puzzle", "--out", str(out), "--include-path", str(folder))
    assert json.loads(out.read_text())["outcome"] == "correct"


def test_groups_of_an_included_folder_are_listed(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("group: mine\ntask: [smoke, nano_math]\n")
    shown = invoke("tasks", "--include-path", str(tmp_path))
    assert "The group mine stands for smoke, nano_math." in shown
