"""An expansion written into a model that vLLM loaded with dummy weights, inside vLLM's worker."""

from __future__ import annotations

import statistics
import sys
from pathlib import Path
from typing import Any

import torch

from benchmarks.expand import Expansion, Shape
from k2eval.engines.vllm import Repairing


class Filler(Repairing):
    """Additional methods of vLLM's workers: ``worker_extension_cls="benchmarks.fill.Filler"``."""

    model_runner: Any

    def card(self) -> tuple[str, float]:
        """Return the device's name, and the bytes/s that a large copy reads and writes."""
        return (torch.cuda.get_device_name(), copy_speed()) if torch.cuda.is_available() else ("cpu", 0.0)

    def draft(self, lookup: list[int]) -> int:
        """Draft ``lookup[n]`` tokens while n requests run; return the number of schedulers above this call."""
        frame, found = sys._getframe().f_back, set()
        while frame:
            scheduler = getattr(frame.f_locals.get("self"), "scheduler", None)
            if scheduler is not None:
                scheduler.dynamic_sd_lookup = lookup
                found.add(id(scheduler))
            frame = frame.f_back
        return len(found)

    def fill(self, folder: str, shape: dict[str, int], draft: bool = False) -> int:
        """Write an expansion into the loaded model, or into its draft; returns the number of weights."""
        self.repair()  # else a rehearsal on the CPU would sample at any temperature
        runner = self.model_runner
        model = runner.model
        if draft:
            drafter = getattr(runner, "drafter", None) or runner.speculator
            model = drafter.model
        model = getattr(model, "runnable", model)
        expansion = Expansion(Path(folder), Shape(**shape))
        return fill(model, expansion)


def copy_speed(size: int = 1 << 29, repeats: int = 40) -> float:
    """Return bytes/s of copies on the GPU, counting bytes read and bytes written; the median of several copies."""
    source = torch.empty(size, dtype=torch.uint8, device="cuda").random_()
    target = torch.empty_like(source)
    times: list[float] = []
    for _ in range(repeats):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        target.copy_(source)
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end) / 1000)
    return 2 * size / statistics.median(times)


_FUSED = {"q_proj": ("qkv_proj", 0), "k_proj": ("qkv_proj", 1), "v_proj": ("qkv_proj", 2),
          "gate_proj": ("gate_up_proj", 0), "up_proj": ("gate_up_proj", 1)}  # fmt: skip


def fill(model: Any, expansion: Expansion) -> int:
    """Copy an expansion into a vLLM Qwen2 model on one device, in place; return the number of weights.

    Raises:
        ValueError: If the weights of the model are not those of the expansion.
    """
    parameters = dict(model.named_parameters())
    large, filled, offsets, count = expansion.large, set(), {}, 0
    sizes = {
        "qkv_proj": [large.heads * large.head, large.groups * large.head, large.groups * large.head],
        "gate_up_proj": [large.inner, large.inner],
    }
    for fused, parts in sizes.items():
        offsets[fused] = [sum(parts[:number]) for number in range(len(parts))]
    device = str(next(iter(parameters.values())).device)
    with torch.no_grad():
        for name, tensor in expansion.tensors(device, next(iter(parameters.values())).dtype):
            owner, _, kind = name.rpartition(".")
            parent, _, leaf = owner.rpartition(".")
            fused, part = _FUSED.get(leaf, (leaf, 0))
            own = f"{parent}.{fused}.{kind}" if parent else f"{fused}.{kind}"
            target = parameters[own]
            start = offsets[fused][part] if fused in offsets else 0
            # vLLM pads the vocabulary to a multiple of 64.
            target[start : start + tensor.shape[0]].copy_(tensor)
            filled.add(own)
            count += tensor.numel()
    if filled != parameters.keys():
        missing = sorted(parameters.keys() - filled)
        raise ValueError(f"The model has weights that were not filled: {', '.join(missing[:5])}")
    return count
