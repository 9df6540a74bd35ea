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
_OTHER_ROLES: tuple[Role, ...] = ("planner", "judge")
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
    for name in config.roles:
        if name not in _OTHER_ROLES:
            raise ConfigError(f"Unknown role {name!r}. {did_you_mean(name, list(_OTHER_ROLES))}")
    for role in _OTHER_ROLES:
        if (settings := config.roles.get(role)) is None:
            continue
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

        known = ["delay_s", "capacity"]
        for key in arguments:
            if key not in known:
                raise ConfigError(f"The scripted engine has no argument {key!r}. {did_you_mean(key, known)}")
        return from_file(Path(model), **arguments)
    raise ConfigError(f"Unknown kind of engine {kind!r}. {did_you_mean(kind, list(KINDS))}")
