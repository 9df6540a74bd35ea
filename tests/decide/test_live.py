"""Races of scripted contestants, as `k2eval race` runs them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest

from k2eval.cli.racing import _named, race_command
from k2eval.decide import Rules
from k2eval.decide.live import _check_rules
from k2eval.errors import ConfigError
from k2eval.journal import GENERATIONS, read_run
from k2eval.run.rehearsal import Asked
from tests.decide.support import student
from tests.scripted_runs import config, run

FLAGS = {
    "tasks": "smoke",
    "recipe": None,
    "repeats": 8,
    "limit": None,
    "seed": None,
    "data": None,
    "include_path": None,
}


def race(folder: Path, *contestants: str, rules: Rules | None = None, **flags: object) -> int:
    sets = ["engine.capacity=4"]
    return race_command(contestants, rules or Rules(), folder / "out", None, FLAGS | flags, "scripted", sets)


def _generations(run: Path) -> int:
    return len((run / GENERATIONS).read_text().splitlines())


@pytest.fixture
def scripts(tmp_path: Path) -> list[str]:
    return [f"good={student(tmp_path, 'good', 99)}", f"bad={student(tmp_path, 'bad', 0)}"]


def test_a_race_stops_when_it_is_decided(
    tmp_path: Path, scripts: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert race(tmp_path, *scripts) == 0
    run = read_run(tmp_path / "out" / "bad")
    assert not run.complete
    assert "decided a race" in (run.stopped_early or "")
    total = run.tasks["smoke"].questions * 8
    assert _generations(tmp_path / "out" / "bad") < total
    assert "worse" in capsys.readouterr().out


def test_a_race_that_is_over_makes_nothing_again(tmp_path: Path, scripts: list[str]) -> None:
    race(tmp_path, *scripts)
    before = _generations(tmp_path / "out" / "bad")
    assert race(tmp_path, *scripts) == 0
    assert _generations(tmp_path / "out" / "bad") == before


def test_a_race_that_is_stopped_before_any_run_has_begun_goes_on_later(
    tmp_path: Path, scripts: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def stopped(*_: object) -> list[Asked]:
        monkeypatch.undo()
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(60)
        return []

    monkeypatch.setattr("k2eval.run.runner.rehearse", stopped)
    assert race(tmp_path, *scripts) == 128 + signal.SIGINT
    assert "The same command goes on from there" in capsys.readouterr().out
    assert race(tmp_path, *scripts) == 0


def test_the_result_is_kept(tmp_path: Path, scripts: list[str]) -> None:
    race(tmp_path, *scripts)
    kept = json.loads((tmp_path / "out" / "race.json").read_text())
    assert kept["over"]
    assert kept["decisions"][0]["decision"] == "worse"
    assert sum(kept["tokens"]) < sum(kept["budget_tokens"])


def test_other_rules_are_refused_for_the_same_directory(tmp_path: Path, scripts: list[str]) -> None:
    race(tmp_path, *scripts)
    with pytest.raises(ConfigError, match="rules"):
        race(tmp_path, *scripts, rules=Rules(alpha=0.1))


def test_a_finished_run_can_be_a_contestant(tmp_path: Path, scripts: list[str]) -> None:
    finished = config(tmp_path / "base", repeats=2, limit=None)
    asyncio.run(run(finished, lambda request: "no"))
    assert race(tmp_path, scripts[0], str(tmp_path / "base"), repeats=2) == 0
    (decision,) = json.loads((tmp_path / "out" / "race.json").read_text())["decisions"]
    assert (decision["second"], decision["decision"]) == ("base", "worse")


def test_a_run_that_was_stopped_early_is_no_contestant(tmp_path: Path, scripts: list[str]) -> None:
    """Its samples may be the easy ones."""
    race(tmp_path, *scripts)
    with pytest.raises(ConfigError, match=r"bad: expected a finished run, got \d+ of 52 samples of smoke"):
        race(tmp_path / "second", scripts[0], f"base={tmp_path / 'out' / 'bad'}", repeats=1)


def test_contestants_need_different_names(tmp_path: Path, scripts: list[str]) -> None:
    with pytest.raises(ConfigError, match="different names"):
        race(tmp_path, scripts[0], scripts[0])


@pytest.mark.parametrize(("text", "name"), [(".", "here"), ("..", "above"), ("/", "root"), ("rl/", "rl")])
def test_a_contestant_has_a_folder_of_its_own_below_that_of_the_race(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, name: str
) -> None:
    (tmp_path / "above" / "here").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "above" / "here")
    assert _named(text) == (name, text)


def test_one_contestant_is_no_race(tmp_path: Path, scripts: list[str]) -> None:
    with pytest.raises(ConfigError, match="at least two"):
        race(tmp_path, scripts[0])


@pytest.mark.parametrize("content", ["{", "[" * 50_000, '{"looks": 1e400}'], ids=len)
def test_rules_of_a_race_that_cannot_be_read_are_told(tmp_path: Path, content: str) -> None:
    (tmp_path / "race.json").write_text(content)
    with pytest.raises(ConfigError, match="Cannot read"):
        _check_rules(tmp_path / "race.json", {})


def test_a_run_does_not_race_against_itself(tmp_path: Path, scripts: list[str]) -> None:
    race(tmp_path, *scripts)
    run = str(tmp_path / "out" / "bad")
    with pytest.raises(ConfigError, match="different run directories"):
        race(tmp_path, f"a={run}", f"b={run}")
