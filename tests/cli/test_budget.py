from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from k2eval.cli.app import app
from k2eval.errors import ConfigError
from k2eval.journal import read_run
from tests.budget.test_points import lines, made


def test_the_table_is_printed_and_written(tmp_path: Path) -> None:
    run = made(tmp_path / "a")
    result = CliRunner().invoke(app, ["budget", str(run), "--at", "100, 400", "--out", str(tmp_path / "b")])
    assert result.exit_code == 0
    assert "66.7" in result.output
    assert (tmp_path / "b.svg").exists()


@pytest.mark.parametrize("at", ["", "x", "0", "-4", "1.5", "9" * 20, "9" * 5000])
def test_budgets_that_are_none_are_refused(tmp_path: Path, at: str) -> None:
    result = CliRunner().invoke(app, ["budget", str(made(tmp_path / "a")), "--at", at])
    assert isinstance(result.exception, ConfigError)
    assert "--at: expected numbers of tokens" in str(result.exception)


LONG = "<think>one two three four five</think> \\boxed{35}"


@pytest.fixture
def plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run whose answers have six words, and whose engine would answer the same again."""
    script = tmp_path / "script.jsonl"
    script.write_text(json.dumps({"match": "", "responses": [LONG]}) + "\n")
    run = tmp_path / "plain"
    options = ["--tasks", "smoke", "--limit", "2", "--repeats", "2", "--workers", "1", "--out", str(run)]
    result = CliRunner().invoke(
        app, ["run", "--engine", "scripted", "--model", str(script), "--reasoning", "think", *options]
    )
    assert result.exit_code == 0, result.output
    return run


def test_answers_are_forced_by_the_runs_own_engine_and_kept(tmp_path: Path, plain: Path) -> None:
    out = tmp_path / "tables" / "budget"
    arguments = ["budget", str(plain), "--at", "3,100", "--force", "--out", str(out)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    frame = pd.read_csv(out.with_suffix(".csv"))
    forced = frame[frame["forced"]].set_index("budget")
    assert forced["tokens"].to_dict() == {3: 9, 100: 6}
    assert forced["ended"].to_dict() == {3: 0, 100: 100}
    made = read_run(tmp_path / "tables" / "budget-forced" / "plain-3")
    assert (made.recipe, made.sessions[0].generated, made.sessions[0].replayed) == ("forced3", 4, 4)
    again = CliRunner().invoke(app, arguments)
    assert "all 4 samples were there already" in " ".join(again.output.split())


def test_forced_answers_are_only_those_of_plain(tmp_path: Path) -> None:
    run = made(tmp_path / "a", recipe="k2")
    arguments = ["budget", str(run), "--at", "100", "--force", "--out", str(tmp_path / "b")]
    result = CliRunner().invoke(app, arguments)
    assert "expected a run of the recipe plain, got k2" in str(result.exception)


def test_a_run_is_finished_before_its_answers_are_forced(tmp_path: Path) -> None:
    run = made(tmp_path / "a", lines()[:-1], complete=False)
    result = CliRunner().invoke(
        app, ["budget", str(run), "--at", "100", "--force", "--out", str(tmp_path / "b")]
    )
    assert "expected a finished run" in str(result.exception)


@pytest.mark.parametrize("options", [["--at", "100"], ["--out", "b"]])
def test_forcing_needs_budgets_and_a_place(tmp_path: Path, options: list[str]) -> None:
    result = CliRunner().invoke(app, ["budget", str(made(tmp_path / "a")), "--force", *options])
    assert "--force: expected --at and --out" in str(result.exception)
