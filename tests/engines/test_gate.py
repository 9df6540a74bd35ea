"""Replicas of a fleet and servers of an endpoint keep one contract: most room first, and little is lost with a place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from k2eval.engines.endpoint.servers import Server, ServerGate
from k2eval.engines.fleet.gate import ReplicaGate
from k2eval.engines.fleet.member import Member
from k2eval.engines.gate import Gate
from k2eval.engines.protocol import Engine
from k2eval.engines.scripted import ScriptedEngine
from k2eval.errors import EngineStopped
from tests.engines.endpoint.asked import engine_at
from tests.engines.endpoint.fake_server import FakeServer, Reply, well
from tests.engines.fleet.support import ScriptedReplica, ScriptedSupply, fleet, request, text_of


class Replicas:
    """The gate of a fleet, and places before it."""

    def __init__(self) -> None:
        self.gate = ReplicaGate()

    def place(self, size: int) -> Any:
        return Member(ScriptedReplica(f"{size}", size), ScriptedEngine(text_of).info)

    def add(self, place: Any) -> None:
        self.gate.add(place)


class Servers:
    """The gate of an endpoint, and places before it."""

    def __init__(self) -> None:
        self.gate = ServerGate([])

    def place(self, size: int) -> Any:
        client: Any = None
        return Server(f"{size}", client, size)

    def add(self, place: Any) -> None:
        self.gate.servers.append(place)
        self.gate.let_in()


@pytest.fixture(params=[Replicas, Servers])
def either(request: pytest.FixtureRequest) -> Any:
    return request.param()


async def entered(gate: Gate[Any], count: int) -> list[Any]:
    return [await gate.enter() for _ in range(count)]


async def test_the_place_with_the_most_room_is_next(either: Any) -> None:
    small, large = either.place(2), either.place(6)
    either.add(small)
    either.add(large)
    places = await entered(either.gate, 4)
    assert places.count(small) == 1 and places.count(large) == 3
    await entered(either.gate, 4)
    assert (small.in_flight, large.in_flight) == (2, 6)


async def test_requests_pass_in_the_order_of_their_arrival_and_those_that_come_again_in_front(
    either: Any,
) -> None:
    order = []

    async def visit(number: int, again: bool = False) -> None:
        place = await either.gate.enter(again)
        order.append(number)
        await asyncio.sleep(0)
        either.gate.leave(place)

    visits = [asyncio.create_task(visit(number)) for number in range(5)]
    await asyncio.sleep(0)
    visits.append(asyncio.create_task(visit(9, again=True)))
    await asyncio.sleep(0)
    either.add(either.place(1))
    await asyncio.gather(*visits)
    assert order == [9, 0, 1, 2, 3, 4]


async def test_a_smaller_priority_passes_first_and_one_that_comes_again_before_all(either: Any) -> None:
    order = []

    async def visit(priority: int, again: bool = False) -> None:
        place = await either.gate.enter(again, priority)
        order.append(priority)
        await asyncio.sleep(0)
        either.gate.leave(place)

    visits = [asyncio.create_task(visit(priority)) for priority in (7, 3, 5)]
    visits.append(asyncio.create_task(visit(9, again=True)))
    await asyncio.sleep(0)
    either.add(either.place(1))
    await asyncio.gather(*visits)
    assert order == [9, 3, 5, 7]


async def test_a_place_that_joins_gets_what_waits(either: Any) -> None:
    either.add(either.place(1))
    await entered(either.gate, 1)
    waiting = [asyncio.create_task(either.gate.enter()) for _ in range(3)]
    await asyncio.sleep(0)
    assert either.gate.waiting == 3
    late = either.place(2)
    either.add(late)
    await asyncio.wait(waiting[:2])
    assert late.in_flight == 2 and either.gate.waiting == 1
    waiting[2].cancel()


@pytest.mark.parametrize("when", ["waiting", "let in"])
async def test_a_request_that_is_cancelled_gives_its_room_to_the_next(either: Any, when: str) -> None:
    place = either.place(1)
    either.add(place)
    await either.gate.enter()
    first, second = (asyncio.create_task(either.gate.enter()) for _ in range(2))
    await asyncio.sleep(0)
    if when == "let in":
        either.gate.leave(place)  # which lets the first in; it is cancelled before it can see that
        first.cancel()
    else:
        first.cancel()
        await asyncio.sleep(0)
        either.gate.leave(place)
    assert await second is place
    assert place.in_flight == 1 and either.gate.waiting == 0


async def test_requests_that_are_cancelled_while_all_is_full_do_not_pile_up(either: Any) -> None:
    either.add(either.place(1))
    await either.gate.enter()
    first = asyncio.create_task(either.gate.enter(priority=1))
    await asyncio.sleep(0)
    for number in range(100):
        later = asyncio.create_task(either.gate.enter(priority=2 + number))
        await asyncio.sleep(0)
        later.cancel()
        await asyncio.wait([later])
        assert either.gate.waiting == 1
    assert len(either.gate._waiting) <= 3
    first.cancel()
    await asyncio.wait([first])
    assert either.gate.waiting == 0


async def test_a_closed_gate_ends_all_waits(either: Any) -> None:
    waiting = asyncio.create_task(either.gate.enter())
    await asyncio.sleep(0)
    either.gate.close(EngineStopped("over"))
    for entering in (waiting, either.gate.enter()):
        with pytest.raises(EngineStopped, match="over"):
            await entering


class Asked:
    """An engine over two places, what each was asked (key or seed), and the end of the second place."""

    def __init__(self, engine: Engine, seen: Callable[[], list[set[int]]], end: Callable[[], Any]) -> None:
        self.engine = engine
        self.seen = seen
        self.end = end


@asynccontextmanager
async def two_replicas() -> AsyncIterator[Asked]:
    supply = ScriptedSupply(
        2, lambda number, _: ScriptedReplica(f"replica {number}", window=8, start_s=0, delay_s=0.05)
    )

    async def end() -> None:
        supply.made[1].die()

    async with fleet(supply, restarts=0, look_s=0.01) as engine:
        while engine.replicas < 2:
            await asyncio.sleep(0.01)
        seen = lambda: [{int(key[4:]) for key in replica.asked} for replica in supply.made]  # noqa: E731
        yield Asked(engine, seen, end)


@asynccontextmanager
async def two_servers() -> AsyncIterator[Asked]:
    def behave(body: Any) -> Reply:
        return Reply(events=well(f"seed {body['seed']}").events, wait_s=0.05)

    async with FakeServer(behave) as first:
        second = FakeServer(behave)
        await second.__aenter__()
        async with engine_at(first, second, concurrency=8, attempts=5) as engine:
            seen = lambda: [{body["seed"] for body in server.bodies} for server in (first, second)]  # noqa: E731
            yield Asked(engine, seen, second.__aexit__)


@pytest.mark.parametrize("two", [two_replicas, two_servers])
async def test_a_place_that_goes_costs_only_its_unfinished_requests(two: Any) -> None:
    requests = [request(number).model_copy(update={"seed": number}) for number in range(60)]
    async with two() as asked:
        asking = asyncio.gather(*(asked.engine.generate(each) for each in requests))
        while not all(asked.seen()):
            await asyncio.sleep(0.01)
        await asked.end()
        answers = await asking
        first, second = asked.seen()
    assert [(answer.key, answer.seed) for answer in answers] == [(each.key, each.seed) for each in requests]
    assert all(str(answer.seed) in answer.text for answer in answers)
    assert first | second == set(range(60))
    assert len(first & second) <= 8  # no more than the second place held is asked twice
