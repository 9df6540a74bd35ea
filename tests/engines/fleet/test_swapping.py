"""Replicas that are up go on with the weights of the next checkpoint; one that cannot starts anew."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from k2eval.engines import Succeeds
from k2eval.engines.fleet import FleetEngine
from k2eval.engines.scripted import ScriptedEngine
from k2eval.errors import EngineError, EngineStopped
from tests.engines.fleet.support import (
    Checkpoint,
    ScriptedReplica,
    ScriptedSupply,
    ask_all,
    fleet,
    in_no_time,
    right,
    text_of,
)

SFT, RL = "sft", "rl"


def supply_of(model: str, *, number: int = 2, **fields: Any) -> ScriptedSupply:
    """Replicas of a checkpoint; a field may be a function of a replica's number and how many had it before."""

    def make(index: int, before: int) -> ScriptedReplica:
        own = {name: value(index, before) if callable(value) else value for name, value in fields.items()}
        fingerprint = ScriptedEngine(text_of, name=model).info.fingerprint
        return ScriptedReplica(f"replica {index}", **{"fingerprint": fingerprint, **own})

    return ScriptedSupply(number, make)


class Swap:
    """A fleet of one checkpoint, and one of the next that takes it over."""

    def __init__(
        self, before: ScriptedSupply | None = None, now: ScriptedSupply | None = None, **settings: Any
    ) -> None:
        self.before, self.now = before or supply_of(SFT), now or supply_of(RL)
        self.running = fleet(self.before, Checkpoint(SFT), **settings)
        self.engine = fleet(self.now, Checkpoint(RL), **settings)
        self.lines: list[str] = []
        self.engine.listen(self.lines.append)

    def run(self, then: Callable[[FleetEngine], Any] | None = None) -> Any:
        async def work() -> Any:
            await self.running.__aenter__()
            await asyncio.sleep(5)
            assert right(await ask_all(self.running, 8))
            assert self.engine.obstacle(self.running) is None
            try:
                await self.engine.take_over(self.running)
            except EngineError:
                await self.running.__aexit__(None, None, None)
                raise
            async with asyncio.timeout(10_000):
                try:
                    assert right(await ask_all(self.engine, 40))
                    return await then(self.engine) if then else None
                finally:
                    await self.engine.__aexit__(None, None, None)

        return in_no_time(work())


def test_a_fleet_takes_over_the_replicas_of_the_checkpoint_before() -> None:
    swap = Swap()
    assert isinstance(swap.engine, Succeeds)
    swap.run()
    assert [replica.swapped for replica in swap.now.made] == swap.before.made
    assert not any(replica.started for replica in swap.now.made)
    info = swap.engine.info
    assert info.swapped_from == swap.before.made[0]._info.name and info.settings["replicas"] == 2
    assert swap.engine.start_s == 1 and not info.notes and not swap.lines
    assert all(replica.closed for replica in swap.now.made)
    assert not swap.before.is_open and not swap.now.is_open


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"unswappable": "half of it was loaded"}, "half of it was loaded"),
        ({"swap_s": 500.0}, "not done in 301 s"),
        ({"fingerprint": "another"}, "expected the checkpoint "),
    ],
)
def test_a_replica_that_cannot_swap_starts_anew_and_is_told(fields: dict[str, Any], why: str) -> None:
    usual = ScriptedReplica("")
    right_one = ScriptedEngine(text_of, name=RL).info.fingerprint
    default = {"unswappable": "", "swap_s": 1.0, "fingerprint": right_one}
    assert usual.swap_s == default["swap_s"]

    def only(name: str) -> Any:
        return lambda index, before: fields[name] if (index, before) == (1, 0) else default[name]

    async def until_up(engine: FleetEngine) -> int:
        await asyncio.sleep(5)
        assert right(await ask_all(engine, 40))
        return engine.replicas

    swap = Swap(now=supply_of(RL, **{name: only(name) for name in fields}))
    assert swap.run(until_up) == 2
    [line, joined] = swap.lines
    assert line.startswith(f"replica 1 could not swap its weights and starts anew: {why}")
    assert joined == "replica 1 joined."
    assert [note.text for note in swap.engine.info.notes] == [
        "replica 1 could not swap its weights and starts anew"
    ]
    old = swap.before.made[1]
    failed, fresh = [replica for replica in swap.now.made if replica.name == "replica 1"]
    assert fresh.started and fresh.asked and not failed.asked
    assert old.closed or failed.closed  # the process that may have half of the weights


def test_a_replica_that_dies_while_it_swaps_starts_with_the_new_weights() -> None:
    swap = Swap(now=supply_of(RL, swap_s=lambda index, before: 30.0 if index else 1.0))

    async def work() -> None:
        await swap.running.__aenter__()
        await asyncio.sleep(5)
        asyncio.get_running_loop().call_later(10, swap.before.made[1].die)
        await swap.engine.take_over(swap.running)
        await asyncio.sleep(10)
        assert right(await ask_all(swap.engine, 40)) and swap.engine.replicas == 2
        await swap.engine.__aexit__(None, None, None)

    in_no_time(work())
    assert swap.lines == ["replica 1 died: its process ended.", "replica 1 joined."]
    assert swap.now.made[-1].started


