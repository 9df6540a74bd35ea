"""What this machine offers a run: engine, processors, memory, disk, data."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import psutil

from k2eval.engines.vllm.setup import vllm_version
from k2eval.errors import ConfigError
from k2eval.sandbox.types import DoctorRow

GIB = 2**30
ENOUGH_MEMORY, ENOUGH_DISK = 4 * GIB, 1 * GIB
"""Below these a run of even a small checkpoint is likely to fail."""


def machine_report(data: Path | None = None) -> list[DoctorRow]:
    """The rows that ``k2eval doctor`` prints beside those of the sandbox; never raises."""
    return [_engine(), _gpus(), _memory(), _disk(), _data(data)]


def _engine() -> DoctorRow:
    try:
        return DoctorRow("engine", True, f"vLLM {vllm_version()}", "")
    except ConfigError as error:
        return DoctorRow("engine", False, "no vLLM", str(error))


def _gpus() -> DoctorRow:
    query = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        said = subprocess.run(query, capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return DoctorRow("GPU", True, f"none; vLLM computes on {os.cpu_count()} CPU cores", "")
    return DoctorRow("GPU", True, "; ".join(said.strip().splitlines()), "")


def _memory() -> DoctorRow:
    memory = psutil.virtual_memory()
    ok = memory.available >= ENOUGH_MEMORY
    detail = f"{memory.available / GIB:.1f} of {memory.total / GIB:.1f} GiB available"
    return DoctorRow("memory", ok, detail, "" if ok else f"Free some: {ENOUGH_MEMORY // GIB} GiB are needed.")


def _disk() -> DoctorRow:
    free = shutil.disk_usage(Path.cwd()).free
    ok = free >= ENOUGH_DISK
    return DoctorRow(
        "disk",
        ok,
        f"{free / GIB:.1f} GiB free here",
        "" if ok else "Free some, or give --out on another disk.",
    )


def _data(folder: Path | None) -> DoctorRow:
    given = folder or (Path(os.environ["K2EVAL_DATA"]) if os.environ.get("K2EVAL_DATA") else None)
    if given is None:
        return DoctorRow("data", True, "no folder: questions come from the hub or are bundled", "")
    if not given.is_dir():
        return DoctorRow(
            "data",
            False,
            f"{given} is no folder",
            "Mend K2EVAL_DATA or --data; docs/tasks.md has the layout.",
        )
    names = ", ".join(sorted(path.name for path in given.iterdir() if path.is_dir()))
    return DoctorRow("data", True, f"{given}: {names or 'empty'}", "")
