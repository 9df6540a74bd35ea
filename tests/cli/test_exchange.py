from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from k2eval import report
from k2eval.cli.app import app
from k2eval.cli.exchange import sweep_command
from k2eval.errors import ConfigError
from tests.report.scripted import smoke_run


def test_export_writes_and_says_what(tmp_path: Path) -> None:
    run = smoke_run(tmp_path / "run", repeats=1, limit=1)
    result = CliRunner().invoke(
        app, ["export", str(run), "--format", "huggingface", "--out", str(tmp_path / "out")]
    )
    assert result.exit_code == 0, result.output
    assert "model-index.yaml" in result.output


def test_sweep_hands_the_options_of_run_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []

    def fake(patterns: list[str], out: Path, evaluate: object, console: object) -> int:
        seen.append((patterns, out))
        return 1

    monkeypatch.setattr(report, "sweep_checkpoints", fake)
    monkeypatch.setattr(report, "in_a_process", lambda arguments, option: seen.append([option, *arguments]))
    arguments = ["--checkpoints", "a-*", "--checkpoints", "b-1", "--out", str(tmp_path), "--tasks", "smoke"]
    result = CliRunner().invoke(app, ["sweep", *arguments, "--repeats", "2", "--set", "engine.dtype=auto"])
    assert result.exit_code == 1, result.output
    assert seen == [
        ["--model", "--tasks", "smoke", "--repeats", "2", "--set", "engine.dtype=auto"],
        (["a-*", "b-1"], tmp_path),
    ]


def test_sweep_says_a_mistake_before_the_first_checkpoint(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        app, ["sweep", "--checkpoints", "a-*", "--out", str(tmp_path), "--taskss", "smoke"]
    )
    assert result.exit_code == 2
    assert "--taskss" in result.output


def test_sweep_sets_model_and_directory_itself(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Leave --model out"):
        sweep_command(["a-*"], None, tmp_path, ["--model", "m"])


def test_a_sweep_over_a_switch_sets_the_switch_itself(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Leave --reasoning-effort out"):
        sweep_command([], "reasoning_effort=low,high", tmp_path, ["--reasoning-effort=low"])


@pytest.mark.parametrize(("checkpoints", "over"), [([], None), (["a-*"], "thinking=on,off")])
def test_a_sweep_is_either_over_checkpoints_or_over_a_switch(
    tmp_path: Path, checkpoints: list[str], over: str | None
) -> None:
    with pytest.raises(ConfigError, match="either --checkpoints or --over"):
        sweep_command(checkpoints, over, tmp_path, [])
