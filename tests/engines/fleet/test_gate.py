"""The gate before the replicas: first in, first out, and never more than a window."""

import asyncio

import pytest

from k2eval.engines.fleet.gate import Gate
from k2eval.engines.fleet.member import Member
from k2eval.engines.scripted import ScriptedEngine
from k2eval.errors import EngineStopped
from tests.engines.fleet.support import ScriptedReplica, text_of


def member(name: str = "replica 0", window: int = 1) -> Member:
    return Member(ScriptedReplica(name, window), ScriptedEngine(text_of).info)


async def test_requests_pass_in_the_order_of_their_arrival() -> None:
    gate, order = Gate(), []

    async def visit(number: int, again: bool = False) -> None:
        entered = await gate.enter(again)
        order.append(number)
        await asyncio.sleep(0)
        gate.leave(entered)

    visits = [asyncio.create_task(visit(number)) for number in range(5)]
    await asyncio.sleep(0)
    visits.append(asyncio.create_task(visit(9, again=True)))
    await asyncio.sleep(0)
    gate.add(member())
    await asyncio.gather(*visits)
    assert order == [9, 0, 1, 2, 3, 4]


async def test_the_replica_with_the_most_room_is_next() -> None:
    gate, small, large = Gate(), member("small", 2), member("large", 6)
    gate.add(small)
    gate.add(large)
    names = [(await gate.enter()).name for _ in range(8)]
    assert names.count("small") == 2 and names.count("large") == 6
    assert small.room == large.room == 0


async def test_a_replica_that_accepts_nothing_gets_nothing() -> None:
    gate, leaving, staying = Gate(), member("leaving", 9), member("staying", 9)
    gate.add(leaving)
    gate.add(staying)
    leaving.leave()
    assert {(await gate.enter()).name for _ in range(9)} == {"staying"}
    assert gate.places == 9


async def test_a_closed_gate_ends_all_waits() -> None:
    gate = Gate()
    waiting = asyncio.create_task(gate.enter())
    await asyncio.sleep(0)
    gate.close(EngineStopped("over"))
    with pytest.raises(EngineStopped, match="over"):
        await waiting
    with pytest.raises(EngineStopped, match="over"):
        await gate.enter()
