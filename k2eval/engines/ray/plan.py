"""The number of replicas, and the cards of each, told before anything starts."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import prod
from typing import Any, Literal

from k2eval.config import FleetConfig
from k2eval.engines.facts import checkpoint_facts
from k2eval.engines.ray.cluster import INSTALL, is_installed
from k2eval.engines.sizing import SHARE, ModelSize, smallest_parallel
from k2eval.errors import ConfigError
from k2eval.system import cores

_SPLITS = ("tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size")
_GIB = 2**30


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """The shape of a fleet, or of one engine."""

    replicas: int | Literal["all"] = 1
    """1 for one engine in this process, unless there is a cluster."""
    cards: int = 0
    """Cards of each replica; 0 if it computes on processors."""
    arguments: dict[str, Any] = field(default_factory=dict)
    """Arguments of the engine that follow."""
    words: str = ""
    """The plan for people; empty for one engine that is as it always was."""


def plan_fleet(
    fleet: FleetConfig,
    kind: str,
    model: str,
    arguments: Mapping[str, Any],
    *,
    alone: bool = True,
    cards: Sequence[int] | None = None,
) -> FleetPlan:
    """Decide how many replicas there are, and over how many cards each of them goes.

    Args:
        fleet: The number that is asked for.
        kind: Kind of the engine.
        model: The checkpoint.
        arguments: Arguments of the engine that the user set.
        alone: Whether no other role has an engine that would need cards, too.
        cards: Memory of each card of this host, in bytes; asked of the driver if None.

    Raises:
        ConfigError: If so many replicas cannot be.
    """
    wanted = fleet.replicas
    if kind == "endpoint":
        if wanted != "auto" or fleet.cluster:
            raise ConfigError(
                "Expected no replicas of an endpoint: the servers run them. Give the servers of one model as a list, "
                "--set engine.base_url=[URL, URL], or in a file, --set engine.base_url=@FILE."
            )
        return FleetPlan()
    if wanted == 1 and not fleet.cluster:
        return FleetPlan()
    cards = cards if cards is not None else cards_here() if kind == "vllm" else ()
    set_by_user = split_of(arguments)
    if fleet.cluster:
        return _on_cluster(fleet, kind, model, arguments, cards, set_by_user)
    if wanted in ("auto", "all") and (len(cards) < 2 or (wanted == "auto" and not alone)):
        return FleetPlan()
    if arguments.get("data_parallel_size") not in (None, 1):
        if wanted == "auto":
            return FleetPlan()
        raise ConfigError(
            "Expected either replicas or engine.data_parallel_size, got both. Leave the second out."
        )
    if not cards:
        count = int(wanted)
        share = f", {max(1, cores.count() // count)} of {cores.count()} cores each" if kind == "vllm" else ""
        return FleetPlan(_with_ray(count), words=f"{count} replicas on this host{share}")
    each, why = _cards_of_one(model, arguments, cards, set_by_user)
    most = len(cards) // each
    if not most and wanted == "auto":  # vLLM itself may reach the cards of other hosts
        return FleetPlan()
    if not most:
        raise ConfigError(
            f"Expected {_cards(each)} for each replica, got the {len(cards)} of this host. Set a smaller "
            "engine.tensor_parallel_size, or name a cluster with --cluster."
        )
    if isinstance(wanted, int) and wanted > most:
        raise ConfigError(
            f"Expected at most {most} replicas of {_cards(each)} each on the {len(cards)} cards of this host, got "
            f"{wanted}. Ask for fewer, or name a cluster with --cluster."
        )
    count = wanted if isinstance(wanted, int) else most
    split = {"tensor_parallel_size": each} if each > 1 and set_by_user == 1 else {}
    if count == 1:
        return FleetPlan(arguments=split, words=f"one engine over {_cards(each)}{why}" if split else "")
    if wanted == "auto" and not is_installed():
        words = f"one engine over {_cards(each)} of {len(cards)}; {most} replicas need Ray: {INSTALL}"
        return FleetPlan(arguments=split, words=words)
    words = f"{count} replicas of {_cards(each)} each{why}"
    return FleetPlan(_with_ray(count), each, split, words)


def _on_cluster(
    fleet: FleetConfig, kind: str, model: str, arguments: Mapping[str, Any], cards: Sequence[int], split: int
) -> FleetPlan:
    replicas: int | Literal["all"] = "all" if fleet.replicas in ("auto", "all") else int(fleet.replicas)
    where = f"on the cluster {fleet.cluster}"
    many = "as many replicas as there is room for" if replicas == "all" else f"{replicas} replicas"
    if kind != "vllm" or not computes_on_cards():
        return FleetPlan(
            replicas, words=f"{many} {where}, one a node" if replicas == "all" else f"{many} {where}"
        )
    each, why = _cards_of_one(model, arguments, cards, split) if cards else (split, "")
    own = {"tensor_parallel_size": each} if each > 1 and split == 1 else {}
    return FleetPlan(replicas, each, own, f"{many} {where}, {_cards(each)} each{why}")


def _with_ray(count: int) -> int:
    if not is_installed():
        raise ConfigError(f"Several replicas run on Ray, which is not installed here: {INSTALL}.")
    return count


def _cards_of_one(
    model: str, arguments: Mapping[str, Any], cards: Sequence[int], set_by_user: int
) -> tuple[int, str]:
    """Return the number of cards of one replica, and the reason in words."""
    if set_by_user > 1:
        return set_by_user, ", as set"
    facts = checkpoint_facts(model, arguments.get("revision"))
    size = ModelSize.of(facts.config, facts.weight_bytes, arguments)
    if size is None or not size.weights:
        return 1, " (the size of the model is not known)"
    each = smallest_parallel(size, min(cards), len(cards), share_of(arguments))
    if each is None:
        raise ConfigError(
            f"{model} does not fit into the {len(cards)} cards of this host: {_sizes(size)}. Shorten its context with "
            "--set engine.max_model_len=N, or set engine.tensor_parallel_size and pipeline_parallel_size for a cluster."
        )
    return each, f": {_sizes(size)}, {min(cards) / _GIB:.0f} GiB a card"


def _sizes(size: ModelSize) -> str:
    context = size.context * size.kv_token / _GIB
    return f"{size.weights / _GIB:.1f} GiB of weights, {context:.1f} GiB for a context of {size.context:,} tokens"


def _cards(count: int) -> str:
    return f"{count} card{'s' * (count > 1)}"


def computes_on_cards() -> bool:
    """Return whether the installed vLLM is one for cards; the driver of a cluster need not have any itself."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return bool(version("vllm"))
    except PackageNotFoundError:
        return False


