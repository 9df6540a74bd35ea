"""`k2eval protocols`, and `k2eval run --protocol` as a user sees it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from k2eval.cli.app import app
from k2eval.cli.protocols import grid, own_settings
from k2eval.protocols import FIELDS, NAMES
from k2eval.tasks import load_tasks

PAGE = Path(__file__).parents[2] / "docs" / "protocols.md"
SCRIPT = {"match": "", "responses": ["<think>so</think>\nAnswer: 7"]}


def output(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return result.output


def cells(task: str, field: str) -> dict[str, str]:
    header, rows = grid(load_tasks([task])[0])
    [row] = [row for row in rows if row[0] == field]
    return dict(zip(header, row, strict=True))


def test_each_protocol_has_a_cell_for_each_field() -> None:
    header, rows = grid(load_tasks(["livecodebench"])[0])
    assert header == ["", "k2eval", *NAMES]
    assert [row[0] for row in rows] == ["recipe", *FIELDS]
    assert all(cell for row in rows for cell in row)


@pytest.mark.parametrize(
    ("task", "field", "name", "cell"),
    [
        ("aime25", "repeats", "kimi", "32"),
        ("aime25", "repeats", "aa", "10 ~"),
        ("aime25", "top_k", "kimi", "?"),
        ("aime26", "prompt", "eval360", "? (zero-shot; in rows that are not public)"),
        ("aime25", "temperature", "matharena", "by the file of each model *"),
        ("gpqa_diamond", "temperature", "matharena", "?"),
        ("hmmt25", "repeats", "simple-evals", "10 ~"),
    ],
)
def test_a_cell_shows_how_sure_it_is(task: str, field: str, name: str, cell: str) -> None:
    assert cells(task, field)[name] == cell


def test_settings_of_k2eval_stand_beside() -> None:
    own = own_settings(load_tasks(["aime25"])[0])
    assert (own["temperature"], own["repeats"], own["stop"]) == ("1.0", "16", "</answer>")


def test_the_terminal_shows_every_protocol_at_any_width() -> None:
    text = CliRunner().invoke(app, ["protocols", "aime25"], env={"COLUMNS": "80"}).output
    assert all(name in text for name in NAMES)
    assert "simple-evals: its sources say nothing about AIME 2025" in text


def test_json_has_every_fact_with_status_and_source() -> None:
    content: dict[str, Any] = json.loads(output("protocols", "aime25", "--format", "json"))
    fact = content["tasks"]["aime25"]["matharena"]["facts"]["repeats"]
    assert (fact["status"], fact["value"]) == ("documented", 4)
    assert fact["source"].startswith("eth-sri/matharena@e927660")
    assert list(content["protocols"]) == list(NAMES)


def test_the_page_of_the_documentation_has_these_tables() -> None:
    page = PAGE.read_text("utf-8").splitlines()
    assert [line for line in output("protocols", "--format", "md").splitlines() if line not in page] == []


def test_a_run_announces_its_protocol_and_its_deviations(tmp_path: Path) -> None:
    (tmp_path / "script.jsonl").write_text(json.dumps(SCRIPT) + "\n")
    command = ["--engine", "scripted", "--model", str(tmp_path / "script.jsonl"), "--tasks", "smoke"]
    command += ["--limit", "1", "--workers", "1", "--protocol", "simple-evals", "--repeats", "2"]
    dry = output("run", *command, "--dry-run", "--out", str(tmp_path / "none"))
    text = output("run", *command, "--out", str(tmp_path / "run"))
    assert "Protocol simple-evals/1: OpenAI simple-evals" in text
    assert "simple-evals/1, OpenAI simple-evals" in dry
    for said in (dry, text):
        assert "deviates from protocol simple-evals/1: repeats 2 instead of 10" in said
        assert "documented only in words, so k2eval's own: max_tokens" in said
    assert "recipe plain, protocol simple-evals/1" in text
