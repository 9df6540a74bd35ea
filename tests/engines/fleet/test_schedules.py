"""Whatever happens to replicas: no request is lost, none is answered twice, and the texts are those of one engine."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

from hypothesis import given, settings, strategies as st

from tests.engines.fleet.support import (
    ScriptedReplica,
    ScriptedSupply,
    ask_all,
    fleet,
    in_no_time,
    request,
    text_of,
)

REQUESTS = 60


class Deed(NamedTuple):
    at_s: float
    what: str
    whom: int


DEEDS = st.lists(
    st.builds(
        Deed,
        st.floats(0, 60),
        st.sampled_from(["die", "hang", "deaf", "nonsense", "leave", "drain", "more", "fewer", "slow"]),
        st.integers(0, 7),
    ),
    max_size=12,
)


@settings(max_examples=60)
@given(deeds=DEEDS, replicas=st.integers(1, 6), window=st.integers(1, 5))
def test_no_request_is_lost_and_none_is_answered_twice(deeds: list[Deed], replicas: int, window: int) -> None:
    supply = ScriptedSupply(replicas, lambda number, _: ScriptedReplica(f"replica {number}", window=window))

    least = replicas

    async def act(engine: Any, deed: Deed) -> None:
        nonlocal least
        await asyncio.sleep(deed.at_s)
        replica = supply.made[deed.whom % len(supply.made)]
        match deed.what:
            case "die":
                replica.die()
            case "hang":
                replica.hangs = True
            case "deaf":
                replica.hangs = replica.deaf = True
            case "nonsense":
                replica.answer = lambda _: "nonsense"
            case "slow":
                replica.delay_s *= 10
            case "more":
                supply.number += 1
            case "fewer":
                supply.number = max(least, supply.number - 1)
            case "leave":
                supply.number, least = supply.number + 1, least + 1  # so that one stays
                replica.leaving = "SIGTERM"
            case "drain" if any(member.name == replica.name for member in engine._gate.members):
                supply.number, least = supply.number + 1, least + 1
                engine.drain(replica.name)

    async def work() -> list[Any]:
        async with fleet(supply, restarts=100, losses=100, hang_s=50, backoff_s=0.1) as engine:
            acting = [asyncio.create_task(act(engine, deed)) for deed in deeds]
            answers = await asyncio.gather(*(engine.generate(request(number)) for number in range(REQUESTS)))
            await asyncio.gather(*acting)
            again = await ask_all(engine, 5, first=REQUESTS)
            await asyncio.sleep(0.1)  # the losers of hedges leave
            assert all(member.in_flight == 0 for member in engine._gate.members)
            assert engine._gate.waiting == 0
            return [*answers, *again]

    answers = in_no_time(work())
    assert [(answer.key, answer.text) for answer in answers] == [
        (request(number).key, text_of(request(number))) for number in range(REQUESTS + 5)
    ]
    assert all(replica.most_at_once <= window for replica in supply.made)
    assert all(replica.closed for replica in supply.made if replica.started)
