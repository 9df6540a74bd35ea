"""Actors of Ray behind a fleet: killed, hanging, slow, joining and leaving; with real processes and raylets."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from k2eval.engines.fleet import FleetEngine, FleetSettings
from k2eval.engines.ray import Blueprint, RaySupply, facts_here, inspect_cluster
from k2eval.errors import ConfigError, EngineStopped, PromptTooLong
from k2eval.records import Message
from tests.engines.fleet.support import Checkpoint, ask_all, request, right, text_of
from tests.engines.ray.conftest import another_node

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("engines"), pytest.mark.filterwarnings("ignore")]

FAST = {"look_s": 0.2, "backoff_s": 0.1, "health_s": 5.0}


class Started:
    """A fleet on the shared cluster, its lines, and its replicas."""

    def __init__(
        self, cluster: Any, replicas: Any, fate: Path, model: str = "scripted", **settings: Any
    ) -> None:
        arguments = {"fate": str(fate), "delay_s": settings.pop("delay_s", 0.1), "capacity": 4}
        blueprint = Blueprint(kind="tests.engines.ray.engines:fateful", model=model, arguments=arguments)
        log = settings.pop("log", None)
        supply = RaySupply(lambda: blueprint, replicas, address=cluster.address, log=log)
        self.engine = FleetEngine(Checkpoint(model), supply, FleetSettings(**(FAST | settings)))
        self.lines: list[str] = []
        self.engine.listen(self.lines.append)

    @property
    def replicas(self) -> list[Any]:
        return [member.replica for member in self.engine._gate.members]

    async def until(self, count: int) -> None:
        """Until so many replicas are up."""
        async with asyncio.timeout(240):
            while len(self.replicas) < count:
                await asyncio.sleep(0.05)

    async def until_told(self, word: str) -> str:
        async with asyncio.timeout(240):
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
        words = (Message(role="user", content="lone \ud800 surrogate"),)
        strange = request(5).model_copy(update={"messages": words})
        assert (await fleet.engine.generate(strange)).text == text_of(strange)


async def test_kill_of_an_actor_costs_only_its_unfinished_requests(cluster: Any, tmp_path: Path) -> None:
    async with started(cluster, 3, tmp_path) as fleet:
        for number in (signal.SIGKILL, signal.SIGSEGV):
            fleet.lines.clear()
            asking = asyncio.create_task(ask_all(fleet.engine, 150))
            await asyncio.sleep(0.5)
            killed = fleet.replicas[1]
            os.kill(killed.pid, number)
            assert right(await asking)
            assert f"{killed.name} died: its process ended" in await fleet.until_told("died")
            await fleet.until(3)
            assert right(await ask_all(fleet.engine, 20))


FATES = {
    "stop": "died: EngineDeadError: the core has died",
    "exit": "died: its process ended",
    "bug": "died: RuntimeError: a fault of ours",
    "nonsense": "answered nonsense and was ended: expected an answer with seed",
    "hang": "without progress for",
}


async def test_an_engine_that_fails_ends_its_actor_not_the_run(cluster: Any, tmp_path: Path) -> None:
    """One fleet has all fates in turn: a new actor takes longer than a fate."""
    async with started(cluster, 2, tmp_path, hang_s=3, restarts=len(FATES)) as fleet:
        for fate, line in FATES.items():
            fleet.lines.clear()
            (tmp_path / f"{fate}.fate").touch()
            assert right(await ask_all(fleet.engine, 80))
            while fate == "hang" and not any("hung" in one for one in fleet.lines):
                assert right(await ask_all(fleet.engine, 8))  # few, so that the other one answers them all
            assert line in await fleet.until_told(line)
            await fleet.until(2)


async def test_a_slow_replica_keeps_its_requests_and_gets_few(cluster: Any, tmp_path: Path) -> None:
    (tmp_path / "slow.fate").touch()
    async with started(cluster, 2, tmp_path, delay_s=0.1) as fleet:
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
        await asyncio.sleep(2)
        assert len(fleet.replicas) == 1  # none starts in its place


async def test_the_log_of_a_replica_that_dies_on_another_node_is_brought_here(
    cluster: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    async with started(cluster, "all", tmp_path, log=folder / "engine.log") as fleet:
        await fleet.until(2)
        own = fleet.engine._supply._cluster.own_node  # type: ignore[attr-defined]
        [there] = [replica for replica in fleet.replicas if replica._node != own]
        folder.mkdir()  # which that node could not see when it started
        [kept] = Path(tempfile.gettempdir()).glob(f"k2eval-{there.pid}.*.log")
        kept.write_text("CUDA out of memory")
        os.kill(there.pid, signal.SIGKILL)
        await fleet.until_told("died")
        await fleet.until(2)
        assert there._log.read_text() == "CUDA out of memory" and not kept.exists()


async def test_a_slow_replicas_last_requests_are_asked_elsewhere_and_cancelled_there(
    cluster: Any, tmp_path: Path
) -> None:
    (tmp_path / "slow.fate").touch()
    async with started(cluster, 2, tmp_path, delay_s=0.7) as fleet:
        assert right(await ask_all(fleet.engine, 24))
        assert "last requests of slow replicas" in fleet.engine.info.notes[-1].text
        assert all("joined" in line for line in fleet.lines)


async def ask_until(over: asyncio.Event, engine: FleetEngine) -> bool:
    """Ask without a pause until an event; return whether all answers are right."""
    all_right = True
    while not over.is_set():
        all_right &= right(await ask_all(engine, 60))
    return all_right


async def test_a_node_that_comes_late_joins_and_one_that_is_killed_costs_only_its_requests(
    cluster: Any, tmp_path: Path
) -> None:
    with contextlib.ExitStack() as nodes:
        async with started(cluster, "all", tmp_path) as fleet:
            await fleet.until(2)
            over = asyncio.Event()
            asking = asyncio.create_task(ask_until(over, fleet.engine))
            late = nodes.enter_context(another_node(cluster))
            await fleet.until(3)
            [on_late] = [replica for replica in fleet.replicas if replica._node == late.node_id]
            asked = asyncio.create_task(fleet.until_told(f"{on_late.name} died"))
            os.kill(late.all_processes["raylet"][0].process.pid, signal.SIGKILL)
            await asked
            over.set()
            assert await asking
            await asyncio.sleep(1)
            assert len(fleet.replicas) == 2  # none starts where its node is gone


async def test_a_node_that_drains_is_left_in_order(cluster: Any, tmp_path: Path) -> None:
    from ray._raylet import GcsClient  # type: ignore[attr-defined]
    from ray.core.generated import autoscaler_pb2

    with another_node(cluster) as node:
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


async def test_no_replica_left_ends_the_fleet(cluster: Any, tmp_path: Path) -> None:
    async with started(cluster, 1, tmp_path, restarts=0) as fleet:
        asking = asyncio.create_task(ask_all(fleet.engine, 20))
        await asyncio.sleep(0.2)
        os.kill(fleet.replicas[0].pid, signal.SIGKILL)
        with pytest.raises(EngineStopped, match=r"No replica is left\. replica 0 died"):
            await asking


FATES_OF_SWAPS = {
    "": "",
    "stop": "could not swap its weights and starts anew: half of it was loaded",
    "exit": ": its process ended",  # seen by the swap, or by a look at its health
    "hang": "could not swap its weights and starts anew: not done in",
}


async def test_replicas_go_on_with_the_weights_of_the_next_checkpoint(cluster: Any, tmp_path: Path) -> None:
    """One fleet goes from checkpoint to checkpoint, each time with another fate."""
    before, name = Started(cluster, 2, tmp_path, "sft"), "rl"
    await before.engine.__aenter__()
    try:
        await before.until(2)
        assert right(await ask_all(before.engine, 20))
        for fate, line in FATES_OF_SWAPS.items():
            processes = {replica.pid for replica in before.replicas}
            if fate:
                (tmp_path / f"{fate}.fate").touch()
            after = Started(cluster, 2, tmp_path, name, hang_s=2)  # enough for a swap
            assert after.engine.obstacle(before.engine) is None
            await after.engine.take_over(before.engine)
            before, name = after, before.engine.info.name
            assert right(await ask_all(after.engine, 40))
            assert line in await after.until_told(line) if fate else not after.lines
            await after.until(2)
            assert len(processes & {replica.pid for replica in after.replicas}) == (1 if fate else 2)
            assert after.engine.info.swapped_from == name != after.engine.info.name
    finally:
        await before.engine.__aexit__(None, None, None)


async def test_a_cluster_that_is_not_there_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    supply = RaySupply(lambda: Blueprint(kind="scripted", model="m"), 2, address="127.0.0.1:1")
    with pytest.raises(
        ConfigError, match=r"Cannot connect to the Ray cluster '127.0.0.1:1'.*ray start --head"
    ):
        await supply.open()


async def test_each_node_of_a_cluster_is_looked_at_and_makes_the_self_test_of_the_sandbox(
    cluster: Any,
) -> None:
    reports = await inspect_cluster(cluster.address)
    assert len(reports) == 2 and not any(report.problem for report in reports)
    assert all(report.facts == facts_here() for report in reports)
    assert {report.facts["sandbox"] for report in reports} == {"ok"}
