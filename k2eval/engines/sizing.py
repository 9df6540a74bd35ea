"""The number of cards that one replica needs: arithmetic on a checkpoint's files, nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_BYTES = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2, "fp8": 1, "float8_e4m3fn": 1}
SHARE = 0.9
"""The share of a card that vLLM takes (``gpu_memory_utilization``)."""
_OVERHEAD = 3 << 30
"""Bytes a card for activations, CUDA graphs and the communication between cards."""


@dataclass(frozen=True, slots=True)
class ModelSize:
    """The sizes of a model that decide where it fits."""

    weights: int
    """Bytes of all weights, as the engine holds them."""
    kv_token: int
    """Bytes of keys and values of one token, in all layers and heads."""
    kv_heads: int
    """Heads over which these can be split; 1 if they cannot, as with latent attention."""
    heads: int
    """Attention heads, which the number of cards must divide."""
    context: int
    """Tokens of the longest prompt and answer."""

    @classmethod
    def of(
        cls, config: Mapping[str, Any], weight_bytes: int, arguments: Mapping[str, Any] | None = None
    ) -> ModelSize | None:
        """Return the sizes that a checkpoint's ``config.json`` tells; None if it does not tell them.

        Args:
            config: The content of ``config.json``.
            weight_bytes: Size of the weights on disk.
            arguments: Arguments of the engine.
        """
        arguments = arguments or {}
        inner = config.get("text_config")
        inner = inner if isinstance(inner, Mapping) else config
        stored = str(
            inner.get("dtype") or inner.get("torch_dtype") or config.get("torch_dtype") or "bfloat16"
        )
        held = str(arguments.get("dtype") or "auto")
        width = _BYTES.get(
            "bfloat16" if held == "auto" and stored == "float32" else stored if held == "auto" else held
        )
        try:
            heads, layers = int(inner["num_attention_heads"]), int(inner["num_hidden_layers"])
            longest = arguments.get("max_model_len") or inner["max_position_embeddings"]
            kv_heads = int(inner.get("num_key_value_heads") or heads)
            head = int(inner.get("head_dim") or int(inner["hidden_size"]) // heads)
            context = int(longest)
        except (KeyError, TypeError, ValueError, ZeroDivisionError):
            return None
        width = width or 2
        cache = str(arguments.get("kv_cache_dtype") or "auto")
        kv_width = 1 if cache.startswith("fp8") else width if width > 1 else 2
        if inner.get("kv_lora_rank"):
            latent = int(inner["kv_lora_rank"]) + int(inner.get("qk_rope_head_dim") or 0)
            per_token, kv_heads = layers * latent * kv_width, 1
        else:
            per_token = 2 * layers * kv_heads * head * kv_width
        scale = width / _BYTES.get(stored, width)
        if config.get("quantization_config") or arguments.get("quantization"):
            scale = 1.0
        return cls(int(weight_bytes * scale), per_token, kv_heads, heads, context)

    def bytes_on_each(self, cards: int) -> int:
        """Return the bytes that each of several cards holds: its part of the weights, and of one full context.

        >>> size = ModelSize(weights=64_000, kv_token=10, kv_heads=2, heads=8, context=100)
        >>> size.bytes_on_each(1) - size.bytes_on_each(2)
        32500
        >>> size.bytes_on_each(2) - size.bytes_on_each(4)  # two heads of keys and values: four cards hold them twice
        16000
        """
        split = min(cards, self.kv_heads)
        return self.weights // cards + self.context * self.kv_token // split + _OVERHEAD

    def free_on_each(self, cards: int, taken: float) -> float:
        """Return the bytes that each of several cards has for keys and values, of ``taken`` that the engine takes."""
        return taken - self.weights / cards - _OVERHEAD


def smallest_parallel(size: ModelSize, card_bytes: int, most: int, share: float = SHARE) -> int | None:
    """Return the smallest number of cards over which a model fits with one full context; None if none does.

    >>> k2 = ModelSize(weights=65_500_000_000, kv_token=262_144, kv_heads=8, heads=40, context=65_536)
    >>> [smallest_parallel(k2, memory * 10**9, most=8) for memory in (141, 80, 24, 8)]
    [1, 2, 8, None]

    Args:
        size: The model.
        card_bytes: Memory of one card.
        most: Cards of one node.
        share: The share of a card that the engine may take.
    """
    for cards in (1, 2, 4, 8, 16):
        if cards > most or size.heads % cards:
            continue
        if size.bytes_on_each(cards) <= share * card_bytes:
            return cards
    return None
