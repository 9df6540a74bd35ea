"""Whether one checkpoint can take the place of another in a running engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from k2eval.engines.architecture import difference, read_architecture
from k2eval.engines.vllm.engine import VllmEngine
from k2eval.engines.vllm.swapping import layers_without_weights, obstacle_of_settings
from tests.watch.checkpoints import safetensors, write_checkpoint


def differing(first: Path, second: Path, **arguments: Any) -> str | None:
    return difference(read_architecture(str(first), arguments), read_architecture(str(second), arguments))


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    first = write_checkpoint(tmp_path / "a", _name_or_path="a", transformers_version="4")
    second = write_checkpoint(tmp_path / "b", b"\1" * 8, _name_or_path="b", transformers_version="5")
    return first, second


def test_other_weights_names_and_versions_are_no_difference(pair: tuple[Path, Path]) -> None:
    assert differing(*pair) is None


def test_the_state_of_training_is_no_difference(pair: tuple[Path, Path]) -> None:
    (pair[1] / "trainer_state.json").write_text('{"global_step": 4}')
    (pair[1] / "optimizer.pt").write_bytes(b"x")
    assert differing(*pair) is None


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("config.json", '{"model_type": "tiny", "layers": 2}', "another config.json (layers)"),
        (
            "config.json",
            '{"model_type": "tiny", "text_config": {"a": 1}}',
            "another config.json (text_config)",
        ),
        ("generation_config.json", '{"eos_token_id": 3}', "another generation_config.json (eos_token_id)"),
        ("tokenizer.json", '{"a": 1}', "other files: tokenizer.json"),
        ("chat_template.jinja", "{{ x }}", "other files: chat_template.jinja"),
        ("modeling_own.py", "pass", "other files: modeling_own.py"),
        ("special_tokens_map.json", "{}", "other files: special_tokens_map.json"),
        ("config.json", "[]", "no JSON object"),
    ],
)
def test_other_files_are_a_difference(pair: tuple[Path, Path], name: str, content: str, words: str) -> None:
    (pair[1] / name).write_text(content)
    assert words in str(differing(*pair))


def test_nested_names_are_no_difference(pair: tuple[Path, Path]) -> None:
    for folder, name in zip(pair, "ab", strict=True):
        (folder / "config.json").write_text(json.dumps({"text_config": {"_name_or_path": name, "layers": 2}}))
    assert differing(*pair) is None


def test_a_tensor_that_is_missing_is_a_difference(pair: tuple[Path, Path]) -> None:
    """VLLM would only warn, and go on with the weights before."""
    (pair[0] / "extra.safetensors").write_bytes(safetensors().replace(b'"w"', b'"v"'))
    assert differing(*pair) == "other tensors: v"


def test_another_shape_of_a_tensor_is_a_difference(pair: tuple[Path, Path]) -> None:
    (pair[1] / "model.safetensors").write_bytes(safetensors(b"\0" * 16))
    assert differing(*pair) == "other tensors: w"


def test_quantised_weights_are_not_swapped(pair: tuple[Path, Path]) -> None:
    for folder in pair:
        (folder / "config.json").write_text('{"quantization_config": {"quant_method": "fp8"}}')
    assert differing(*pair) == "the weights are quantised"


def test_a_checkpoint_that_is_not_whole_is_a_difference(pair: tuple[Path, Path]) -> None:
    (pair[1] / "model.safetensors").write_bytes(safetensors(cut=2))
    assert "bytes" in str(differing(*pair))


def test_a_model_on_the_hub_is_not_swapped() -> None:
    assert read_architecture("owner/name", {}) == "owner/name lies on the hub"


def test_a_tokenizer_of_its_own_counts(pair: tuple[Path, Path], tmp_path: Path) -> None:
    own = tmp_path / "tokenizer"
    own.mkdir()
    (own / "tokenizer.json").write_text("{}")
    before = read_architecture(str(pair[0]), {"tokenizer": str(own)})
    (own / "tokenizer.json").write_text('{"a": 1}')
    after = read_architecture(str(pair[1]), {"tokenizer": str(own)})
    assert difference(before, after) == "other files: tokenizer/tokenizer.json"


@pytest.mark.parametrize(
    ("settings", "speculative", "words"),
    [
        ({"kv_transfer_config": {"kv_connector": "LMCache"}}, None, "kv_transfer_config"),
        ({"enable_lora": True}, None, "enable_lora"),
        ({"load_format": "dummy"}, None, "load_format is dummy"),
        ({"model_weights": "s3://weights"}, None, "model_weights"),
        ({}, {"method": "suffix"}, "suffix drafts from answers of the checkpoint before"),
        ({}, {"method": "mtp"}, "draft of mtp"),
        ({}, {"model": "draft"}, "draft of a draft model"),
    ],
)
def test_settings_that_hold_something_of_the_weights_forbid_a_swap(
    settings: dict[str, Any], speculative: dict[str, Any] | None, words: str
) -> None:
    assert words in str(obstacle_of_settings(settings, speculative, on_cpu=False))


def test_speculation_without_weights_forbids_nothing() -> None:
    assert obstacle_of_settings({"load_format": "auto"}, {"method": "ngram"}, on_cpu=False) is None


def test_a_draft_that_was_trained_anew_in_its_folder_is_no_draft_of_a_running_engine(
    pair: tuple[Path, Path], tmp_path: Path
) -> None:
    draft = write_checkpoint(tmp_path / "draft")
    running, same = (VllmEngine(str(pair[0]), speculative={"model": str(draft)}) for _ in "12")
    running.describe()
    assert same.unlike(running) is None
    write_checkpoint(draft, b"\2" * 8)
    assert same.unlike(running) == "the draft was changed"


def test_the_draft_of_another_checkpoint_is_told(pair: tuple[Path, Path], tmp_path: Path) -> None:
    draft = write_checkpoint(tmp_path / "draft")
    running, successor = (VllmEngine(str(model), speculative={"model": str(draft)}) for model in pair)
    running.describe()
    assert successor.unlike(running) == "the draft of a draft model belongs to the checkpoint before"


def test_on_the_cpu_somebody_must_pack_the_head() -> None:
    assert obstacle_of_settings({"worker_extension_cls": "own"}, None, on_cpu=True)


def test_layers_that_kept_their_weights_are_found_in_the_log(tmp_path: Path) -> None:
    log = tmp_path / "engine.log"
    log.write_text("WARNING [layerwise.py] Old: Failed to load weights\n")
    start = log.stat().st_size
    with log.open("a") as file:
        for kind in ("RotaryEmbedding", "ParallelLMHead", "FusedMoE"):
            file.write(f"WARNING [layerwise.py:266] {kind}: Failed to load weights\n")
    assert layers_without_weights(log, start) == ["FusedMoE"]