def test_if_no_replica_can_swap_the_engine_starts_anew() -> None:
    swap = Swap(now=supply_of(RL, unswappable="half of it was loaded"))
    with pytest.raises(EngineError, match="half of it was loaded"):
        swap.run()
    assert all(replica.closed for replica in swap.before.made)
    assert not swap.before.is_open and not swap.now.is_open
    assert not any(replica.started for replica in swap.now.made)


def test_a_replica_that_is_not_up_yet_starts_with_the_new_weights() -> None:
    swap = Swap(before=supply_of(SFT, start_s=lambda index, _: 1000.0 if index else 1.0))

    async def until_up(engine: FleetEngine) -> int:
        await asyncio.sleep(5)
        return engine.replicas

    assert swap.run(until_up) == 2
    assert swap.before.made[1].closed
    assert [replica.started for replica in swap.now.made] == [False, True]


def test_a_replica_that_is_lost_later_starts_with_the_new_weights() -> None:
    swap = Swap()

    async def lose(engine: FleetEngine) -> None:
        swap.now.made[0].die()
        await asyncio.sleep(10)
        assert right(await ask_all(engine, 40)) and engine.replicas == 2

    swap.run(lose)
    assert swap.now.made[2].name == "replica 0" and swap.now.made[2].started


def test_a_replica_that_is_just_being_ended_gives_its_room_back_before_the_next_one_starts() -> None:
    swap = Swap(before=supply_of(SFT, close_s=2.0))

    async def work() -> None:
        await swap.running.__aenter__()
        await asyncio.sleep(5)
        swap.before.made[0].die()
        swap.running._gate.members[0].changed.set()
        await asyncio.sleep(1)
        assert not swap.before.made[0].closed
        await swap.engine.take_over(swap.running)
        assert swap.before.made[0].closed
        await swap.engine.__aexit__(None, None, None)

    in_no_time(work())


def test_a_replica_that_is_lost_while_another_one_is_being_ended_starts_with_the_new_weights() -> None:
    def later(index: int, before: int) -> float:
        return 10.0**6 if index == 2 else 60.0 if before else 1.0

    def slowly(index: int, before: int) -> float:
        return 20.0 if index == 2 else 0.0

    swap = Swap(before=supply_of(SFT, number=3, start_s=later, close_s=slowly), now=supply_of(RL, number=3))

    async def work() -> None:
        await swap.running.__aenter__()
        await asyncio.sleep(5)
        asyncio.get_running_loop().call_later(10, swap.before.made[1].die)
        await swap.engine.take_over(swap.running)
        await asyncio.sleep(10)
        assert right(await ask_all(swap.engine, 40)) and swap.engine.replicas == 3
        await swap.engine.__aexit__(None, None, None)

    in_no_time(work())
    assert [replica.swapped for replica in swap.now.made[:1]] == swap.before.made[:1]
    assert sorted(replica.name for replica in swap.now.made if replica.started) == ["replica 1", "replica 2"]


def test_an_interrupted_swap_leaves_nothing() -> None:
    swap = Swap(now=supply_of(RL, swap_s=100.0))

    async def work() -> None:
        await swap.running.__aenter__()
        await asyncio.sleep(5)
        taking = asyncio.create_task(swap.engine.take_over(swap.running))
        await asyncio.sleep(5)
        taking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await taking
        await swap.running.__aexit__(None, None, None)

    in_no_time(work())
    assert all(replica.closed for replica in swap.before.made)
    assert not swap.before.is_open and not swap.now.is_open


def test_other_checkpoints_and_other_replicas_cannot_be_taken_over() -> None:
    async def work() -> list[str | None]:
        async with fleet(supply_of(SFT), Checkpoint(SFT)) as running:
            others = [
                fleet(supply_of(RL), Checkpoint(RL, kind="larger")),
                fleet(supply_of(RL, number=3), Checkpoint(RL)),
            ]
            reasons = [other.obstacle(running) for other in others]
        return [*reasons, fleet(supply_of(RL), Checkpoint(RL)).obstacle(running)]

    assert in_no_time(work()) == ["another config.json", "other replicas", "no replica is left"]


def test_a_fleet_that_nobody_looks_after_any_more_is_not_taken_over() -> None:
    """Its gate is closed, so every request of the next run would end it."""

    class Unreachable(ScriptedSupply):
        gone = False

        async def wanted(self, departed: int) -> int:
            if self.gone:
                raise EngineStopped("the head has not answered")
            return await super().wanted(departed)

    supply = Unreachable(2, supply_of(SFT)._make)

    async def work() -> str | None:
        async with fleet(supply, Checkpoint(SFT)) as running:
            await asyncio.sleep(5)
            supply.gone = True
            await asyncio.sleep(5)
            return fleet(supply_of(RL), Checkpoint(RL)).obstacle(running)

    assert in_no_time(work()) == "no replica is left"


def test_a_rest_of_the_loop_is_no_silence_of_a_replica() -> None:
    """Between two runs nobody runs the loop, for hours."""
    supply = ScriptedSupply(1, lambda *_: ScriptedReplica("replica 0", deaf=True))

    async def work() -> int:
        async with fleet(supply, hang_s=200) as engine:
            await asyncio.sleep(10)
            loop: Any = asyncio.get_running_loop()
            loop._jumping.skipped += 10_000
            await asyncio.sleep(100)
            return engine.replicas

    assert in_no_time(work()) == 1