def cards_of_one(model: str, arguments: Mapping[str, Any], cards: Sequence[int]) -> int:
    """Return the number of cards over which an engine goes: as set by its arguments, or as few as the model fits into.

    Args:
        model: The checkpoint.
        arguments: Arguments of the engine that the user set.
        cards: Memory of each card of this host, in bytes.

    Raises:
        ConfigError: If the model does not fit into all of them.
    """
    return _cards_of_one(model, arguments, cards, split_of(arguments))[0]


def split_of(arguments: Mapping[str, Any]) -> int:
    """Return the number of cards over which the arguments of an engine split it; 1 if they do not.

    Raises:
        ConfigError: If one of them is no number.
    """
    for name in _SPLITS:
        value = arguments.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise ConfigError(f"engine.{name}: expected a whole number from 1, got {value!r:.100}.")
    return prod(arguments.get(name) or 1 for name in _SPLITS)


def share_of(arguments: Mapping[str, Any]) -> float:
    """Return the share of each card's memory that the arguments of an engine give it, as a fraction.

    Raises:
        ConfigError: If it is no share.
    """
    value = arguments.get("gpu_memory_utilization")
    if value is None:
        return SHARE
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= 1:
        raise ConfigError(
            f"engine.gpu_memory_utilization: expected a number above 0, up to 1, got {value!r:.100}."
        )
    return float(value)


def cards_here() -> tuple[int, ...]:
    """Return the memory of each card that this process may use, in bytes; none if there is no driver."""
    return tuple(int(row[2]) * 2**20 for row in _visible_here())


def card_names() -> tuple[str, ...]:
    """Return the number of each card that this process may use, as ``CUDA_VISIBLE_DEVICES`` names them."""
    return tuple(row[0] for row in _visible_here())


@lru_cache(maxsize=1)
def _visible_here() -> tuple[tuple[str, ...], ...]:
    query = ["nvidia-smi", "--query-gpu=index,uuid,memory.total", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=30, check=True).stdout
        rows = [tuple(part.strip() for part in line.split(",")) for line in answer.strip().splitlines()]
        return visible([row for row in rows if int(row[2])], os.environ.get("CUDA_VISIBLE_DEVICES"))
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return ()


def visible(rows: Sequence[tuple[str, ...]], setting: str | None) -> tuple[tuple[str, ...], ...]:
    """Return the cards that ``CUDA_VISIBLE_DEVICES`` names.

    >>> rows = [("0", "GPU-a1", "81559"), ("1", "GPU-b2", "81559")]
    >>> [len(visible(rows, setting)) for setting in (None, "1", "GPU-b", "", "-1")]
    [2, 1, 1, 0, 0]

    Args:
        rows: Index, identity and MiB of each card.
        setting: The variable's value.
    """
    if setting is None:
        return tuple(rows)
    names = [name.strip() for name in setting.split(",") if name.strip()]
    return tuple(row for name in names for row in rows if row[0] == name or row[1].startswith(name))
