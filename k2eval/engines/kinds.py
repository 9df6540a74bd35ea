"""Open one engine from its kind and its arguments."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from k2eval.engines.protocol import Engine
from k2eval.errors import ConfigError, did_you_mean
from k2eval.reasoning import Detection

KINDS = ("vllm", "endpoint", "scripted")


def open_engine(
    kind: str,
    model: str,
    arguments: Mapping[str, Any],
    speculative: Mapping[str, Any] | None = None,
    log: Path | None = None,
    reasoning: Detection | None = None,
) -> Engine:
    """Return an engine of this kind, not started yet."""
    if kind == "vllm":
        from k2eval.engines.vllm.engine import VllmEngine

        return VllmEngine(model, arguments, speculative, log, reasoning)
    if speculative and kind in KINDS:
        raise ConfigError(
            f"Speculation can be set for the vllm engine only, not for {kind}. A server speculates when it was "
            "started so: `vllm serve … --speculative-config '{…}'`."
        )
    if kind == "endpoint":
        from k2eval.engines.endpoint.engine import EndpointEngine

        return EndpointEngine(model, arguments, reasoning)
    if kind == "scripted":
        from k2eval.engines.scripted import from_file

        known = ["delay_s", "capacity"]
        for key in arguments:
            if key not in known:
                raise ConfigError(f"The scripted engine has no argument {key!r}. {did_you_mean(key, known)}")
        return from_file(Path(model), **arguments, reasoning=reasoning)
    raise ConfigError(f"Unknown kind of engine {kind!r}. {did_you_mean(kind, list(KINDS))}")
