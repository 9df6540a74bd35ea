"""The requests for which a GPU's cache of keys and values has room."""

import json
from pathlib import Path
from typing import Any

import pytest

from k2eval.engines import Demand
from k2eval.engines.vllm import room
from k2eval.engines.vllm.room import cache_tokens, room_for
from tests.engines.test_sizing import GB, QWEN_32B


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The files of a model of 32B parameters, without its weights."""
    (tmp_path / "config.json").write_text(json.dumps(QWEN_32B))
    monkeypatch.setattr(room, "weight_bytes", lambda model: 65_528 * 10**6)
    monkeypatch.setattr(room, "card_bytes", lambda: 141 * GB)
    return str(tmp_path)


def test_a_card_keeps_what_the_weights_leave(model: str) -> None:
    assert cache_tokens(model, {}, 141 * GB) == pytest.approx(222_000, rel=0.01)


@pytest.mark.parametrize(
    ("settings", "tokens"),
    [
        ({"num_gpu_blocks_override": 800}, 12_800),
        ({"num_gpu_blocks_override": 800, "block_size": 32}, 25_600),
        ({"kv_cache_memory_bytes": 262_144_000}, 1000),
        ({"tensor_parallel_size": 2}, 698_000),
        ({"pipeline_parallel_size": 2}, 698_000),
        ({"gpu_memory_utilization": 0.5}, 7_000),
        ({"gpu_memory_utilization": 0.1}, None),
    ],
)
def test_settings_change_what_is_kept(model: str, settings: dict[str, Any], tokens: float | None) -> None:
    found = cache_tokens(model, settings, 141 * GB)
    assert found == (tokens and pytest.approx(tokens, rel=0.05))


@pytest.mark.parametrize(("mean", "room"), [(16_384, 27), (256, 1735), (10**9, 1)])
def test_long_answers_leave_room_for_few(model: str, mean: int, room: int) -> None:
    assert room_for(Demand(480, 480.0 * mean, ""), model, {}) == pytest.approx(room, abs=10)


@pytest.mark.parametrize(
    "config",
    [
        {"layer_types": ["linear_attention", "full_attention"]},
        {"sliding_window": 4096},
        {"text_config": {**QWEN_32B, "attn_layer_period": 8}},
    ],
)
def test_nothing_is_said_of_layers_that_keep_less(config: dict[str, Any], model: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(QWEN_32B | config))
    assert cache_tokens(model, {}, 141 * GB) is None


def test_a_window_that_is_not_used_changes_nothing(model: str, tmp_path: Path) -> None:
    unused = {"sliding_window": 4096, "use_sliding_window": False, "layer_types": ["full_attention"]}
    (tmp_path / "config.json").write_text(json.dumps(QWEN_32B | unused))
    assert cache_tokens(model, {}, 141 * GB) is not None


def test_nothing_is_said_of_weights_that_become_smaller(model: str) -> None:
    assert cache_tokens(model, {"quantization": "fp8"}, 141 * GB) is None


def test_nothing_is_said_of_a_model_that_is_not_here() -> None:
    assert room_for(Demand(480, 480.0, ""), "owner/model", {}) is None
