"""`k2eval serve` with a scripted engine: processes, state files and runs are real."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from k2eval.cli.app import app
from k2eval.engines.served import read_states


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    Path("script.jsonl").write_text(json.dumps({"match": "", "responses": ["\\boxed{35}"]}))
    return tmp_path


def k2eval(*words: str) -> str:
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    return result.output


def test_without_a_server_status_and_stop_say_so() -> None:
    assert "No server runs" in k2eval("serve", "--status")
    assert "No server runs" in k2eval("serve", "--stop")
    assert json.loads(k2eval("serve", "--status", "--json")) == []


@pytest.mark.slow
def test_a_run_finds_the_server_and_goes_on_by_itself_once_it_was_killed() -> None:
    words = ("run", "--model", "script.jsonl", "--engine", "scripted", "--tasks", "smoke", "--limit", "2")
    assert "is ready" in k2eval("serve", "script.jsonl", "--engine", "scripted")
    try:
        assert "Already served" in k2eval("serve", "script.jsonl", "--engine", "scripted")
        [state] = read_states()
        assert str(state.pid) in k2eval("serve", "--status")
        assert state.key not in k2eval("serve", "--status", "--json")
        run = [sys.executable, "-m", "k2eval", *words, "--workers", "1", "--repeats", "1"]
        served = subprocess.run([*run, "--out", "a"], capture_output=True, text=True, check=True).stdout
        assert f"the server of `k2eval serve` answers (process {state.pid}" in served
        alone = subprocess.run(
            [*run, "--out", "b", "--no-server"], capture_output=True, text=True, check=True
        ).stdout
        assert "k2eval serve" not in alone
        os.kill(state.pid, signal.SIGKILL)
        gone = subprocess.run([*run, "--out", "c"], capture_output=True, text=True, check=True).stdout
        assert "k2eval serve" not in gone
    finally:
        k2eval("serve", "--stop")
    assert read_states() == []


@pytest.mark.slow
def test_stop_ends_the_server_of_a_model() -> None:
    k2eval("serve", "script.jsonl", "--engine", "scripted", "--idle", "10m")
    assert "No server of other" in k2eval("serve", "other", "--stop")
    assert "Ended process" in k2eval("serve", "script.jsonl", "--stop")
    assert read_states() == []


@pytest.mark.slow
def test_a_server_ends_when_nobody_asks() -> None:
    k2eval("serve", "script.jsonl", "--engine", "scripted", "--idle", "1")
    [state] = read_states()
    for _ in range(100):
        if not state.is_alive:
            break
        os.waitpid(-1, os.WNOHANG)
        subprocess.run(["sleep", "0.1"], check=True)
    assert not state.is_alive
