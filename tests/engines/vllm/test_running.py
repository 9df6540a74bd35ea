from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from k2eval.engines.vllm import setup
from k2eval.engines.vllm.engine import VllmEngine
from k2eval.engines.vllm.running import RunningVllm
from k2eval.errors import ConfigError, EngineError

NANO = Path(__file__).resolve().parents[3] / "models" / "nano"


async def test_a_checkpoint_that_changes_while_it_is_read_is_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its run would carry the fingerprint of the one before."""
    model = tmp_path / "model"
    shutil.copytree(NANO / "sft", model)
    engine = VllmEngine(str(model))

    async def start(self: RunningVllm, prepare: Any, cards: Any = ()) -> None:
        shutil.copy(NANO / "rl" / "model.safetensors", model)

    monkeypatch.setattr(RunningVllm, "start", start)
    with pytest.raises(EngineError, match="was changed while vLLM read it"):
        await engine.__aenter__()


async def test_a_tokenizer_that_cannot_be_used_ends_vllm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the next checkpoint of a series would find the card full."""
    ended: list[RunningVllm] = []

    async def start(self: RunningVllm, prepare: Any, cards: Any = ()) -> None:
        self.repaired = False

    async def close(self: RunningVllm) -> None:
        ended.append(self)

    def meet(self: VllmEngine) -> None:
        raise ConfigError("its chat template cannot be used")

    monkeypatch.setattr(RunningVllm, "start", start)
    monkeypatch.setattr(RunningVllm, "close", close)
    monkeypatch.setattr(VllmEngine, "_meet", meet)
    engine = VllmEngine(str(NANO / "sft"))
    with pytest.raises(ConfigError):
        await engine.__aenter__()
    assert ended == [engine._vllm]


def test_the_folder_of_an_engine_is_not_that_of_processes_started_later() -> None:
    """Graders of the next run start while the engine is up."""
    before = os.environ.get("TMPDIR")
    with setup.own_temporary_folder() as starting:
        with starting:
            folder = Path(os.environ["TMPDIR"])
        assert folder.is_dir()
        assert os.environ.get("TMPDIR") == before
    assert not folder.exists()


async def test_engines_of_one_process_start_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables and the output of a start are those of the whole process."""
    events = []

    async def start(self: RunningVllm, prepare: Any, cards: Any = ()) -> None:
        events.append("begin")
        await asyncio.sleep(0.01)
        events.append("end")

    monkeypatch.setattr(RunningVllm, "_start_alone", start)
    await asyncio.gather(*(RunningVllm(None).start(dict) for _ in range(3)))
    assert events == ["begin", "end"] * 3


async def test_an_engine_that_never_started_closes() -> None:
    await RunningVllm(None).close()
