"""The last requests of a slow replica are asked of idle ones, too, and the first answer counts."""

from __future__ import annotations

import asyncio
from typing import Any

from k2eval.engines.fleet import FleetEngine
from k2eval.engines.fleet.hedging import hedges
from k2eval.engines.fleet.member import Flight, Member
from k2eval.engines.scripted import ScriptedEngine
from k2eval.records import Generation
from tests.engines.fleet.support import (
    ScriptedReplica,
    ScriptedSupply,
    ask_all,
    fleet,
    in_no_time,
    request,
    right,
    text_of,
)

SLOW_S = 600.0


def one_is_slow(**fields: Any) -> ScriptedSupply:
    """Two replicas, of which the second takes ten minutes for an answer."""
    return ScriptedSupply(
        2, lambda number, _: ScriptedReplica(f"replica {number}", delay_s=SLOW_S if number else 10, **fields)
    )


def ask(supply: ScriptedSupply, count: int) -> tuple[list[Generation], FleetEngine, float]:
    """Ask ``count`` questions once both replicas are up; return the seconds, too."""

    async def work() -> tuple[list[Generation], FleetEngine, float]:
        async with fleet(supply, hang_s=10**6) as engine:
            await asyncio.sleep(5)
            before = asyncio.get_running_loop().time()
            generations = await ask_all(engine, count)
            seconds = asyncio.get_running_loop().time() - before
            await asyncio.sleep(1)
            assert all(member.in_flight == 0 for member in engine._gate.members)
            return generations, engine, seconds

    return in_no_time(work())


def test_the_last_requests_of_a_slow_replica_are_answered_by_an_idle_one() -> None:
    supply = one_is_slow()
    generations, engine, seconds = ask(supply, 40)
    assert right(generations)
    assert seconds < SLOW_S / 3
    note = "4 last requests of slow replicas answered by idle ones, with the same seeds"
    assert [note.text for note in engine.info.notes] == [note]
    assert supply.made[1]._now == 0  # the slower request is cancelled


def test_nothing_is_hedged_without_seeds() -> None:
    supply = one_is_slow(honours_seeds=False)
    generations, engine, seconds = ask(supply, 40)
    assert right(generations) and seconds >= SLOW_S
    assert sum(len(replica.asked) for replica in supply.made) == 40 and not engine.info.notes


def test_nothing_is_hedged_while_requests_wait() -> None:
    supply = one_is_slow()

    async def work() -> list[Generation]:
        async with fleet(supply, hang_s=10**6) as engine:
            await asyncio.sleep(5)
            asking = asyncio.create_task(ask_all(engine, 200))
            await asyncio.sleep(SLOW_S / 2)
            asked = [key for replica in supply.made for key in replica.asked]
            assert engine._gate.waiting and len(asked) == len(set(asked))
            return await asking

    assert right(in_no_time(work()))


async def test_a_hedge_is_not_hedged_again() -> None:
    owner, helper, idle = (
        Member(ScriptedReplica(name), ScriptedEngine(text_of).info, answered=9, longest_s=1.0)
        for name in ("owner", "helper", "idle")
    )
    first, second = (Flight(request(1), 0.0, asyncio.timeout(None)) for _ in range(2))
    owner.flights.add(first)
    assert [(whose.name, flight, other.name) for whose, flight, other in hedges([owner, idle], 9.0)] == [
        ("owner", first, "idle")
    ]
    first.hedge = asyncio.create_task(asyncio.sleep(0))
    helper.flights.add(second)
    assert not list(hedges([owner, helper, idle], 9.0))
    await first.hedge


def test_equal_replicas_hedge_nothing() -> None:
    supply = ScriptedSupply(2, lambda number, _: ScriptedReplica(f"replica {number}", delay_s=10))
    generations, _, _ = ask(supply, 43)
    assert right(generations)
    assert sum(len(replica.asked) for replica in supply.made) == 43


def test_a_helper_that_is_lost_leaves_the_request_where_it_was() -> None:
    supply = one_is_slow()

    async def work() -> list[Generation]:
        async with fleet(supply, hang_s=10**6, restarts=0) as engine:
            await asyncio.sleep(5)
            asking = asyncio.create_task(ask_all(engine, 40))
            while len(supply.made[0].asked) < 40 - 4 + 2:
                await asyncio.sleep(0.1)
            supply.made[0].die()
            return await asking

    assert right(in_no_time(work()))


def test_a_replica_that_hangs_is_ended_although_its_requests_are_answered_elsewhere() -> None:
    supply = ScriptedSupply(
        2, lambda number, before: ScriptedReplica(f"replica {number}", hangs=bool(number) and not before)
    )

    async def work() -> list[str]:
        lines: list[str] = []
        async with fleet(supply, hang_s=60) as engine:
            engine.listen(lines.append)
            await asyncio.sleep(5)
            while not any("hung" in line for line in lines):
                assert right(await ask_all(engine, 8))
                await asyncio.sleep(1)
            assert asyncio.get_running_loop().time() < 600
            return lines

    assert any(line.startswith("replica 1 hung and was ended") for line in in_no_time(work()))
