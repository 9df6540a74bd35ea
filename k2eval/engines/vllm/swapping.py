"""Replace the weights of a running vLLM by those of another checkpoint of the same architecture."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from k2eval.engines.checkpoint import checkpoint_fingerprint, is_local
from k2eval.engines.vllm import cpu_repair
from k2eval.engines.vllm.running import RunningVllm
from k2eval.engines.vllm.setup import reason
from k2eval.errors import EngineError

_OUTSIDE = (
    "kv_transfer_config",
    "kv_offloading_size",
    "kv_offloading_backend",
    "quantization",
    "model_weights",
    "enable_lora",
)
"""Arguments by which something besides the weights holds what the weights made, or weights have another form."""
_NO_DRAFT = ("ngram", "ngram_gpu")
"""Methods of speculation that draft from the prompt and the answer alone."""
_DRAINED_S = 10.0
"""Time in which vLLM must have let go of requests that were cancelled."""
_LOOK_EVERY_S = 0.05
_UNLOADED = re.compile(r"(\w+): Failed to load weights")


def obstacle_of_settings(
    settings: Mapping[str, Any], speculative: Mapping[str, Any] | None, on_cpu: bool
) -> str | None:
    """Return in words which setting of a running vLLM forbids other weights; None if none does.

    >>> obstacle_of_settings({"quantization": "fp8"}, None, on_cpu=False)
    'engine.quantization is set'
    >>> obstacle_of_settings({}, {"method": "eagle3", "model": "heads"}, on_cpu=False)
    'the draft of eagle3 belongs to the checkpoint before'
    """
    for name in _OUTSIDE:
        if settings.get(name):
            return f"engine.{name} is set"
    if on_cpu and settings.get("worker_extension_cls") != cpu_repair.EXTENSION:
        return "engine.worker_extension_cls is set"  # so that nothing packs the head
    if settings.get("load_format") not in (None, "auto", "safetensors"):
        return f"engine.load_format is {settings['load_format']}"
    method = str((speculative or {}).get("method", "a draft model"))
    if speculative and method == "suffix":
        return "suffix drafts from answers of the checkpoint before"
    if speculative and method not in _NO_DRAFT:
        return f"the draft of {method} belongs to the checkpoint before"
    return None


def draft_fingerprint(speculative: Mapping[str, Any] | None) -> str:
    """Return the fingerprint of the draft model or head that speculation names; empty if it names none.

    A draft may be trained anew in the same folder, which a running vLLM would not see.
    """
    draft = str((speculative or {}).get("model") or "")
    return checkpoint_fingerprint(draft) if draft and is_local(draft) else draft


def differing_settings(running: Mapping[str, Any], new: Mapping[str, Any]) -> str | None:
    """Return in words which settings differ; None if none does.

    >>> differing_settings({"dtype": "auto", "seed": 0}, {"dtype": "float32", "seed": 0})
    'other settings: dtype'
    """
    names = sorted(name for name in {*running, *new} if running.get(name) != new.get(name))
    return f"other settings: {', '.join(names)}" if names else None


async def swap_weights(vllm: RunningVllm, model: str, fingerprint: str, on_cpu: bool) -> None:
    """Load the weights of a checkpoint into a running vLLM, and forget what the weights before have made.

    From now on prompts carry the fingerprint as a salt of the prefix cache, so that no block of keys and values that
    other weights made can serve them, even if vLLM does not empty its cache.

    Args:
        vllm: Runs a checkpoint of the same architecture.
        model: The folder of the new checkpoint.
        fingerprint: The fingerprint of the new checkpoint.
        on_cpu: Whether vLLM computes on the CPU.

    Raises:
        EngineError: If requests are in flight, or vLLM cannot load the weights. Some may have been replaced.
    """
    if vllm.llm.output_processor.get_num_unfinished_requests():
        raise EngineError("vLLM still answers requests")
    vllm.salt = fingerprint
    try:
        start = vllm.log.stat().st_size if vllm.log else 0
        await vllm.llm.collective_rpc("reload_weights", kwargs={"weights_path": str(Path(model).resolve())})
        if on_cpu:
            await vllm.llm.collective_rpc("pack_heads")
        if vllm.log and (kept := layers_without_weights(vllm.log, start)):
            raise EngineError(f"vLLM kept the weights of {', '.join(kept)}")
        if not await _emptied(vllm):
            raise EngineError("vLLM does not empty its prefix cache")
        for name in ("reset_mm_cache", "reset_encoder_cache"):
            if hasattr(vllm.llm, name):
                await getattr(vllm.llm, name)()
    except (EngineError, asyncio.CancelledError):
        raise
    except Exception as error:  # vLLM's own exceptions differ between versions
        raise EngineError(reason(error)) from error


def layers_without_weights(log: Path, start: int) -> list[str]:
    """Return the kinds of layers that got no weights, by vLLM's own log from the byte ``start`` on.

    Positions have none of their own, and a head that is tied to the embedding shares those of the embedding.
    """
    with log.open("rb") as file:
        file.seek(start)
        kinds = set(_UNLOADED.findall(file.read().decode(errors="replace")))
    return sorted(kind for kind in kinds if "Rotary" not in kind and kind != "ParallelLMHead")


async def _emptied(vllm: RunningVllm) -> bool:
    """Empty the prefix cache, as soon as vLLM has let go of requests that were cancelled."""
    until = time.monotonic() + _DRAINED_S
    while not await vllm.llm.reset_prefix_cache():
        if time.monotonic() > until:
            return False
        await asyncio.sleep(_LOOK_EVERY_S)
    return True
