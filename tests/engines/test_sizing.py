"""How many cards a replica needs follows from a checkpoint's files."""

from typing import Any

import pytest

from k2eval.engines.sizing import ModelSize, smallest_parallel

GB = 10**9
QWEN_32B = {
    "hidden_size": 5120, "num_attention_heads": 40, "num_key_value_heads": 8, "num_hidden_layers": 64, "head_dim": 128,
    "max_position_embeddings": 32_768, "torch_dtype": "bfloat16",
}  # fmt: skip


def size(arguments: dict[str, Any] | None = None, weights: int = 65_528 * 10**6, **config: Any) -> ModelSize:
    result = ModelSize.of(QWEN_32B | config, weights, arguments)
    assert result is not None
    return result


def test_a_token_takes_keys_and_values_of_all_layers() -> None:
    assert size().kv_token == 2 * 64 * 8 * 128 * 2


@pytest.mark.parametrize(("memory", "cards"), [(141, 1), (96, 1), (80, 2), (48, 2), (24, 8), (12, None)])
def test_the_smallest_number_of_cards_holds_weights_and_one_context(memory: int, cards: int | None) -> None:
    assert smallest_parallel(size(), memory * GB, 8) == cards


def test_a_longer_context_needs_more_cards() -> None:
    assert smallest_parallel(size({"max_model_len": 131_072}), 96 * GB, 8) == 2
    assert smallest_parallel(size({"max_model_len": 16_384}), 80 * GB, 8) == 2
    assert smallest_parallel(size({"max_model_len": 16_384, "kv_cache_dtype": "fp8"}), 80 * GB, 8) == 1


def test_cards_must_divide_the_heads() -> None:
    assert smallest_parallel(size(num_attention_heads=10), 48 * GB, 8) == 2
    assert smallest_parallel(size(num_attention_heads=9), 48 * GB, 8) is None


def test_no_more_cards_than_a_node_has() -> None:
    assert smallest_parallel(size(), 24 * GB, 4) is None


def test_weights_in_float32_are_held_in_half() -> None:
    assert size(weights=100 * GB, torch_dtype="float32").weights == 50 * GB
    assert size({"dtype": "float32"}, weights=50 * GB).weights == 100 * GB
    quantized = {"quant_method": "fp8"}
    assert size(weights=50 * GB, torch_dtype="float32", quantization_config=quantized).weights == 50 * GB


def test_latent_attention_is_small_and_cannot_be_split() -> None:
    latent = size(kv_lora_rank=512, qk_rope_head_dim=64)
    assert latent.kv_token == 64 * 576 * 2 and latent.kv_heads == 1


def test_a_model_of_text_and_images_tells_its_sizes_inside() -> None:
    assert ModelSize.of({"text_config": QWEN_32B}, 65 * GB) is not None


def test_a_config_without_sizes_tells_nothing() -> None:
    assert ModelSize.of({"architectures": ["Strange"]}, 10 * GB) is None
