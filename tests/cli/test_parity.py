"""`k2eval audit` and `k2eval parity` print their tables and end with a code that a script understands."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from k2eval.cli.app import app
from tests.report.scripted import smoke_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return smoke_run(tmp_path_factory.mktemp("made") / "run", repeats=1)


def k2eval(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})


def test_an_audit_is_printed_and_written(run: Path, tmp_path: Path) -> None:
    result = k2eval("audit", run, "--as", "simple-evals", "--tasks", "smoke", "--out", tmp_path / "audit.md")
    assert result.exit_code == 0, result.output
    assert (
        "simple-evals" in result.output and "form of answer that the prompt did not ask for" in result.output
    )
    assert {path.name for path in tmp_path.iterdir()} == {"audit.json", "audit.md", "audit.jsonl"}


def test_an_unknown_task_is_bad_input(run: Path) -> None:
    result = k2eval("audit", run, "--tasks", "smok")
    assert "smoke" in str(result.exception)


@pytest.mark.parametrize(("score", "code"), [(60, 1), (100, 1)])
def test_a_difference_ends_with_1(run: Path, tmp_path: Path, score: int, code: int) -> None:
    (tmp_path / "figures.csv").write_text(f"system,task,score,stderr\nA,smoke,{score},0.5\n")
    result = k2eval("parity", run, "--against", tmp_path / "figures.csv", "--out", tmp_path / "p")
    assert result.exit_code == code and "NO" in result.output
    assert (tmp_path / "p.json").exists() and (tmp_path / "p.md").exists()


def test_a_pair_without_an_equals_sign_is_bad_input(run: Path, tmp_path: Path) -> None:
    (tmp_path / "figures.csv").write_text("system,task,score\nA,x,50\n")
    result = k2eval("parity", run, "--against", tmp_path / "figures.csv", "--task", "smoke")
    assert "OURS=THEIRS" in str(result.exception)
