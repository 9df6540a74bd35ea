"""Both ways of starting are measured, and kept for later runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from k2eval.config import RunConfig
from k2eval.engines import Load, Prompt
from k2eval.engines.measured import Piece
from k2eval.engines.vllm.starting import read_break_even
from k2eval.errors import ConfigError
from k2eval.speed import SpeedOptions, break_even, break_even_command, loads

LEVELS = loads([1, 4], [], requests=4, input_tokens=1, output_tokens=2, temperature=1.0, ignore_eos=False)


def options(*, kind: str = "vllm", arguments: Mapping[str, Any] | None = None) -> SpeedOptions:
    config = RunConfig.model_validate(
        {
            "model": "m",
            "tasks": ("smoke",),
            "out": Path(),
            "engine": {"kind": kind, "arguments": dict(arguments or {})},
        }
    )
    return SpeedOptions((("m", config),), LEVELS)


class Engine:
    """Starts at once, and says that it took 60 s compiled and 20 s eagerly."""

    def __init__(self, model: str, arguments: Mapping[str, Any], speculative: Any, log: Path | None) -> None:
        self.start_s = 20.0 if arguments["enforce_eager"] else 60.0
        self.info = SimpleNamespace(fingerprint="f")


class Answering:
    """Answers every request with two tokens."""

    def __init__(self, engine: Engine) -> None:
        STARTED.append(engine.start_s)

    async def __aenter__(self) -> Answering:
        return self

    async def __aexit__(self, *error: object) -> None:
        pass

    async def stream(self, prompt: Prompt, load: Load) -> AsyncIterator[Piece]:
        if FAILS:
            raise ValueError("no answer")
        yield Piece(2, 1)

    async def refresh(self) -> None:
        pass

    async def speculation(self) -> None:
        return None


STARTED: list[float] = []
FAILS: list[bool] = []


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    STARTED.clear()
    FAILS.clear()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("VLLM_CACHE_ROOT", str(tmp_path / "vllm"))
    monkeypatch.setattr("k2eval.engines.vllm.starting.device_name", lambda on_cpu: "a card")
    for name, value in {
        "VllmEngine": Engine, "Probe": Answering, "import_engine": lambda: None, "is_cpu": lambda: False,
        "vllm_version": lambda: "0.25.1",
    }.items():  # fmt: skip
        monkeypatch.setattr(break_even, name, value)


def test_both_ways_are_kept_for_later_runs() -> None:
    assert break_even_command(options()) == 0
    kept = read_break_even("f", {}, None, "0.25.1")
    assert kept is not None
    assert (kept.eager.start_s, kept.compiled.start_s) == (20.0, 60.0)
    assert sorted(kept.eager.speeds) == sorted(kept.compiled.speeds) == [1, 4]


def test_a_start_that_filled_the_caches_is_not_the_one_that_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = iter([0, 5, 5, 5, 5, 5])
    monkeypatch.setattr(break_even, "_compiled_files", lambda: next(entries))
    break_even_command(options())
    assert STARTED == [60.0, 60.0, 20.0]


def test_failed_requests_leave_nothing_behind() -> None:
    FAILS.append(True)
    with pytest.raises(ConfigError, match="Requests failed"):
        break_even_command(options())
    assert read_break_even("f", {}, None, "0.25.1") is None


@pytest.mark.parametrize("name", ["enforce_eager", "compilation_config"])
def test_what_is_measured_may_not_be_set(name: str) -> None:
    with pytest.raises(ConfigError, match=f"engine.{name} is what is measured here"):
        break_even_command(options(arguments={name: True}))


def test_a_server_was_started_by_others() -> None:
    with pytest.raises(ConfigError, match="got the endpoint engine"):
        break_even_command(options(kind="endpoint"))


def test_a_rate_is_no_number_of_requests() -> None:
    [load, *_] = LEVELS
    with pytest.raises(ConfigError, match="got a rate"):
        break_even_command(replace(options(), loads=(replace(load, concurrency=None, rate=2.0),)))
