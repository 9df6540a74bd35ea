"""How many requests run at once on a GPU: no more than the cache of keys and values holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from k2eval.engines.checkpoint import checkpoint_config, weight_bytes
from k2eval.engines.protocol import Demand
from k2eval.engines.sizing import SHARE, ModelSize
from k2eval.engines.vllm.device import card_bytes

_OTHER_LAYERS = (
    "full_attention_interval", "attn_layer_period", "hybrid_override_pattern", "layers_block_type",
    "num_kv_shared_layers",
)  # fmt: skip
"""Settings of models in which only some layers have keys and values of all tokens."""
_BLOCK = 16
"""Tokens of one block of the cache, if nothing else is set."""


def room_for(demand: Demand, model: str, settings: Mapping[str, Any]) -> int | None:
    """Return the number of requests for which the cache has room, if each has half of a mean answer.

    Prompts and a draft model's own cache are left out, so there is room for fewer where prompts are long.

    Args:
        demand: All that will be asked.
        model: The checkpoint.
        settings: Engine arguments of vLLM.

    Returns:
        At least 1; None if nobody knows.
    """
    tokens = cache_tokens(model, settings, card_bytes())
    if tokens is None or demand.requests < 1 or demand.tokens <= 0:
        return None
    mean = demand.tokens / demand.requests
    return max(1, int(tokens / max(1.0, mean / 2)))


def cache_tokens(model: str, settings: Mapping[str, Any], memory: int) -> float | None:
    """Return the tokens whose keys and values fit beside the weights; None if the checkpoint's files do not tell.

    Args:
        model: The checkpoint.
        settings: Engine arguments of vLLM.
        memory: Bytes of one card.
    """
    if blocks := _number(settings, "num_gpu_blocks_override"):
        return blocks * (_number(settings, "block_size") or _BLOCK)
    config = checkpoint_config(model)
    size = ModelSize.of(config, weight_bytes(model), settings)
    if size is None or not size.weights or not size.kv_token or _has_other_layers(config):
        return None
    if settings.get("quantization") and not config.get("quantization_config"):
        return None  # the weights become smaller than their files
    cards = int(_number(settings, "tensor_parallel_size") or 1)
    layers = int(_number(settings, "pipeline_parallel_size") or 1)
    share = _number(settings, "gpu_memory_utilization") or SHARE
    free = _number(settings, "kv_cache_memory_bytes") or size.free_on_each(cards * layers, share * memory)
    return free * min(cards, size.kv_heads) * layers / size.kv_token if free > 0 else None


def _has_other_layers(config: Mapping[str, Any]) -> bool:
    """Tell whether some layers keep less than the keys and values of all tokens."""
    inner = config.get("text_config")
    for part in (config, inner if isinstance(inner, Mapping) else {}):
        kinds = part.get("layer_types")
        if isinstance(kinds, list) and set(kinds) != {"full_attention"}:
            return True
        if part.get("sliding_window") and part.get("use_sliding_window", True):
            return True
        if any(part.get(name) for name in _OTHER_LAYERS):
            return True
    return False


def _number(settings: Mapping[str, Any], name: str) -> float | None:
    value = settings.get(name)
    return float(value) if isinstance(value, (int, float)) and value > 0 else None
