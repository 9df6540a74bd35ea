"""The driver's side of an actor: one replica of a fleet."""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from k2eval.engines.fleet import Health, Replica, ReplicaLost
from k2eval.engines.protocol import EngineInfo
from k2eval.engines.ray import wire
from k2eval.engines.ray.blueprint import Blueprint
from k2eval.engines.ray.cluster import Cluster, run_on
from k2eval.engines.ray.logs import take_last
from k2eval.records import Generation, Request

_LOOK_S = 0.25
_MOST_CALLS = 100_000
"""Calls that Ray lets into an actor at once; the fleet's window is what limits them."""
_LOG_S = 15.0
"""Longest wait for the log of a replica that has ended."""
_NODE = re.compile(r"node .*(?:died|dead|terminated|drain)", re.IGNORECASE)
_DETAIL = re.compile(r"exit detail: (.*?)(?: Some common causes|$)", re.DOTALL)


@dataclass(slots=True)
class Departures:
    """The nodes and replicas of a cluster that go; the supply keeps it up to date."""

    draining: set[str] = field(default_factory=set)
    """Ids of the nodes that drain."""
    sent_away: dict[str, str] = field(default_factory=dict)
    """Replicas that got SIGTERM, and the node of each: nothing starts in their place."""


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
        cluster: The cluster that it runs on.
        nodes: Which nodes drain, and which replicas were sent away.
    """

    def __init__(
        self,
        name: str,
        blueprint: Blueprint,
        placement: Placement,
        log: Path | None,
        cluster: Cluster,
        nodes: Departures,
    ) -> None:
        self.name = name
        self.window = 1
        self.is_placed = False
        self.pid = 0
        """Process of the actor, on its node."""
        self._blueprint = blueprint
        self._placement = placement
        self._log = log
        self._cluster = cluster
        self._nodes = nodes
        self._own_log = secrets.token_hex(8)
        self._node = ""
        self._group: Any = None
        self._actor: Any = None

    async def start(self) -> EngineInfo:
        """Wait for room, start the actor and its engine; see `k2eval.engines.fleet.Replica`."""
        await self._place()
        self.is_placed = True
        await self._cluster.call(self._make_actor)
        return self._up(await self._reply(self._actor.start.remote()))

    async def take_over(self, running: Replica) -> EngineInfo:
        """Swap the engine of a running actor for this one; see `k2eval.engines.fleet.Replica`."""
        assert isinstance(running, RayReplica)
        reply = await running._reply(running._actor.swap.remote(self._blueprint.model_dump_json()))
        info = self._up(reply)
        self.is_placed, self._log, self._own_log = True, running._log, running._own_log
        self._node, self._group, self._actor = running._node, running._group, running._actor
        running._group = running._actor = None
        return info

    def _up(self, reply: bytes) -> EngineInfo:
        started = wire.unpack_started(reply)
        self.window, self.pid = started.window, started.pid
        return started.info

    async def _place(self) -> None:
        from ray.util.placement_group import placement_group_table

        await self._cluster.call(self._make_group)
        while (table := await self._cluster.call(placement_group_table, self._group)).get(
            "state"
        ) != "CREATED":
            await asyncio.sleep(_LOOK_S)
        self._node = str((table.get("bundles_to_node_id") or {}).get(0, ""))

    def _make_group(self) -> None:
        from ray.util.placement_group import placement_group

        self._group = placement_group(list(self._placement.bundles), strategy=self._placement.strategy)

    def _make_actor(self) -> None:
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
        self._actor = (
            ray.remote(ReplicaActor)
            .options(**options)
            .remote(
                self._blueprint.model_dump_json(),
                str(self._log.resolve()) if self._log else "",
                self._own_log,
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
        import ray

        call = self._actor.generate.remote(wire.pack_request(request))
        try:
            reply = await self._reply(call)
        except asyncio.CancelledError:  # another replica was faster, or the run ends
            ray.cancel(call)
            raise
        return wire.unpack_generation(reply)  # type: ignore[return-value]  # the fleet takes None for nonsense

    async def health(self) -> Health:
        """Return the state; see `k2eval.engines.fleet.Replica`."""
        health = wire.unpack_health(await self._reply(self._actor.health.remote()))
        if health.leaving:
            self._nodes.sent_away[self._own_log] = self._node
        elif self._node in self._nodes.draining:
            return Health(health.info, health.progress, "its node drains")
        return health

    async def close(self) -> None:
        """Kill the actor and release its room; its engine's processes end with it."""
        await self._bring_log()
        await self._cluster.end(self._end)

    async def _bring_log(self) -> None:
        """Append the end of its log to the run's file, if another node had to keep it."""
        from ray.exceptions import RayError

        is_here = self._node in ("", self._cluster.own_node)
        if self._log is None or is_here or self._cluster.is_stuck:
            return
        with contextlib.suppress(RayError, OSError, TimeoutError):
            async with asyncio.timeout(_LOG_S):
                text = await (await self._cluster.call(run_on, self._node, take_last, self._own_log))
            if text:
                with self._log.open("a", encoding="utf-8") as file:
                    file.write(text)

    def _end(self) -> None:
        import ray
        from ray.util.placement_group import remove_placement_group

        actor, group, self._actor, self._group = self._actor, self._group, None, None
        with contextlib.suppress(ray.exceptions.RayError, ValueError, RuntimeError):
            if actor is not None:
                ray.kill(actor, no_restart=True)
        with contextlib.suppress(ray.exceptions.RayError, ValueError, RuntimeError):
            if group is not None:
                remove_placement_group(group)


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
