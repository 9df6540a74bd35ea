"""``--reasoning`` of the commands that read responses."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from k2eval.cli.app import app
from k2eval.errors import ConfigError

TEXT = "<scratch>Is it \\boxed{7}?</scratch>\\boxed{8}"


@pytest.mark.parametrize(
    ("options", "outcome"),
    [
        ([], "correct"),
        (["--reasoning", "{start: <scratch>, end: </done>}"], "truncated"),
        (["--reasoning", "none"], "correct"),
    ],
)
def test_responses_are_scored_by_the_format_that_is_given(
    options: list[str], outcome: str, tmp_path: Path
) -> None:
    rows, out = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    rows.write_text(json.dumps({"gold": "8", "response": TEXT}) + "\n")
    result = CliRunner().invoke(app, ["score", str(rows), "--grader", "math", "--out", str(out), *options])
    assert result.exit_code == 0, result.output
    assert json.loads(out.read_text())["outcome"] == outcome


def test_an_unknown_format_ends_with_its_neighbour(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text("")
    result = CliRunner().invoke(
        app, ["score", str(rows), "--grader", "math", "--out", str(tmp_path / "o"), "--reasoning", "thikn"]
    )
    assert isinstance(result.exception, ConfigError)
    assert "unknown format 'thikn'. Did you mean think?" in str(result.exception)
