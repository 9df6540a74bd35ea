"""The supply of a fleet on Ray: how many replicas there is room for, and the room of each."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from k2eval.engines.fleet import Supply
from k2eval.engines.ray.blueprint import Blueprint
from k2eval.engines.ray.cluster import PLACE, Cluster, NodeRoom
from k2eval.engines.ray.replica import Departures, Placement, RayReplica
from k2eval.errors import ConfigError

Replicas = int | Literal["all"]
_SAME = {
    "kind": "the kind of the engine",
    "speculative": "speculative",
    "reasoning": "reasoning",
    "keeps_budgets": "thinking budgets",
    "folder": "the working directory",
}
"""Parts of a blueprint that an engine which swaps its weights cannot change, besides its arguments; in words."""


class RaySupply:
    """Replicas in actors of Ray.

    Args:
        blueprint: Returns the engine; called after the run's prompts have been shown.
        replicas: Their number, or ``all`` for as many as the cluster has room for at any time.
        cards: Cards of one replica; 0 for one that computes on processors.
        address: The cluster's address; None for a cluster of the run's own.
        log: The file for the output of a run's only engine; each replica writes one of a like name.
        name: Prefix of the replicas' names, if there are several fleets.
    """

    def __init__(
        self,
        blueprint: Callable[[], Blueprint],
        replicas: Replicas,
        cards: int = 0,
        address: str | None = None,
        log: Path | None = None,
        name: str = "replica",
    ) -> None:
        self._blueprint = blueprint
        self._replicas = replicas
        self._cards = cards
        self._address = address
        self._log = log
        self._name = name
        self._cluster: Cluster | None = None
        self._nodes: list[NodeRoom] = []
        self._departures = Departures()
        self._seen: set[str] = set()
        """Ids of all nodes that were ever there."""
        self._has_grown = False

    async def open(self) -> None:
        """Connect to Ray; see `k2eval.engines.fleet.Supply`."""
        self._cluster = await Cluster.join(self._address)
        await self._look()
        most = max((node.gpus for node in self._nodes), default=0)
        if self._address is None and self._cards > most:
            raise ConfigError(f"One replica needs {self._cards} cards, and this host has {most:g}.")

    def unlike(self, running: Supply) -> str | None:
        """Return in what this supply differs from one that is open; see `k2eval.engines.fleet.Supply`."""
        if not isinstance(running, RaySupply) or self._place != running._place:
            return "other replicas"
        before, now = running._blueprint(), self._blueprint()
        differing = [words for name, words in _SAME.items() if getattr(before, name) != getattr(now, name)]
        names = sorted({*before.arguments, *now.arguments})
        differing += [
            f"engine.{name}" for name in names if before.arguments.get(name) != now.arguments.get(name)
        ]
        return f"other settings: {', '.join(differing)}" if differing else None

    @property
    def _place(self) -> tuple[object, ...]:
        return self._replicas, self._cards, self._address, self._name

    def inherit(self, running: Supply) -> None:
        """Know what has left a supply that is open; see `k2eval.engines.fleet.Supply`."""
        assert isinstance(running, RaySupply)
        self._departures = running._departures

    async def close(self) -> None:
        """Leave Ray."""
        if self._cluster is not None:
            await self._cluster.leave()
            self._cluster = None

    async def _look(self) -> None:
        assert self._cluster is not None
        self._nodes = await self._cluster.nodes()
        self._departures.draining = {node.id for node in self._nodes if node.leaving}
        ids = {node.id for node in self._nodes}
        self._has_grown |= bool(self._seen and ids - self._seen)
        self._seen |= ids

    def has_grown(self) -> bool:
        """Return whether a node has come; see `k2eval.engines.fleet.Supply`."""
        has_grown, self._has_grown = self._has_grown, False
        return has_grown

    async def wanted(self, departed: int) -> int:
        """Return the number of replicas that there should be now; see `k2eval.engines.fleet.Supply`."""
        await self._look()
        if self._address is None:  # on one host, nothing comes for what left
            return int(self._replicas) - departed
        staying = {node.id: node for node in self._nodes if not node.leaving}
        sent_away = sum(node in staying for node in self._departures.sent_away.values())
        if self._replicas != "all":
            return self._replicas - sent_away
        if self._cards > self._largest:
            places = int(sum(node.gpus for node in staying.values()) // self._cards)
        else:
            places = sum(self._places_on(node) for node in staying.values())
        return max(0 if sent_away else 1, places - sent_away)

    @property
    def _largest(self) -> int:
        """Cards of the node that has the most."""
        return max((int(node.gpus) for node in self._nodes), default=0)

    def _places_on(self, node: NodeRoom) -> int:
        if self._cards:
            return int(node.gpus // self._cards)
        return int(node.cpus >= 1)

    def replica(self, number: int) -> RayReplica:
        """Return a replica that is not started; see `k2eval.engines.fleet.Supply`."""
        placement, blueprint = self._placement(number), self._blueprint()
        if self._cards > 1:
            # Inside an actor vLLM would ask Ray for its workers; on one node its own processes do.
            executor = "ray" if len(placement.bundles) > 1 else "mp"
            arguments = {"distributed_executor_backend": executor} | blueprint.arguments
            blueprint = blueprint.model_copy(update={"arguments": arguments})
        assert self._cluster is not None
        return RayReplica(
            f"{self._name} {number}",
            blueprint,
            placement,
            self.log_of(number),
            self._cluster,
            self._departures,
        )

    def log_of(self, number: int) -> Path | None:
        """Return the file for the output of a replica, such as ``engine-0.log``."""
        prefix = "" if self._name == "replica" else f"{self._name.partition(' ')[0]}-"
        return self._log.with_stem(f"{self._log.stem}-{prefix}{number}") if self._log else None

    def _placement(self, number: int) -> Placement:
        if self._cards:
            if self._cards <= (self._largest or self._cards):
                return Placement([{"GPU": float(self._cards)}], gpus=float(self._cards))
            # Over several nodes: vLLM's own actors take the bundles, one card each.
            return Placement([{"GPU": 1.0}] * self._cards, "PACK")
        if self._address is None:
            return Placement([{PLACE: 1.0}], cores=self._share_of_cores(number))
        most = max((node.cpus for node in self._nodes), default=1.0)
        cpus = max(1.0, most) if self._replicas == "all" else 1.0
        return Placement([{"CPU": cpus}])

    def _share_of_cores(self, number: int) -> tuple[int, ...]:
        """Return the cores of one of several replicas on this host; engines would all take the first ones."""
        if not isinstance(self._replicas, int) or self._blueprint().kind != "vllm":
            return ()
        cores = sorted(os.sched_getaffinity(0))
        each = max(1, len(cores) // self._replicas)
        first = number * each % len(cores)
        return tuple(cores[first : first + each])
