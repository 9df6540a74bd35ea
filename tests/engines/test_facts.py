"""What a checkpoint's files tell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from k2eval.engines.facts import CheckpointFacts, checkpoint_facts, differing_sampling, yarn_option
from k2eval.errors import ConfigError
from k2eval.records import Sampling
from tests.chat_templates import checkpoint


@pytest.mark.parametrize(
    ("config", "context"),
    [
        ({"max_position_embeddings": 4096}, 4096),
        ({"text_config": {"max_position_embeddings": 8192}}, 8192),
        ({"max_position_embeddings": 4096, "rope_scaling": {"type": "linear", "factor": 2.0}}, 8192),
        (
            {"max_position_embeddings": 131072, "rope_parameters": {"rope_type": "yarn", "factor": 4.0}},
            131072,
        ),
        (
            {
                "max_position_embeddings": 4096,
                "rope_parameters": {
                    "full_attention": {"rope_type": "linear", "factor": 8.0},
                    "sliding_attention": {"rope_type": "default"},
                },
            },
            32768,
        ),
        (
            {
                "model_type": "gemma3",
                "text_config": {
                    "max_position_embeddings": 131072,
                    "rope_scaling": {"rope_type": "linear", "factor": 8.0},
                },
            },
            131072,
        ),
        (
            {
                "max_position_embeddings": 131072,
                "original_max_position_embeddings": 4096,
                "rope_scaling": {"type": "longrope", "long_factor": [1.0], "short_factor": [1.0]},
            },
            4096,
        ),
        ({"max_position_embeddings": 4096, "rope_scaling": None}, 4096),
        ({"max_position_embeddings": 4096, "rope_scaling": "yarn"}, 4096),
        ({"max_position_embeddings": 4096, "rope_scaling": {"type": ["x"], "factor": "2"}}, 4096),
        (
            {"max_position_embeddings": 4096, "rope_scaling": {"type": "linear", "factor": float("nan")}},
            4096,
        ),
        ({"max_position_embeddings": "4096"}, None),
        ({}, None),
    ],
)
def test_the_context_is_read_as_vllm_reads_it(config: dict[str, Any], context: int | None) -> None:
    assert CheckpointFacts(config=config).context == context


@pytest.mark.parametrize(
    ("limit", "context"), [(2048, 2048), (1e30, 4096), (10**30, 4096), ("long", 4096), (None, 4096)]
)
def test_a_tokenizer_may_limit_the_context(limit: Any, context: int) -> None:
    facts = CheckpointFacts({"max_position_embeddings": 4096}, tokenizer={"model_max_length": limit})
    assert facts.context == context


@pytest.mark.parametrize(
    ("config", "name"),
    [
        ({"quantization_config": {"quant_method": "fp8", "activation_scheme": "dynamic"}}, "fp8"),
        ({"text_config": {"quantization_config": {"quant_method": "mxfp4"}}}, "mxfp4"),
        ({"compression_config": {"format": "pack"}}, "a method without a name"),
        ({"quantization_config": "awq"}, "awq"),
        ({"quantization_config": None}, ""),
    ],
)
def test_quantised_weights_are_named(config: dict[str, Any], name: str) -> None:
    assert CheckpointFacts(config).quantisation == name


def test_a_context_is_extended_by_whole_factors() -> None:
    words = yarn_option(32_768, 66_000, 1e6)
    assert "max_position_embeddings: 98304" in words and "factor: 3.0" in words
    assert "original_max_position_embeddings: 32768, rope_theta: 1000000.0" in words
    assert words.endswith("--set engine.max_model_len=98304")


@pytest.mark.parametrize(
    "config",
    [
        {"max_position_embeddings": 131_072, "rope_theta": 1e6},
        {
            "max_position_embeddings": 32_768,
            "rope_theta": 1e6,
            "rope_scaling": {"type": "yarn", "factor": 4.0},
        },
        {"max_position_embeddings": 32_768},
        {"max_position_embeddings": 1_024, "rope_theta": 1e6},
    ],
    ids=["long enough", "scaled by its makers", "of other positions", "far too short"],
)
def test_no_extension_is_named_where_none_is_sound(config: dict[str, Any]) -> None:
    assert CheckpointFacts(config=config).longer_context(66_000) is None


def test_end_tokens_are_those_of_both_files() -> None:
    facts = CheckpointFacts(
        config={"eos_token_id": 1}, generation={"eos_token_id": [2, 1]}, tokens={1: "</s>", 2: "<|end|>"}
    )
    assert facts.end_tokens == ["<|end|>", "</s>"]


def test_sampling_that_is_the_same_or_neutral_is_not_named() -> None:
    own = {
        "do_sample": True,
        "temperature": 1.0,
        "top_p": 0.95,
        "repetition_penalty": 1.0,
        "max_length": 64_000,
    }
    assert differing_sampling(own, Sampling()) == []


def test_files_that_are_not_there_tell_nothing(tmp_path: Path) -> None:
    facts = checkpoint_facts(checkpoint(tmp_path))
    assert (facts.generation, facts.tokens, facts.weight_bytes) == ({}, {}, 0)


def test_a_file_that_is_no_json_is_named(tmp_path: Path) -> None:
    model = checkpoint(tmp_path)
    (tmp_path / "generation_config.json").write_text("{")
    with pytest.raises(ConfigError, match=r"generation_config\.json: expected JSON"):
        checkpoint_facts(model)
