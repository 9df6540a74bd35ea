"""Open engines from a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from k2eval.config import RunConfig, parse
from k2eval.engines.hub import pinned, pinned_tokenizer
from k2eval.engines.protocol import Engine
from k2eval.errors import ConfigError, did_you_mean
from k2eval.reasoning import Found, find_format
from k2eval.records import ROLES, SWITCHES, Role, Sampling, digest
from k2eval.tasks import sampling_with

LOG = "engine.log"
"""File of the run directory that takes what the engine prints."""
KINDS = ("vllm", "endpoint", "scripted")


def open_engines(config: RunConfig, solver: Engine | None = None) -> dict[Role, Engine]:
    """Return the solver's engine, and one for each role that has its own. None of them is started yet.

    Args:
        config: The run's configuration.
        solver: The solver's engine, if it is already open.

    Raises:
        ConfigError: If a kind, a role or an argument is unknown, or a checkpoint cannot be read.
    """
    engines: dict[Role, Engine] = {
        "solver": solver
        or open_engine(
            str(config.engine.kind),
            config.model,
            config.engine.arguments,
            config.speculative,
            config.out / LOG,
            _format(str(config.engine.kind), config.model, config.reasoning, config.engine.arguments),
        )
    }
    opened: dict[str, Engine] = {}
    for name, settings in config.roles.items():
        role = next((known for known in ROLES[1:] if known == name), None)
        if role is None:
            raise ConfigError(f"Unknown role {name!r}. {did_you_mean(name, list(ROLES[1:]))}")
        arguments = dict(settings)
        sampling_with(Sampling(), config.role_sampling(role))
        for key in ("sampling", *SWITCHES):
            arguments.pop(key, None)
        reasoning = arguments.pop("reasoning", None)
        if not arguments and reasoning is None:
            continue
        if not arguments:
            raise ConfigError(
                f"roles.{name}.reasoning: expected a model of the role's own, too; it is asked of the solver's. Set "
                f"roles.{name}.model, or --reasoning for the solver's checkpoint."
            )
        model = arguments.pop("model", config.model)
        kind, speculative = arguments.pop("kind", "vllm"), parse(arguments.pop("speculative", None))
        found = _format(kind, str(model), reasoning or "auto", arguments)
        what = digest(kind, model, arguments, speculative, found.form.model_dump(mode="json"))
        if what not in opened:  # roles of one engine share it
            opened[what] = open_engine(kind, str(model), arguments, speculative, config.out / LOG, found)
        engines[role] = opened[what]
    return engines


def _format(kind: str, model: str, setting: str | Mapping[str, Any], arguments: Mapping[str, Any]) -> Found:
    """Return the reasoning format of a role's checkpoint; of one on the hub at the commit that is asked."""
    known = pinned(model, arguments) if kind == "vllm" else pinned_tokenizer(arguments)
    return find_format(model, setting, known)


def open_engine(
    kind: str,
    model: str,
    arguments: Mapping[str, Any],
    speculative: Mapping[str, Any] | None = None,
    log: Path | None = None,
    reasoning: Found | None = None,
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
