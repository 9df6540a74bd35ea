"""A start that fits what will be asked: without compilation and graphs if few tokens will be made.

On a GPU vLLM compiles the model and captures CUDA graphs. That makes the start longer and tokens cheaper. Which is
faster in all depends on the number of tokens: `k2eval speed --start --break-even` measures both ways. Their numerics
differ a little, so a run goes on as it was begun.

The graphs stay those of vLLM: capturing all of its sizes takes 3 s at the 7B shape, ten of them 1 s, and any other list
of sizes has compiled code of its own, which takes 34 s to make (docs/measurements.md).
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from k2eval.engines.protocol import Demand
from k2eval.engines.vllm.schedule import device_name
from k2eval.engines.vllm.setup import cache_folders
from k2eval.errors import ConfigError
from k2eval.records import Note, NoteKind, digest
from k2eval.system import private_folder, replacing

EAGER = "enforce_eager"
FEW_TOKENS, FEW_TOKENS_COLD = 700, 4500
"""Tokens below which an unmeasured start is eager, and the same if nothing was ever compiled here.

The break-even of one request at a time at the 7B shape on an H200; with more at a time it is higher.
"""
_MARGIN = 0.8
"""Share of the seconds saved by an eager start that its slower tokens may take: the estimate is rough."""
_GRAPHS = "compilation_config"
_OF_GRAPHS = ("cudagraph_capture_sizes", "max_cudagraph_capture_size", "cudagraph_mode", "mode", "level")
_SHAPING = (
    "dtype", "quantization", "tensor_parallel_size", "pipeline_parallel_size", "max_model_len", "max_num_seqs",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Way:
    """One way of starting, as it was measured."""

    start_s: float
    """Seconds from the import of vLLM to its readiness."""
    speeds: dict[int, float]
    """Output tokens per second by the number of requests in flight."""

    def seconds(self, tokens: float, requests: int) -> float:
        """Return the time of the start and of so many tokens.

        The speed is that of the largest number of requests that was measured up to half of ``requests``, since a run
        has fewer in flight near its end.

        >>> Way(10.0, {1: 100.0, 16: 1000.0}).seconds(5000, 40)
        15.0
        """
        fitting = [level for level in self.speeds if level <= max(1, requests / 2)]
        return self.start_s + tokens / self.speeds[max(fitting, default=min(self.speeds))]


@dataclass(frozen=True, slots=True)
class BreakEven:
    """Both ways of starting one checkpoint on one kind of machine."""

    eager: Way
    compiled: Way

    def prefers_eager(self, tokens: float, requests: int) -> bool:
        """Tell whether an eager start ends clearly sooner.

        >>> both = BreakEven(Way(20.0, {1: 80.0}), Way(50.0, {1: 160.0}))
        >>> both.prefers_eager(3000, 1), both.prefers_eager(4500, 1)
        (True, False)
        """
        saved_s = self.compiled.start_s - self.eager.start_s
        eager, compiled = (way.seconds(tokens, requests) for way in (self.eager, self.compiled))
        return eager - compiled + saved_s < _MARGIN * saved_s

    def tokens(self, level: int) -> float | None:
        """Return the tokens at which both ways take the same time; None if the eager one is always the faster.

        Args:
            level: Number of requests in flight, one that was measured.

        >>> BreakEven(Way(20.0, {1: 80.0}), Way(50.0, {1: 160.0})).tokens(1)
        4800.0
        """
        saved_s = self.compiled.start_s - self.eager.start_s
        dearer_s = 1 / self.eager.speeds[level] - 1 / self.compiled.speeds[level]
        if saved_s <= 0:
            return 0.0
        return saved_s / dearer_s if dearer_s > 0 else None


def fitted(
    demand: Demand,
    fingerprint: str,
    settings: Mapping[str, Any],
    speculative: Mapping[str, Any] | None,
    version: str,
) -> tuple[dict[str, Any], Note | None]:
    """Return engine arguments for a start on a GPU that fits the demand, and the line that says so, if any do.

    Args:
        demand: All that will be asked.
        fingerprint: The checkpoint's fingerprint.
        settings: Engine arguments that are set. What the user has set about graphs is left as it is.
        speculative: vLLM's ``speculative_config``, if any.
        version: Version of vLLM.
    """
    if settings.get(EAGER) is not None or _sets_graphs(settings.get(_GRAPHS)):
        return {}, None
    eager, why = _is_for_eager(demand, read_break_even(fingerprint, settings, speculative, version))
    if demand.eager is not None:
        hint = "" if eager else "; --set engine.enforce_eager=false goes on with graphs, and notes that"
        eager, why = demand.eager, f"as the run was begun{hint}"
    if not eager:
        return {}, None
    text = f"no compilation and no graphs (enforce_eager): {why}"
    return {EAGER: True}, Note(kind=NoteKind.ENGINE, text=text)


def _is_for_eager(demand: Demand, measured: BreakEven | None) -> tuple[bool, str]:
    tokens = f"{demand.basis} {demand.tokens:,.0f} tokens are left to make"
    if measured is None:
        few = FEW_TOKENS_COLD if _is_cold() else FEW_TOKENS
        rule = f"fewer than {few:,}; not measured here, see k2eval speed --start --break-even"
        return demand.tokens < few, f"{tokens}, {rule}"
    eager, compiled = (
        way.seconds(demand.tokens, demand.requests) for way in (measured.eager, measured.compiled)
    )
    words = f"{tokens}, by measurement {eager:.0f} s with the start, against {compiled:.0f} s compiled"
    return measured.prefers_eager(demand.tokens, demand.requests), words


def _is_cold() -> bool:
    """Tell whether vLLM has never compiled anything here."""
    return not any(cache_folders()["vLLM's compiled graphs"].glob("*"))


def _sets_graphs(compilation: Any) -> bool:
    """Tell whether a ``compilation_config`` of the user decides about graphs; a number or text is left alone, too."""
    if compilation is None:
        return False
    return not isinstance(compilation, Mapping) or any(name in compilation for name in _OF_GRAPHS)


def break_even_file(
    fingerprint: str,
    settings: Mapping[str, Any],
    speculative: Mapping[str, Any] | None,
    version: str,
    *,
    on_cpu: bool = False,
) -> Path:
    """Return the file of what `k2eval speed --start --break-even` measured with these settings on this device.

    Raises:
        OSError: If this user has no folder for it.
    """
    shaping = {name: settings[name] for name in _SHAPING if settings.get(name) is not None}
    method = {name: speculative.get(name) for name in ("method", "model")} if speculative else {}
    key = digest(fingerprint, shaping, method, version, device_name(on_cpu))
    return private_folder("start") / f"break-even-{key[:24]}.json"


def read_break_even(
    fingerprint: str, settings: Mapping[str, Any], speculative: Mapping[str, Any] | None, version: str
) -> BreakEven | None:
    """Return what was measured; None if nothing was, or the file holds something else."""
    try:
        content = json.loads(break_even_file(fingerprint, settings, speculative, version).read_bytes())
        return BreakEven(*(_way(content[name]) for name in ("eager", "compiled")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _way(content: Mapping[str, Any]) -> Way:
    way = Way(
        float(content["start_s"]), {int(level): float(speed) for level, speed in content["speeds"].items()}
    )
    if not way.speeds or way.start_s < 0 or min(way.speeds.values()) <= 0:
        raise ValueError("no measurement")
    return way


def write_break_even(path: Path, measured: BreakEven, model: str) -> None:
    """Keep a measurement for later starts.

    Raises:
        ConfigError: If the file cannot be written.
    """
    content = {"model": model, "eager": asdict(measured.eager), "compiled": asdict(measured.compiled)}
    try:
        with contextlib.suppress(FileNotFoundError), replacing(path) as partial:
            partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"Cannot keep the break-even: {error}. Set XDG_CACHE_HOME to another place."
        ) from error
