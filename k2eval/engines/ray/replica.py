"""The driver's side of an actor: one replica of a fleet."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import k2eval
from k2eval.engines.fleet import Health, ReplicaLost
from k2eval.engines.protocol import EngineInfo
from k2eval.engines.ray import wire
from k2eval.engines.ray.blueprint import Blueprint
from k2eval.errors import ConfigError
from k2eval.records import Generation, Request

_LOOK_S = 0.25
_MOST_CALLS = 100_000
"""Calls that Ray lets into an actor at once; the fleet's window is what limits them."""
_NODE = re.compile(r"node .*(?:died|dead|terminated|drain)", re.IGNORECASE)
_DETAIL = re.compile(r"exit detail: (.*?)(?: Some common causes|$)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Placement:
    """The room that a replica takes."""

    bundles: Sequence[dict[str, float]]
    """Resources that must be together on a node each; several bundles may lie on several nodes."""
    strategy: str = "STRICT_PACK"
    gpus: float = 0.0
    """Cards of the actor itself; 0 if its engine starts actors of its own in the other bundles."""
    cores: tuple[int, ...] = ()
    """Cores that it may use; all if empty."""


class RayReplica:
    """A replica in an actor of Ray.

    Args:
        name: The name for people.
        blueprint: The engine.
        placement: The room that it takes.
        log: The file for its output.
        leaving_nodes: Ids of the nodes that drain; somebody keeps it up to date.
    """

    def __init__(
        self, name: str, blueprint: Blueprint, placement: Placement, log: Path | None, leaving_nodes: set[str]
    ) -> None:
        self.name = name
        self.window = 1
        self.is_placed = False
        self.pid = 0
        """Process of the actor, on its node."""
        self._blueprint = blueprint
        self._placement = placement
        self._log = log
        self._leaving_nodes = leaving_nodes
        self._node = ""
        self._group: Any = None
        self._actor: Any = None

    async def start(self) -> EngineInfo:
        """Wait for room, start the actor and its engine; see `k2eval.engines.fleet.Replica`."""
        await self._place()
        self.is_placed = True
        self._actor = self._make_actor()
        started = wire.unpack_started(await self._reply(self._actor.start.remote()))
        if started.version != k2eval.__version__:
            raise ConfigError(f"expected k2eval {k2eval.__version__} on its node, got {started.version}")
        self.window, self.pid = started.window, started.pid
        return started.info

    async def _place(self) -> None:
        from ray.util.placement_group import placement_group, placement_group_table

        self._group = placement_group(list(self._placement.bundles), strategy=self._placement.strategy)
        while (table := placement_group_table(self._group)).get("state") != "CREATED":
            await asyncio.sleep(_LOOK_S)
        self._node = str((table.get("bundles_to_node_id") or {}).get(0, ""))

    def _make_actor(self) -> Any:
        import ray
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        from k2eval.engines.ray.actor import ReplicaActor

        first = self._placement.bundles[0]
        options = {
            "num_cpus": 0,
            "num_gpus": self._placement.gpus,
            "scheduling_strategy": PlacementGroupSchedulingStrategy(
                self._group,
                placement_group_bundle_index=0,
                placement_group_capture_child_tasks=len(self._placement.bundles) > 1,
            ),
            "max_concurrency": _MOST_CALLS,
            # The fleet starts replicas again itself, since a restart needs its own patience and its own words.
            "max_restarts": 0,
            "max_task_retries": 0,
        }
        assert first
        return (
            ray.remote(ReplicaActor)
            .options(**options)
            .remote(
                self._blueprint.model_dump_json(),
                str(self._log.resolve()) if self._log else "",
                list(self._placement.cores),
            )
        )

    async def _reply(self, call: Awaitable[bytes]) -> bytes:
        from ray.exceptions import RayError

        try:
            return await call
        except RayError as error:
            raise ReplicaLost(reason_of(error)) from None

    async def generate(self, request: Request) -> Generation:
        """Answer one request; see `k2eval.engines.fleet.Replica`."""
        reply = await self._reply(self._actor.generate.remote(wire.pack_request(request)))
        return wire.unpack_generation(reply)  # type: ignore[return-value]  # the fleet takes None for nonsense

    async def health(self) -> Health:
        """Return the state; see `k2eval.engines.fleet.Replica`."""
        health = wire.unpack_health(await self._reply(self._actor.health.remote()))
        if self._node in self._leaving_nodes:
            return Health(health.info, health.progress, "its node drains")
        return health

    async def close(self) -> None:
        """Kill the actor and release its room; its engine's processes end with it."""
        import ray
        from ray.util.placement_group import remove_placement_group

        with contextlib.suppress(ray.exceptions.RayError, ValueError, RuntimeError):
            if self._actor is not None:
                ray.kill(self._actor, no_restart=True)
        with contextlib.suppress(ray.exceptions.RayError, ValueError, RuntimeError):
            if self._group is not None:
                remove_placement_group(self._group)
        self._actor = self._group = None


def reason_of(error: Exception) -> str:
    """Return Ray's reason for the loss of an actor, in short.

    >>> reason_of(Exception("The actor died. Worker exit detail: Worker exits by a signal. Some common causes are"))
    'its process ended: Worker exits by a signal'
    >>> reason_of(Exception("The actor died because its node has died. Node Id: 81"))
    'its node has died'
    """
    text = " ".join(str(error).split())
    if _NODE.search(text):
        return "its node has died"
    detail = _DETAIL.search(text)
    if detail:
        return f"its process ended: {detail[1].strip().rstrip('.')[:160]}"
    last = str(error).strip().rpartition("\n")[2]
    return f"{type(error).__name__}: {last[:200]}"
