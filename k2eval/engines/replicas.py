"""Open an engine, or the fleet of replicas that is asked for in its place."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from k2eval.config import FleetConfig
from k2eval.engines.hub import pinned, pinned_draft
from k2eval.engines.kinds import open_engine
from k2eval.engines.protocol import Engine
from k2eval.errors import ConfigError
from k2eval.reasoning import Detection

_SPLITS = ("tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size")
_PASSED = ("VLLM_", "HF_", "NCCL_", "TRANSFORMERS_")
_SECRET = ("TOKEN", "KEY", "SECRET", "PASSWORD")


def open_replicas(
    kind: str,
    model: str,
    arguments: Mapping[str, Any],
    speculative: Mapping[str, Any] | None,
    log: Path,
    reasoning: Detection,
    fleet: FleetConfig,
    *,
    name: str = "replica",
    alone: bool = True,
    cards: Sequence[str] = (),
) -> Engine:
    """Return one engine in this process, or several replicas of it on Ray. Nothing is started yet.

    Args:
        kind: Kind of the engine.
        model: The checkpoint.
        arguments: Arguments of the engine.
        speculative: vLLM's ``speculative_config``, if any.
        log: The file for the engine's output.
        reasoning: The reasoning format.
        fleet: The replicas that are asked for.
        name: Prefix of the replicas' names.
        alone: Whether no other role has an engine that would need cards, too.
        cards: The cards of one engine of vLLM in this process; none if it finds its own.

    Raises:
        ConfigError: If an argument is wrong, or so many replicas cannot be.
    """
    if kind not in ("vllm", "scripted") and fleet == FleetConfig():  # told as it always was
        return open_engine(kind, model, arguments, speculative, log, reasoning)
    if cards:
        return _on_cards(cards, model, arguments, speculative, log, reasoning)
    from k2eval.engines.ray import plan_fleet

    plan = plan_fleet(fleet, kind, model, arguments, alone=alone)
    settings = {
        **arguments,
        **{key: value for key, value in plan.arguments.items() if arguments.get(key) is None},
    }
    prototype = open_engine(kind, model, settings, speculative, log, reasoning)
    if plan.replicas == 1 and not fleet.cluster:
        if plan.words:
            prototype.plan = plan.words  # type: ignore[attr-defined]  # only vLLM's engine has a plan of its own
        return prototype
    from k2eval.engines.fleet import FleetEngine, FleetSettings
    from k2eval.engines.ray import Blueprint, RaySupply

    count = plan.replicas if isinstance(plan.replicas, int) else 1
    blueprint = Blueprint(
        kind=kind,
        model=model,
        arguments=pinned(model, settings) if kind == "vllm" else settings,
        speculative=pinned_draft(speculative),
        reasoning=reasoning.form,
        reasoning_from=reasoning.place,
        folder=str(Path.cwd()),
        environment=_environment(0 if plan.cards or fleet.cluster else count),
    )

    def current() -> Blueprint:
        keeps = bool(getattr(prototype, "keeps_budgets", False))  # known once the prompts have been shown
        demand, share = engine.demand, None
        if demand and isinstance(plan.replicas, int):
            share = math.ceil(demand.requests / plan.replicas)
        return blueprint.model_copy(update={"keeps_budgets": keeps, "requests": share})

    supply = RaySupply(current, plan.replicas, plan.cards, fleet.cluster, log, name)
    patience = FleetSettings(
        restarts=fleet.restarts, hang_s=fleet.hang_s, drain_s=fleet.drain_s, wait_s=fleet.wait_s
    )
    engine = FleetEngine(prototype, supply, patience, plan.words, supply.log_of(0))
    return engine


def _on_cards(
    cards: Sequence[str],
    model: str,
    arguments: Mapping[str, Any],
    speculative: Mapping[str, Any] | None,
    log: Path,
    reasoning: Detection,
) -> Engine:
    from k2eval.engines.vllm.engine import VllmEngine

    is_split = any(arguments.get(name) not in (None, 1) for name in _SPLITS)
    split = {"tensor_parallel_size": len(cards)} if len(cards) > 1 and not is_split else {}
    engine = VllmEngine(model, {**arguments, **split}, speculative, log, reasoning)
    engine.cards = tuple(cards)
    engine.plan = f"on card{'s' * (len(cards) > 1)} {', '.join(cards)}"
    return engine


def role_fleet(role: str, setting: Any, fleet: FleetConfig) -> FleetConfig:
    """Return the replicas of a role's own engine: its own number, on the run's cluster.

    Raises:
        ConfigError: If its number is none, or other roles would leave it no room.
    """
    if setting is None:
        return fleet.model_copy(update={"replicas": 1})
    if isinstance(setting, bool) or not isinstance(setting, int) or not 1 <= setting <= 4096:
        raise ConfigError(f"roles.{role}.replicas: expected a number from 1, got {setting!r:.100}.")
    if fleet.replicas == "all" or (fleet.replicas == "auto" and fleet.cluster):
        raise ConfigError(
            f"roles.{role} has replicas of its own, and those of the solver take all room. Give the solver a number, "
            "too: --replicas N."
        )
    return fleet.model_copy(update={"replicas": setting})


def _environment(sharing: int) -> dict[str, str]:
    """Return the variables that shape an engine, without secrets.

    Args:
        sharing: Number of replicas that share the memory of this host; 0 if they do not.
    """
    variables = {
        key: value
        for key, value in os.environ.items()
        if key.startswith(_PASSED) and not any(word in key for word in _SECRET)
    }
    if sharing > 1:
        gib = psutil.virtual_memory().available / 2**30 / 8 / sharing
        variables.setdefault("VLLM_CPU_KVCACHE_SPACE", str(max(1, min(32, int(gib)))))
    return variables
