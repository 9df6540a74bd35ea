"""``sweep`` and ``watch``, with checkpoints that a scripted engine answers for."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from k2eval.cli import commands, warm_runs
from k2eval.cli.app import app
from k2eval.config import RunConfig
from k2eval.engines import Engine, ScriptedEngine
from k2eval.errors import EngineError
from k2eval.journal import read_run
from k2eval.records import Request, Role
from tests.watch.checkpoints import write_checkpoint


class Taking(ScriptedEngine):
    """A scripted engine that can take over another one."""

    started: ClassVar[list[str]] = []
    start_s = 1.0

    def __init__(self, name: str) -> None:
        def answer(request: Request) -> str:
            if name.endswith("-13"):
                raise EngineError("no answer today")
            return r"\boxed{4}"

        super().__init__(answer, name=name)

    async def __aenter__(self) -> Taking:
        self.started.append(f"start {Path(self.info.name).name}")
        return self

    async def __aexit__(self, *_: Any) -> None:
        self.started.append(f"end {Path(self.info.name).name}")

    def obstacle(self, running: Engine) -> str | None:
        return None

    async def take_over(self, running: Engine) -> None:
        self.started.append(f"swap {Path(self.info.name).name}")
        self._info = self._info.model_copy(update={"swapped_from": running.info.name})


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What happened to engines."""

    def open_engines(config: RunConfig, solver: Engine | None = None) -> Mapping[Role, Engine]:
        return {"solver": Taking(config.model)}

    monkeypatch.setattr(Taking, "started", [])
    monkeypatch.setattr("k2eval.engines.open_engines", open_engines)
    monkeypatch.setattr(warm_runs, "open_engines", open_engines)
    handler = signal.getsignal(signal.SIGINT)
    yield Taking.started
    signal.signal(signal.SIGINT, handler)


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def checkpoints(tmp_path: Path, *steps: int) -> Path:
    for step in steps:
        write_checkpoint(tmp_path / "train" / f"step-{step}")
    return tmp_path / "train"


OPTIONS = ("--tasks", "smoke", "--limit", "2", "--repeats", "1", "--workers", "1")


def test_a_sweep_starts_one_engine_for_all_checkpoints(tmp_path: Path, started: list[str]) -> None:
    train = checkpoints(tmp_path, 10, 20)
    result = invoke("sweep", "--checkpoints", train / "step-*", "--out", tmp_path / "out", *OPTIONS)
    assert result.exit_code == 0, result.output
    assert started == ["start step-10", "swap step-20", "end step-20"]
    sessions = [read_run(tmp_path / "out" / f"step-{step}").sessions for step in (10, 20)]
    assert [session[0].swapped_from for session in sessions] == [None, str(train / "step-10")]


def test_a_run_with_swapped_weights_is_the_run_of_a_start(tmp_path: Path, started: list[str]) -> None:
    """But for the fact itself, and times."""
    train = checkpoints(tmp_path, 10, 20)
    for swap in ("--swap", "--no-swap"):
        invoke("sweep", "--checkpoints", train / "step-*", "--out", tmp_path / swap[2:], swap, *OPTIONS)
    runs = [
        json.loads((tmp_path / name / "step-20" / "run.json").read_text()) for name in ("swap", "no-swap")
    ]
    for run in runs:
        del run["sessions"], run["config"]["out"]
    assert runs[0] == runs[1]
    assert started[-4:] == ["start step-10", "end step-10", "start step-20", "end step-20"]


def test_a_sweep_over_a_switch_keeps_its_engine(tmp_path: Path, started: list[str]) -> None:
    model = checkpoints(tmp_path, 10) / "step-10"
    result = invoke(
        "sweep", "--over", "reasoning_effort=low,high", "--model", model, "--out", tmp_path / "out", *OPTIONS
    )
    assert result.exit_code == 0, result.output
    assert [event.split()[0] for event in started] == ["start", "swap", "end"]
    assert read_run(tmp_path / "out" / "reasoning_effort-high").config.reasoning_effort == "high"


