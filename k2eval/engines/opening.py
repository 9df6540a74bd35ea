"""Open engines from a configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from k2eval.config import FleetConfig, RunConfig, parse
from k2eval.engines.hub import pinned, pinned_tokenizer
from k2eval.engines.protocol import Engine
from k2eval.engines.replicas import open_replicas, role_fleet
from k2eval.errors import ConfigError, did_you_mean
from k2eval.reasoning import Detection, find_format
from k2eval.records import ROLES, SWITCHES, Role, Sampling, digest
from k2eval.tasks import sampling_with

LOG = "engine.log"
"""File of the run directory that takes what the engine prints."""


def open_engines(
    config: RunConfig, solver: Engine | None = None, cards: Sequence[str] = ()
) -> dict[Role, Engine]:
    """Return the solver's engine, and one for each role that has its own. None of them is started yet.

    Args:
        config: The run's configuration.
        solver: The solver's engine, if it is already open.
        cards: The cards of the solver's engine, if others live beside it; else it finds its own.

    Raises:
        ConfigError: If a kind, a role or an argument is unknown, or a checkpoint cannot be read.
    """
    engines: dict[Role, Engine] = {
        "solver": solver
        or open_replicas(
            str(config.engine.kind),
            config.model,
            config.engine.arguments,
            config.speculative,
            config.out / LOG,
            _format(str(config.engine.kind), config.model, config.reasoning, config.engine.arguments),
            config.fleet,
            alone=not any(_has_own_engine(settings, config) for settings in config.roles.values()),
            cards=cards,
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
        reasoning, replicas = arguments.pop("reasoning", None), arguments.pop("replicas", None)
        if not arguments and reasoning is None and replicas is None:
            continue
        if not arguments:
            setting = "reasoning" if reasoning is not None else "replicas"
            raise ConfigError(
                f"roles.{name}.{setting}: expected a model of the role's own, too; it is asked of the solver's. Set "
                f"roles.{name}.model, or --{setting} for the solver's checkpoint."
            )
        model = arguments.pop("model", config.model)
        kind, speculative = arguments.pop("kind", "vllm"), parse(arguments.pop("speculative", None))
        if kind == "endpoint" and replicas is not None:
            raise ConfigError(
                f"roles.{name}.replicas: expected none for an endpoint, whose servers are its replicas. List them in "
                f"roles.{name}.base_url."
            )
        detection = _format(kind, str(model), reasoning or "auto", arguments)
        if _is_solvers(settings, config) and detection.form == engines["solver"].info.reasoning:
            continue
        identity = digest(
            kind, model, arguments, speculative, detection.form.model_dump(mode="json"), replicas
        )
        if identity not in opened:  # roles of one engine share it
            fleet = role_fleet(role, replicas, config.fleet) if kind != "endpoint" else FleetConfig()
            opened[identity] = open_replicas(
                kind,
                str(model),
                arguments,
                speculative,
                config.out / LOG,
                detection,
                fleet,
                name=f"{role} replica",
            )
        engines[role] = opened[identity]
    return engines


def _has_own_engine(settings: Mapping[str, Any], config: RunConfig) -> bool:
    """Return whether a role has an engine of its own on this host, not on a server."""
    named = {"model", "kind"} & set(settings)
    return bool(named) and settings.get("kind") != "endpoint" and not _is_solvers(settings, config)


def _is_solvers(settings: Mapping[str, Any], config: RunConfig) -> bool:
    """Return whether a role names the solver's checkpoint, and no arguments of an engine."""
    own = set(settings) - {"model", "kind", "sampling", "reasoning", *SWITCHES}
    kind = settings.get("kind", "vllm")
    return not own and kind == config.engine.kind and settings.get("model", config.model) == config.model


def _format(
    kind: str, model: str, setting: str | Mapping[str, Any], arguments: Mapping[str, Any]
) -> Detection:
    """Return the reasoning format of a role's checkpoint; of one on the hub at the commit that is asked."""
    known = pinned(model, arguments) if kind == "vllm" else pinned_tokenizer(arguments)
    return find_format(model, setting, known)
