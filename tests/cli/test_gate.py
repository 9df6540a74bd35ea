from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console
from typer.testing import CliRunner, Result

from k2eval.cli.app import app
from k2eval.cli.show import print_table
from k2eval.errors import ConfigError
from tests.leaderboard.synthetic import write_run


@pytest.fixture(autouse=True)
def no_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)


def gated(folder: Path, rules: list[dict[str, object]], *options: str) -> Result:
    policy = folder / "gate.yaml"
    policy.write_text(yaml.safe_dump({"rules": rules}))
    run = folder / "run"
    if not run.exists():
        write_run(run, {"t": [[1.0]] * 50})
    return CliRunner().invoke(app, ["gate", str(policy), str(run), *options])


@pytest.mark.parametrize(
    ("rule", "code", "answer"),
    [
        ({"benchmark": "t", "at_least": 50}, 0, "GO"),
        ({"measure": "tokens", "below": 1}, 1, "NO-GO"),
        ({"benchmark": "u", "at_least": 50}, 3, "INCONCLUSIVE"),
    ],
)
def test_the_exit_code_is_the_answer(tmp_path: Path, rule: dict[str, object], code: int, answer: str) -> None:
    result = gated(tmp_path, [rule])
    assert result.exit_code == code
    assert f"run: {answer}" in result.output


def test_bad_input_is_no_answer(tmp_path: Path) -> None:
    result = gated(tmp_path, [{"benchmark": "t", "better": True}])
    assert isinstance(result.exception, ConfigError)


def test_a_missing_run_is_bad_input(tmp_path: Path) -> None:
    result = gated(tmp_path, [{"benchmark": "t", "at_least": 1}], str(tmp_path / "none"))
    assert "none" in str(result.exception)


def test_files_are_written(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("gate.json", "gate.xml", "gate.md")]
    options = [
        text
        for option, file in zip(("--json", "--junit", "--summary"), files, strict=True)
        for text in (option, str(file))
    ]
    gated(tmp_path, [{"benchmark": "t", "at_least": 50}], *options)
    assert json.loads(files[0].read_text())["answer"] == "GO"
    assert files[1].read_text().startswith("<?xml")
    assert files[2].read_text().startswith("## ✅ GO")


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = gated(tmp_path, [{"benchmark": "t", "at_least": 50}], "--json", str(tmp_path / "file" / "x"))
    assert "Cannot write" in str(result.exception)


def test_the_page_of_a_job_gets_the_summary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(page))
    gated(tmp_path, [{"benchmark": "t", "at_least": 50}])
    assert page.read_text().startswith("# Before\n## ✅ GO")


@pytest.mark.parametrize("place", ["gate.yaml", "run/run.json", "run/../run/verdicts.jsonl", "same.json"])
def test_a_file_never_takes_the_place_of_another(tmp_path: Path, place: str) -> None:
    rules: list[dict[str, object]] = [{"benchmark": "t", "at_least": 50}]
    gated(tmp_path, rules)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    result = gated(tmp_path, rules, "--json", str(tmp_path / place), "--summary", str(tmp_path / place))
    assert "of its own" in str(result.exception)
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before


def test_a_policy_that_is_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    result = CliRunner().invoke(app, ["gate", str(tmp_path / "pipe"), str(tmp_path)])
    assert "expected a regular file" in str(result.exception)


def test_brackets_in_a_table_are_no_markup() -> None:
    console = Console(file=io.StringIO(), width=100)
    print_table(["words"], [["`may_differ: [protocol]` allows it"]], console)
    file: Any = console.file
    assert "`may_differ: [protocol]` allows it" in file.getvalue()
