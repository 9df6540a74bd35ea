"""What an engine asks of vLLM once it knows what it will be asked; vLLM is imported and not started."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from k2eval.engines.protocol import Anticipates, Demand, EngineInfo
from k2eval.engines.vllm import engine as engine_module
from k2eval.engines.vllm.cpu_repair import EXTENSION
from k2eval.engines.vllm.engine import VllmEngine

pytestmark = pytest.mark.filterwarnings("ignore")  # vLLM's own, while it is imported
NANO = Path(__file__).resolve().parents[3] / "models" / "nano"
FEW = Demand(requests=4, tokens=100.0, basis="at most")


def settled(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    demand: Demand | None,
    *,
    on_cpu: bool = False,
    arguments: Mapping[str, object] | None = None,
) -> EngineInfo:
    """Return the settings of an engine that takes this machine for one with a GPU, or without."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(engine_module, "is_cpu", lambda: on_cpu)
    engine = VllmEngine(str(NANO / "rl"), arguments)
    assert isinstance(engine, Anticipates)
    if demand:
        engine.anticipate(demand)
    engine._settle()
    return engine.info


def test_few_tokens_on_a_gpu_start_eagerly(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    info = settled(monkeypatch, tmp_path, FEW)
    assert info.settings["enforce_eager"] is True
    assert any("no compilation and no graphs" in note.text for note in info.notes)


def test_an_unknown_demand_changes_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert "enforce_eager" not in settled(monkeypatch, tmp_path, None).settings


def test_what_the_user_sets_is_not_changed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    info = settled(monkeypatch, tmp_path, FEW, arguments={"enforce_eager": False})
    assert info.settings["enforce_eager"] is False
    assert not info.notes


def test_a_start_on_the_cpu_is_eager_and_needs_no_word(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    info = settled(monkeypatch, tmp_path, FEW, on_cpu=True)
    assert info.settings["enforce_eager"] is True
    assert not info.notes


def test_workers_get_the_repair_for_suffix_decoding_on_a_gpu_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(engine_module, "is_cpu", lambda: False)
    engine = VllmEngine(str(NANO / "rl"), {}, {"method": "suffix", "num_speculative_tokens": 8})
    engine._settle()
    assert engine.info.settings["worker_extension_cls"] == EXTENSION