def test_sweep_says_a_mistake_before_the_first_checkpoint(tmp_path: Path) -> None:
    result = invoke("sweep", "--checkpoints", "a-*", "--out", tmp_path, "--taskss", "smoke")
    assert result.exit_code == 2
    assert "--taskss" in result.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--checkpoints", "a-*", "--model", "m"), "Leave --model out"),
        (("--checkpoints", "a-*", "--dry-run"), "Leave --dry-run out"),
        (("--over", "reasoning_effort=low,high", "--reasoning-effort=low"), "Leave --reasoning-effort out"),
        ((), "either --checkpoints or --over"),
        (("--checkpoints", "a-*", "--over", "thinking=on,off"), "either --checkpoints or --over"),
    ],
)
def test_a_sweep_that_is_none_is_refused(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    result = invoke("sweep", "--out", tmp_path, "--tasks", "smoke", *arguments)
    assert words in str(result.exception)


def test_a_checkpoint_that_is_none_does_not_stop_a_sweep(
    tmp_path: Path, started: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    train = checkpoints(tmp_path, 10, 20)

    def evaluate(config: RunConfig, *rest: Any, **more: Any) -> int:
        if config.model.endswith("-10"):
            raise EngineError("it is damaged")
        return real(config, *rest, **more)

    real = commands.evaluate
    monkeypatch.setattr(warm_runs, "evaluate", evaluate)
    result = invoke("sweep", "--checkpoints", train / "step-*", "--out", tmp_path / "out", *OPTIONS)
    assert result.exit_code == 1
    assert "k2eval: it is damaged" in result.output
    assert pd.read_csv(tmp_path / "out" / "sweep.csv")["step"].tolist() == [20]


def test_ctrl_c_between_two_runs_ends_the_engines(
    tmp_path: Path, started: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("k2eval.report.sweep.write_series", interrupted)
    train = checkpoints(tmp_path, 10, 20)
    result = invoke("sweep", "--checkpoints", train / "step-*", "--out", tmp_path / "out", *OPTIONS)
    assert result.exit_code == 130
    assert started == ["start step-10", "end step-10"]


def test_a_watch_takes_the_options_of_run(tmp_path: Path, started: list[str]) -> None:
    train = checkpoints(tmp_path, 10, 20)
    result = invoke(
        "watch", train, "--out", tmp_path / "out", "--until-idle", "0.01", "--poll", "0.01", *OPTIONS
    )
    assert result.exit_code == 0, result.output
    assert started == ["start step-10", "swap step-20", "end step-20"]
    run = read_run(tmp_path / "out" / "step-20")
    assert (run.repeats, run.tasks["smoke"].questions) == (1, 2)
    again = invoke("watch", train, "--out", tmp_path / "out", "--until-idle", "0.01", *OPTIONS)
    assert again.exit_code == 0, again.output
    assert len(started) == 3


def test_a_watch_that_is_extended_evaluates_all_again(tmp_path: Path, started: list[str]) -> None:
    train = checkpoints(tmp_path, 10)
    watch = ("watch", train, "--out", tmp_path / "out", "--until-idle", "0.01", "--poll", "0.01")
    invoke(*watch, *OPTIONS)
    invoke(*watch, *OPTIONS, "--repeats", "2")
    assert read_run(tmp_path / "out" / "step-10").repeats == 2
    assert started == ["start step-10", "end step-10"] * 2


def test_samples_that_failed_give_a_watch_code_1(tmp_path: Path, started: list[str]) -> None:
    train = checkpoints(tmp_path, 13)
    result = invoke(
        "watch", train, "--out", tmp_path / "out", "--until-idle", "0.01", "--poll", "0.01", *OPTIONS
    )
    assert result.exit_code == 1
    assert "unfinished" in (tmp_path / "out" / "index.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--tasks", "smok"), "smok"),
        (("--tasks", "smoke", "--poll", "soon"), "expected a time"),
        (("--tasks", "smoke", "--poll", "0"), "expected a time"),
        (("--tasks", "smoke", "--dry-run"), "No such option"),
    ],
)
def test_a_mistake_is_told_before_the_first_look(
    tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    result = invoke("watch", tmp_path, "--out", tmp_path / "out", *arguments)
    assert words in result.output + str(result.exception)
    assert result.exit_code != 0


def test_help_of_watch_shows_the_options_of_run(tmp_path: Path) -> None:
    assert "--thinking-budget" in invoke("watch", "--help").output
