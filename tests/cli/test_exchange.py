from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from k2eval.cli.app import app
from tests.report.scripted import smoke_run


def test_export_writes_and_says_what(tmp_path: Path) -> None:
    run = smoke_run(tmp_path / "run", repeats=1, limit=1)
    result = CliRunner().invoke(
        app, ["export", str(run), "--format", "huggingface", "--out", str(tmp_path / "out")]
    )
    assert result.exit_code == 0, result.output
    assert "model-index.yaml" in result.output
