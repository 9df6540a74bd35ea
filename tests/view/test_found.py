from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from k2eval.journal import Journal
from k2eval.view import Found, RunsFolder, found as module
from tests.report.scripted import smoke_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return smoke_run(tmp_path / "runs" / "series" / "one", repeats=2, limit=3)


def described(folder: Path) -> dict[str, object]:
    return {run["key"]: run for run in RunsFolder(folder).describe()["runs"]}


def test_runs_are_found_below_the_folder_with_their_scores(run: Path, tmp_path: Path) -> None:
    [found] = RunsFolder(tmp_path / "runs").describe()["runs"]
    assert (found["key"], found["name"], found["state"]) == ("series/one", "one", "done")
    [task] = found["tasks"]
    assert (task["title"], task["done"]) == ("Smoke test", "6/6")


def test_a_run_directory_itself_can_be_named(run: Path) -> None:
    assert list(described(run)) == ["."]


def test_a_run_that_is_written_shows_what_its_terminal_shows(run: Path) -> None:
    live = {"summary": "3/6 samples", "tasks": {"smoke": {"done": "3/6", "score": "33.3 (0.0–91.0)"}}}
    with Journal(run) as journal:
        journal.show(live)
        found = Found("one", run).describe()
    assert (found["state"], found["summary"]) == ("running", "3/6 samples")
    assert found["tasks"][0]["score"] == "33.3 (0.0–91.0)"
    assert Found("one", run).describe()["state"] == "done"


def test_a_run_that_appears_is_found(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AGAIN_S", -1.0)
    folder = RunsFolder(tmp_path / "runs")
    assert len(folder.describe()["runs"]) == 1
    smoke_run(tmp_path / "runs" / "two", repeats=1, limit=1)
    assert {entry["name"] for entry in folder.describe()["runs"]} == {"one", "two"}


def test_files_that_change_are_read_again(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AGAIN_S", -1.0)
    found = Found("one", run)
    assert found.describe()["tasks"][0]["done"] == "6/6"
    lines = (run / "verdicts.jsonl").read_text().splitlines(keepends=True)
    (run / "verdicts.jsonl").write_text("".join(lines[:4]))
    assert found.describe()["tasks"][0]["done"] == "4/6"


def test_a_damaged_run_says_so_and_hides_no_other(run: Path, tmp_path: Path) -> None:
    bad = tmp_path / "runs" / "bad"
    bad.mkdir()
    (bad / "run.json").write_text("{")
    states = {run["key"]: run["state"] for run in RunsFolder(tmp_path / "runs").describe()["runs"]}
    assert states == {"bad": "unreadable", "series/one": "done"}


@pytest.mark.parametrize("state", [{"tasks": 3}, [1], {"summary": ["x"], "tasks": {"smoke": "x"}}, "x", None])
def test_a_state_of_another_form_is_harmless(run: Path, state: object) -> None:
    with Journal(run) as journal:
        journal.show(state)
        json.dumps(Found("one", run).describe())


def test_links_out_of_the_folder_are_not_followed(run: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    os.symlink(run, other / "link")
    assert described(other) == {}


def test_a_run_is_not_looked_into(run: Path, tmp_path: Path) -> None:
    smoke_run(run / "inner", repeats=1, limit=1)
    assert list(described(tmp_path / "runs")) == ["series/one"]
