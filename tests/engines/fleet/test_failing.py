"""Replicas that have no answer to anything, and those that were given up."""

from __future__ import annotations

import asyncio
from typing import Any

from k2eval.engines.fleet import FleetEngine
from k2eval.errors import EngineError, PromptTooLong
from k2eval.records import Generation, Request
from tests.engines.fleet.support import ScriptedReplica, ScriptedSupply, fleet, in_no_time, request, text_of
from tests.engines.fleet.test_engine import dying


def failing(request: Request) -> Generation:
    raise EngineError("its card is broken")


async def persistently(engine: FleetEngine, number: int) -> int:
    """Ask until there is an answer, as a run does; return the number of failures."""
    for failures in range(1000):
        try:
            assert (await engine.generate(request(number))).text == text_of(request(number))
            return failures
        except EngineError as error:
            assert str(error) == "its card is broken"
        await asyncio.sleep(0.2)
    raise AssertionError


def test_a_replica_that_fails_at_once_does_not_get_every_request() -> None:
    supply = ScriptedSupply(
        2,
        lambda number, before: ScriptedReplica(
            f"replica {number}",
            delay_s=0.0 if number and not before else 20.0,
            answer=failing if number and not before else None,
            shows_progress=True,
        ),
    )
    lines: list[str] = []

    async def work() -> list[int]:
        engine = fleet(supply)
        engine.listen(lines.append)
        async with engine:
            await asyncio.sleep(5)
            return await asyncio.gather(*(persistently(engine, number) for number in range(400)))

    failures = in_no_time(work())
    assert max(failures) <= 2 and len(supply.made[1].asked) == sum(failures) <= 4 + 6
    line = "replica 1 had no answer to anything and was ended: its card is broken."
    assert line in lines and len(supply.made[2].asked) > 20


def test_replicas_that_all_fail_are_asked_all_the_same_and_stay() -> None:
    supply = ScriptedSupply(2, lambda number, _: ScriptedReplica(f"replica {number}", answer=failing))

    async def work() -> tuple[list[Any], int]:
        async with fleet(supply) as engine:
            await asyncio.sleep(5)
            asked = (engine.generate(request(number)) for number in range(2000))
            return await asyncio.gather(*asked, return_exceptions=True), engine.replicas

    errors, replicas = in_no_time(work())
    assert {str(error) for error in errors} == {"its card is broken"} and replicas == 2


def test_a_prompt_that_is_too_long_is_no_fault_of_its_replica() -> None:
    def answer(request: Request) -> Generation:
        raise PromptTooLong("too long")

    supply = ScriptedSupply(2, lambda number, _: ScriptedReplica(f"replica {number}", answer=answer))

    async def work() -> list[int]:
        async with fleet(supply) as engine:
            await asyncio.sleep(5)
            await asyncio.gather(
                *(engine.generate(request(number)) for number in range(8)), return_exceptions=True
            )
            return [member.failures for member in engine._gate.members]

    assert in_no_time(work()) == [0, 0]


def test_a_replica_that_was_given_up_is_tried_again_when_a_node_comes() -> None:
    supply = ScriptedSupply(
        2, lambda number, before: dying(3) if number and before < 2 else ScriptedReplica(f"replica {number}")
    )

    async def work() -> list[int]:
        ups = []
        async with fleet(supply, restarts=1) as engine:
            for supply.grows in (False, True):
                await asyncio.sleep(60)
                ups.append(engine.replicas)
        return ups

    assert in_no_time(work()) == [1, 2]


def test_pauses_before_new_starts_do_not_grow_for_days() -> None:
    supply = ScriptedSupply(
        1,
        lambda _, before: ScriptedReplica(
            "replica 0", fails=EngineError("no memory") if before < 30 else None
        ),
    )

    async def work() -> float:
        async with fleet(supply, restarts=40):
            return asyncio.get_running_loop().time()

    assert 20 * 300 < in_no_time(work()) < 30 * 310
