"""A checkpoint's quantisation in words, from the files that llm-compressor, AutoAWQ, GPTQModel and others write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from k2eval.engines.facts import checkpoint_facts
from k2eval.journal import WeightsRecord
from k2eval.records import Json

_BRACKETS = {
    "awq": "AWQ",
    "awq_marlin": "AWQ",
    "gptq": "GPTQ",
    "gptq_marlin": "GPTQ",
    "auto-round": "AutoRound",
    "auto_round": "AutoRound",
}
"""Formats of weights with a few bits each, whose settings have the same names."""


def weights_of(model: str, arguments: Mapping[str, Any], revision: str | None = None) -> WeightsRecord:
    """Return the kind and the size of a checkpoint's weights.

    Args:
        model: A folder, or a name on the hub.
        arguments: The engine's arguments, which may ask it to quantise the weights itself.
        revision: Commit on the hub.

    Raises:
        ConfigError: If a file is there but cannot be read.
    """
    facts = checkpoint_facts(model, revision)
    entry = facts.quantisation_config
    words = in_words(entry) if entry else None
    asked = arguments.get("quantization")
    if asked and not entry:
        return WeightsRecord(dtype=facts.dtype, quantisation=f"{asked} (quantised by the engine)")
    return WeightsRecord(dtype=facts.dtype, quantisation=words, size=facts.weight_bytes or None)


def in_words(config: Mapping[str, Json]) -> str:
    """Return a ``quantization_config`` in a few words, the same for the same formats whoever wrote them.

    >>> in_words({"quant_method": "awq", "bits": 4, "group_size": 128})
    'INT4 (W4A16, groups of 128, AWQ)'
    >>> in_words({"quant_method": "fp8", "activation_scheme": "dynamic", "weight_block_size": [128, 128]})
    'FP8 (W8A8, blocks of 128 × 128)'
    >>> weights = {"num_bits": 4, "type": "int", "strategy": "group", "group_size": 32}
    >>> in_words({"quant_method": "compressed-tensors", "config_groups": {"group_0": {"weights": weights}}})
    'INT4 (W4A16, groups of 32)'
    >>> in_words({"quant_method": "mxfp4"})
    'mxfp4'
    """
    method = str(config.get("quant_method") or "a method without a name")
    groups = config.get("config_groups")
    if isinstance(groups, dict) and groups:
        kinds = dict.fromkeys(_of_group(group) for group in groups.values() if isinstance(group, dict))
        words = " and ".join(kinds)
    elif method in _BRACKETS and isinstance(config.get("bits"), int):
        parts = [f"W{config['bits']}A16", *_groups(config.get("group_size")), _BRACKETS[method]]
        words = f"INT{config['bits']} ({', '.join(parts)})"
    elif method == "fp8":
        words = f"FP8 ({', '.join(['W8A8', *_blocks(config.get('weight_block_size'))])})"
    elif method == "bitsandbytes":
        kind = str(config.get("bnb_4bit_quant_type") or "fp4").upper()
        words = f"{kind if config.get('load_in_4bit') else 'INT8'} (bitsandbytes)"
    else:
        algorithm = config.get("quant_algo")
        words = f"{algorithm} ({method})" if algorithm else method
    cache = config.get("kv_cache_scheme")
    return words + (f", keys and values in {_kind(cache)}" if isinstance(cache, dict) else "")


def _of_group(group: Mapping[str, Any]) -> str:
    weights, inputs = group.get("weights"), group.get("input_activations")
    if not isinstance(weights, dict):
        return "a group without weights"
    bits = inputs.get("num_bits", 8) if isinstance(inputs, dict) else 16
    parts = [f"W{weights.get('num_bits', 8)}A{bits}"]
    if weights.get("strategy") == "block":
        parts += _blocks(weights.get("block_structure"))
    elif weights.get("strategy") == "tensor":
        parts.append("a scale for each matrix")
    else:
        parts += _groups(weights.get("group_size"))
    return f"{_kind(weights)} ({', '.join(parts)}{'' if weights.get('symmetric', True) else ', with zero points'})"


def _kind(numbers: Mapping[str, Any]) -> str:
    return f"{'FP' if numbers.get('type') == 'float' else 'INT'}{numbers.get('num_bits', 8)}"


def _groups(size: Json) -> list[str]:
    return [f"groups of {size}"] if isinstance(size, int) and size > 0 else []


def _blocks(sizes: Json) -> list[str]:
    return [f"blocks of {' × '.join(map(str, sizes))}"] if isinstance(sizes, list) and sizes else []
