"""Peak memory of a measurement: GPUs through NVML, this process and its children through their RSS."""

from __future__ import annotations

import contextlib
import importlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import psutil

_EVERY_S = 0.2


@dataclass(slots=True)
class Peak:
    """The largest values seen, in GiB; NaN if they cannot be read."""

    gpu_gib: float = np.nan
    """Memory in use on all visible GPUs together, by any process; vLLM reserves its share at the start."""
    rss_gib: float = np.nan
    """Resident memory of this process and its descendants; shared pages count in each process."""

    def look(self, nvml: Any) -> None:
        """Take one reading."""
        self.rss_gib = float(np.fmax(self.rss_gib, _resident()))
        if nvml is not None:
            self.gpu_gib = float(np.fmax(self.gpu_gib, _on_gpus(nvml)))


@contextlib.contextmanager
def watch() -> Iterator[Peak]:
    """Watch memory from a thread, several times a second."""
    peak, done, nvml = Peak(), threading.Event(), _nvml()

    def sample() -> None:
        while True:
            peak.look(nvml)
            if done.wait(_EVERY_S):
                return

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


def _resident() -> float:
    total = 0
    me = psutil.Process()
    for process in (me, *me.children(recursive=True)):
        with contextlib.suppress(psutil.Error):
            total += process.memory_info().rss
    return total / 2**30


def _nvml() -> Any:
    """Return NVML's Python module, initialised; None if there is no NVIDIA GPU."""
    for name in ("pynvml", "vllm.third_party.pynvml"):
        try:
            module = importlib.import_module(name)
            module.nvmlInit()
        except Exception:  # without NVML or its driver there is nothing to measure
            continue
        return module
    return None


def _on_gpus(nvml: Any) -> float:
    used = 0
    for index in range(nvml.nvmlDeviceGetCount()):
        used += nvml.nvmlDeviceGetMemoryInfo(nvml.nvmlDeviceGetHandleByIndex(index)).used
    return float(used / 2**30)
