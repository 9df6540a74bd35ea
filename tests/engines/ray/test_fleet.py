"""Actors of Ray behind a fleet: killed, hanging, slow, joining and leaving; with real processes and raylets."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from k2eval.engines.fleet import FleetEngine, FleetSettings
from k2eval.engines.ray import Blueprint, RaySupply, facts_here, inspect_cluster
from k2eval.engines.scripted import ScriptedEngine
from k2eval.errors import ConfigError, EngineStopped, PromptTooLong
from tests.engines.fleet.support import ask_all, request, right, text_of

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("ray"), pytest.mark.filterwarnings("ignore")]

FAST = {"look_s": 0.2, "backoff_s": 0.1, "health_s": 5.0}


class Started:
    """A fleet on the shared cluster, its lines, and its replicas."""

    def __init__(self, cluster: Any, replicas: Any, fate: Path, **settings: Any) -> None:
        arguments = {"fate": str(fate), "delay_s": settings.pop("delay_s", 0.1), "capacity": 4}
        blueprint = Blueprint(kind="tests.engines.ray.engines:fateful", model="m", arguments=arguments)
        supply = RaySupply(lambda: blueprint, replicas, address=cluster.address)
        self.engine = FleetEngine(ScriptedEngine(text_of), supply, FleetSettings(**(FAST | settings)))
        self.lines: list[str] = []
        self.engine.listen(self.lines.append)

    @property
    def replicas(self) -> list[Any]:
        return [member.replica for member in self.engine._gate.members]

    async def until(self, count: int) -> None:
        """Until so many replicas are up."""
        async with asyncio.timeout(60):
            while len(self.replicas) < count:
                await asyncio.sleep(0.05)

    async def until_told(self, word: str) -> str:
        async with asyncio.timeout(60):
            while not any(word in line for line in self.lines):
                await asyncio.sleep(0.05)
        return next(line for line in self.lines if word in line)


@contextlib.asynccontextmanager
async def started(cluster: Any, replicas: Any, fate: Path, **settings: Any) -> AsyncIterator[Started]:
    fleet = Started(cluster, replicas, fate, **settings)
    async with fleet.engine:
        if replicas != "all":
            await fleet.until(replicas)
        yield fleet


async def test_actors_answer_as_one_engine_does_and_errors_keep_their_kind(
    cluster: Any, tmp_path: Path
) -> None:
    async with started(cluster, 2, tmp_path) as fleet:
        assert right(await ask_all(fleet.engine, 60))
        assert len({replica.pid for replica in fleet.replicas}) == 2
        with pytest.raises(PromptTooLong, match="the prompt has 9 tokens"):
            await fleet.engine.generate(request().model_copy(update={"question_id": "too long"}))
        strange = request(5).model_copy(update={"task": "lone \ud800 surrogate"})
        assert (await fleet.engine.generate(strange)).task == strange.task


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
async def test_kill_of_an_actor_costs_only_its_unfinished_requests(
    cluster: Any, tmp_path: Path, number: signal.Signals
) -> None:
    async with started(cluster, 3, tmp_path) as fleet:
        asking = asyncio.create_task(ask_all(fleet.engine, 150))
        await asyncio.sleep(0.5)
        killed = fleet.replicas[1]
        os.kill(killed.pid, number)
        assert right(await asking)
        await fleet.until(3)
        assert f"{killed.name} died: its process ended" in await fleet.until_told("died")
        assert right(await ask_all(fleet.engine, 20))


@pytest.mark.parametrize(
    ("fate", "line"),
    [
        ("stop", "died: EngineDeadError: the core has died"),
        ("exit", "died: its process ended"),
        ("bug", "died: RayTaskError(RuntimeError): RuntimeError: a fault of ours"),
        ("nonsense", "answered nonsense and was ended: expected an answer with seed"),
        ("hang", "hung and was ended: 4 requests without progress"),
    ],
)
async def test_an_engine_that_fails_ends_its_actor_not_the_run(
    cluster: Any, tmp_path: Path, fate: str, line: str
) -> None:
    async with started(cluster, 2, tmp_path, hang_s=3) as fleet:
        (tmp_path / f"{fate}.fate").touch()
        assert right(await ask_all(fleet.engine, 80))
        assert line in await fleet.until_told(line)
        await fleet.until(2)


async def test_a_slow_replica_keeps_its_requests_and_gets_few(cluster: Any, tmp_path: Path) -> None:
    (tmp_path / "slow.fate").touch()
    async with started(cluster, 2, tmp_path, delay_s=0.2) as fleet:
        assert right(await ask_all(fleet.engine, 120))
        assert all("joined" in line for line in fleet.lines)
        few, many = sorted(member.answered for member in fleet.engine._gate.members)
        assert few <= 20 and many >= 100


async def test_sigterm_lets_an_actor_finish_and_leave(cluster: Any, tmp_path: Path) -> None:
    async with started(cluster, 2, tmp_path, delay_s=0.5) as fleet:
        asking = asyncio.create_task(ask_all(fleet.engine, 40))
        await asyncio.sleep(0.3)
        leaving = fleet.replicas[0]
        os.kill(leaving.pid, signal.SIGTERM)
        assert await fleet.until_told("left") == f"{leaving.name} left in order: it got SIGTERM."
        assert right(await asking)


async def test_a_node_that_comes_late_joins_and_one_that_is_killed_costs_only_its_requests(
    cluster: Any, tmp_path: Path
) -> None:
    async with started(cluster, "all", tmp_path) as fleet:
        await fleet.until(2)
        asking = asyncio.create_task(ask_all(fleet.engine, 1500))
        late = cluster.add_node(num_cpus=2, object_store_memory=80 << 20)
        await fleet.until(3)
        [on_late] = [replica for replica in fleet.replicas if replica._node == late.node_id]
        asked = asyncio.create_task(fleet.until_told(f"{on_late.name} died"))
        os.kill(late.all_processes["raylet"][0].process.pid, signal.SIGKILL)
        await asked
        assert right(await asking)
        await asyncio.sleep(1)
        assert len(fleet.replicas) == 2
    cluster.remove_node(late)


async def test_a_node_that_drains_is_left_in_order(cluster: Any, tmp_path: Path) -> None:
    from ray._raylet import GcsClient  # type: ignore[attr-defined]
    from ray.core.generated import autoscaler_pb2

    node = cluster.add_node(num_cpus=2, object_store_memory=80 << 20)
    async with started(cluster, "all", tmp_path, delay_s=0.3) as fleet:
        await fleet.until(3)
        [there] = [replica for replica in fleet.replicas if replica._node == node.node_id]
        asking = asyncio.create_task(ask_all(fleet.engine, 200))
        await asyncio.sleep(0.2)
        reason = autoscaler_pb2.DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
        accepted, _ = GcsClient(address=cluster.address).drain_node(node.node_id, reason, "spot", 2**62)
        assert accepted
        assert await fleet.until_told("left") == f"{there.name} left in order: its node drains."
        assert right(await asking)
    cluster.remove_node(node)


async def test_no_replica_left_ends_the_fleet(cluster: Any, tmp_path: Path) -> None:
    async with started(cluster, 1, tmp_path, restarts=0) as fleet:
        asking = asyncio.create_task(ask_all(fleet.engine, 20))
        await asyncio.sleep(0.2)
        os.kill(fleet.replicas[0].pid, signal.SIGKILL)
        with pytest.raises(EngineStopped, match=r"No replica is left\. replica 0 died"):
            await asking


async def test_a_cluster_that_is_not_there_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    supply = RaySupply(lambda: Blueprint(kind="scripted", model="m"), 2, address="127.0.0.1:1")
    with pytest.raises(
        ConfigError, match=r"Cannot connect to the Ray cluster '127.0.0.1:1'.*ray start --head"
    ):
        await supply.open()


async def test_each_node_of_a_cluster_is_looked_at(cluster: Any) -> None:
    reports = await inspect_cluster(cluster.address)
    assert len(reports) == 2 and not any(report.problem for report in reports)
    assert all(report.facts == facts_here() for report in reports)
