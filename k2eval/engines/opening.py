"""From configuration to engines."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from k2eval.config import RunConfig
from k2eval.engines.protocol import Engine
from k2eval.errors import ConfigError, did_you_mean
from k2eval.recipes.sample import Role

LOG = "engine.log"
"""File of the run directory that takes what the engine prints."""
KINDS = ("vllm", "endpoint", "scripted")


def open_engines(config: RunConfig) -> dict[Role, Engine]:
    """The solver's engine, and one for each role that has its own. None of them is started yet.

    Raises:
        ConfigError: When a kind, a role or an argument is unknown, or a checkpoint cannot be read.
    """
    engines: dict[Role, Engine] = {
        "solver": open_engine(
            config.engine.kind, config.model, config.engine.arguments, config.speculative, config.out / LOG
        )
    }
    for role, settings in config.roles.items():
        if role not in ("planner", "judge"):
            raise ConfigError(f"Unknown role {role!r}. {did_you_mean(role, ['planner', 'judge'])}")
        arguments = dict(settings)
        model = arguments.pop("model", config.model)
        kind, speculative = arguments.pop("kind", "vllm"), arguments.pop("speculative", None)
        engines[role] = open_engine(kind, str(model), arguments, speculative, config.out / LOG)
    return engines


def open_engine(
    kind: str,
    model: str,
    arguments: Mapping[str, Any],
    speculative: Mapping[str, Any] | None = None,
    log: Path | None = None,
) -> Engine:
    """An engine of this kind, not started yet."""
    if kind == "vllm":
        from k2eval.engines.vllm import VllmEngine

        return VllmEngine(model, arguments, speculative, log)
    if kind == "scripted":
        from k2eval.engines.scripted import from_file

        return from_file(Path(model), **arguments)
    raise ConfigError(f"Unknown kind of engine {kind!r}. {did_you_mean(kind, list(KINDS))}")
