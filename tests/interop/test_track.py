from __future__ import annotations

import io
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from rich.console import Console

from k2eval.errors import ConfigError
from k2eval.interop.track import Progress, tracking
from tests.leaderboard.synthetic import verdict
from tests.report.scripted import smoke_run


class Tracker(ModuleType):
    """Remembers what it was told."""

    def __init__(self) -> None:
        super().__init__("trackio")
        self.started: dict[str, Any] = {}
        self.logged: list[dict[str, float]] = []
        self.finished = False

    def init(self, **settings: Any) -> None:
        self.started = settings

    def log(self, figures: dict[str, float]) -> None:
        self.logged.append(figures)

    def finish(self) -> None:
        self.finished = True


@pytest.fixture
def tracker(monkeypatch: pytest.MonkeyPatch) -> Tracker:
    tracker = Tracker()
    monkeypatch.setitem(sys.modules, "trackio", tracker)
    return tracker


@pytest.fixture
def words() -> Console:
    return Console(file=io.StringIO(), width=200)


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_nothing_happens_unless_asked_for(tmp_path: Path, tracker: Tracker, words: Console) -> None:
    with tracking(None, tmp_path, {}, words):
        pass
    assert tracker.started == {}


def test_scores_go_to_the_tracker(tmp_path: Path, tracker: Tracker, words: Console) -> None:
    with tracking("trackio", tmp_path / "run", {"seed": 0}, words):
        smoke_run(tmp_path / "run", repeats=2, limit=3)
    assert tracker.started == {"project": "k2eval", "name": "run", "config": {"seed": 0}}
    assert tracker.logged[-2]["smoke/done"] == 6
    assert tracker.logged[-2]["smoke/score"] == pytest.approx(tracker.logged[-1]["smoke/avg_at_k"])
    assert tracker.finished


def test_progress_is_sent_while_the_run_goes_on(tmp_path: Path, tracker: Tracker, words: Console) -> None:
    run = smoke_run(tmp_path / "run", repeats=2, limit=3)
    lines = (run / "verdicts.jsonl").read_text().splitlines(keepends=True)
    (run / "verdicts.jsonl").write_text("".join(lines[:2]))
    with tracking("trackio", run, {}, words, every_s=0.02):
        wait_for(lambda: tracker.logged)
        with (run / "verdicts.jsonl").open("a") as file:
            file.writelines(lines[2:])
    assert tracker.logged[0]["smoke/done"] == 2
    assert tracker.logged[-2]["smoke/done"] == 6


def wait_for(what: Any) -> None:
    for _ in range(500):
        if what():
            return
        time.sleep(0.02)
    raise AssertionError("nothing came")


def test_a_missing_package_is_said_and_the_run_goes_on(
    tmp_path: Path, words: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    done = False
    with tracking("wandb", tmp_path, {}, words):
        done = True
    assert done
    assert "pip install wandb" in printed(words)


def test_a_failing_tracker_does_not_stop_the_run(
    tmp_path: Path, tracker: Tracker, words: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**settings: Any) -> None:
        raise ConnectionError("no network")

    monkeypatch.setattr(tracker, "init", fail)
    with tracking("trackio", tmp_path / "run", {}, words):
        run = smoke_run(tmp_path / "run", repeats=1, limit=1)
    assert (run / "verdicts.jsonl").exists()
    assert "ConnectionError: no network" in printed(words)


def test_a_tracker_that_hangs_is_left_behind(
    tmp_path: Path, tracker: Tracker, words: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracker, "init", lambda **settings: time.sleep(3))
    with tracking("trackio", tmp_path, {}, words, patience_s=0.05):
        pass
    assert "its last figures may be missing" in printed(words)


def test_an_error_of_the_run_passes_through(tmp_path: Path, tracker: Tracker, words: Console) -> None:
    with pytest.raises(ValueError, match="of the run"), tracking("trackio", tmp_path, {}, words):
        raise ValueError("of the run")


def test_an_unknown_tracker_is_refused(tmp_path: Path, words: Console) -> None:
    with (
        pytest.raises(ConfigError, match=r"Unknown tracker 'wandbs'.*wandb"),
        tracking("wandbs", tmp_path, {}, words),
    ):
        pass


def test_a_torn_line_waits_for_its_rest(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.jsonl"
    line = verdict("a", "q", 0, 1.0).to_line() + "\n"
    path.write_text(line[:20])
    progress = Progress(path)
    assert not progress.read()
    with path.open("a") as file:
        file.write(line[20:])
    assert progress.read()
    assert progress.figures()["a/score"] == 1.0


@pytest.mark.parametrize("source", ["raise RuntimeError('half installed')", "import no_such_dependency"])
def test_a_tracker_that_cannot_be_imported_is_said_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: Console, source: str
) -> None:
    (tmp_path / "trackio.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "trackio", raising=False)
    with tracking("trackio", tmp_path / "run", {}, words):
        pass
    assert printed(words).startswith("Tracking with trackio failed (")
    assert printed(words).count("\n") == 1


def test_a_tracker_that_exits_is_said(
    tmp_path: Path, tracker: Tracker, monkeypatch: pytest.MonkeyPatch, words: Console
) -> None:
    monkeypatch.setattr(tracker, "init", lambda **_: sys.exit(3))
    with tracking("trackio", tmp_path / "run", {}, words):
        pass
    assert "Tracking with trackio failed (SystemExit: 3)" in printed(words)
