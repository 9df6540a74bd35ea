"""Facts that are known once vLLM has started: the device that computes, and the weights that it has loaded."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from k2eval.engines.quantisation import weights_of
from k2eval.errors import ConfigError
from k2eval.journal import WeightsRecord
from k2eval.system import cores

_PARALLEL = ("tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size")


def facts_of_start(model: str, fingerprint: str, settings: Mapping[str, Any], device: str) -> dict[str, Any]:
    """Return the fields ``device`` and ``weights`` of `k2eval.engines.EngineInfo`.

    Args:
        model: The checkpoint.
        fingerprint: Its fingerprint; a checkpoint that changed is read again.
        settings: The engine's settings.
        device: "cpu", "gpu", or empty before vLLM has started, when nothing is known.
    """
    if not device:
        return {}
    asked, revision = settings.get("quantization"), settings.get("revision")
    weights = _weights(model, fingerprint, asked and str(asked), revision and str(revision))
    return {"device": processor() if device == "cpu" else cards(settings), "weights": weights}


@lru_cache(maxsize=16)
def _weights(model: str, fingerprint: str, asked: str | None, revision: str | None) -> WeightsRecord | None:
    try:
        return weights_of(model, {"quantization": asked}, revision)
    except ConfigError:
        return None  # the engine has read the checkpoint all the same


@lru_cache(maxsize=1)
def processor() -> str:
    """Return the processor's name and the number of cores that this process may use."""
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    name = found[1].strip() if found else platform.processor() or platform.machine()
    return f"{name}, {cores.count()} cores"


def card_bytes() -> int:
    """Return the memory of one card; 0 if vLLM's platform cannot tell without starting it."""
    from vllm.platforms import current_platform

    try:
        return int(current_platform.get_device_total_memory())
    except Exception:  # a platform of another kind
        return 0


def cards(settings: Mapping[str, Any]) -> str:
    """Return the number and the name of the cards, such as ``2 × NVIDIA H200``."""
    from vllm.platforms import current_platform

    try:
        name = str(current_platform.get_device_name())
    except Exception:  # a platform that cannot tell without starting its device
        name = "gpu"
    number = 1
    for key in _PARALLEL:
        number *= int(settings.get(key) or 1)
    return f"{number} × {name}" if number > 1 else name
