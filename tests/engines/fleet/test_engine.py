"""A fleet goes on while replicas die, hang, answer nonsense, join and leave."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from k2eval.engines.fleet import FleetEngine
from k2eval.engines.fleet.events import EventKind
from k2eval.engines.fleet.member import Ending
from k2eval.errors import ConfigError, EngineError, EngineGaveUp, EngineStopped
from k2eval.records import Generation, NoteKind, Request
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


def run(
    supply: ScriptedSupply, count: int = 40, **settings: Any
) -> tuple[list[Generation], FleetEngine, list[str]]:
    """Ask ``count`` questions of a fleet."""
    lines: list[str] = []

    async def work() -> tuple[list[Generation], FleetEngine]:
        engine = fleet(supply, **settings)
        engine.listen(lines.append)
        async with engine:
            generations = await ask_all(engine, count)
        return generations, engine

    generations, engine = in_no_time(work())
    return generations, engine, lines


def later(after_s: float, act: Any, *arguments: Any) -> None:
    asyncio.get_running_loop().call_later(after_s, act, *arguments)


def dying(after_s: float, **fields: Any) -> ScriptedReplica:
    replica = ScriptedReplica("replica 1", **fields)
    later(after_s, replica.die)
    return replica


def test_replicas_share_requests_evenly_and_none_holds_more_than_its_window() -> None:
    supply = ScriptedSupply(3)

    async def work() -> list[Generation]:
        async with fleet(supply) as engine:
            await asyncio.sleep(5)
            return await ask_all(engine, 48)

    assert right(in_no_time(work()))
    assert [len(replica.asked) for replica in supply.made] == [16, 16, 16]
    assert {replica.most_at_once for replica in supply.made} == {4}
    assert all(replica.closed for replica in supply.made) and not supply.is_open


def test_a_fleet_answers_as_soon_as_its_first_replica_is_up_and_the_next_ones_join() -> None:
    supply = ScriptedSupply(
        2, lambda number, _: ScriptedReplica(f"replica {number}", start_s=1 + 10 * number)
    )
    generations, engine, lines = run(supply, 100)
    assert right(generations)
    assert lines == ["replica 0 joined.", "replica 1 joined."]
    assert len(supply.made[1].asked) > 20
    assert engine.info.settings["replicas"] == 2


def test_capacity_follows_the_replicas() -> None:
    supply = ScriptedSupply(
        2, lambda number, _: ScriptedReplica(f"replica {number}", start_s=1 + 10 * number)
    )

    async def work() -> list[int]:
        async with fleet(supply) as engine:
            at_first = engine.capacity
            await asyncio.sleep(15)
            with_both = engine.capacity
            engine.drain("replica 0")
            return [at_first, with_both, engine.capacity]

    assert in_no_time(work()) == [5, 9, 5]


def test_the_requests_of_a_replica_that_dies_go_elsewhere_and_it_starts_again() -> None:
    supply = ScriptedSupply(
        2,
        lambda number, before: dying(4.5) if number and not before else ScriptedReplica(f"replica {number}"),
    )
    generations, engine, lines = run(supply, 100)
    assert right(generations)
    assert "replica 1 died: its process ended; 4 requests go to others." in lines
    assert [replica.name for replica in supply.made] == ["replica 0", "replica 1", "replica 1"]
    assert len(supply.made[2].asked) > 10
    assert [note.text for note in engine.info.notes] == [
        "replica 1 died",
        "4 unfinished requests were asked again with the same seeds elsewhere",
    ]
    assert {note.kind for note in engine.info.notes} == {NoteKind.REPLICAS}


@pytest.mark.parametrize("shows_progress", [True, False])
def test_a_replica_that_hangs_is_ended(shows_progress: bool) -> None:
    def make(number: int, before: int) -> ScriptedReplica:
        hangs = number == 1 and not before
        return ScriptedReplica(
            f"replica {number}", hangs=hangs, shows_progress=shows_progress, honours_seeds=False
        )

    supply = ScriptedSupply(2, make)
    generations, _, lines = run(supply, 40, hang_s=60)
    assert right(generations)
    [line] = [line for line in lines if "hung" in line]
    assert line.startswith("replica 1 hung and was ended: 4 requests without progress for 6")
    assert supply.made[1].closed


def test_a_replica_that_hangs_and_does_not_even_tell_its_health_is_ended() -> None:
    def make(number: int, before: int) -> ScriptedReplica:
        silent = number == 1 and not before
        return ScriptedReplica(f"replica {number}", hangs=silent, deaf=silent, honours_seeds=False)

    generations, _, lines = run(ScriptedSupply(2, make), 40, hang_s=60)
    assert right(generations)
    assert any("replica 1 hung" in line for line in lines)


def test_a_replica_that_is_slow_by_a_factor_of_ten_keeps_its_requests() -> None:
    supply = ScriptedSupply(
        2, lambda number, _: ScriptedReplica(f"replica {number}", delay_s=(30, 300)[number])
    )
    generations, _, lines = run(supply, 100, hang_s=60)
    assert right(generations)
    assert lines == ["replica 0 joined.", "replica 1 joined."]
    assert 4 <= len(supply.made[1].asked) <= 14


@pytest.mark.parametrize(
    "nonsense",
    [
        lambda request: "text",
        lambda request: None,
        lambda request: in_place_of(request, key="other"),
        lambda request: in_place_of(request, seed=request.seed + 1),
        lambda request: in_place_of(request, output_tokens=10**9),
    ],
    ids=["text", "nothing", "another request's", "another seed's", "too long"],
)
def test_nonsense_is_no_answer_and_ends_the_replica(nonsense: Any) -> None:
    def make(number: int, before: int) -> ScriptedReplica:
        return ScriptedReplica(f"replica {number}", answer=nonsense if number == 1 and not before else None)

    generations, engine, lines = run(ScriptedSupply(2, make), 60)
    assert right(generations)
    assert any("replica 1 answered nonsense and was ended: expected " in line for line in lines)
    assert "replica 1 answered nonsense and was ended" in [note.text for note in engine.info.notes]


def in_place_of(request: Request, **changes: Any) -> Generation:
    fields = {
        "text": text_of(request),
        "finish_reason": "stop",
        "prompt_tokens": 1,
        "output_tokens": 1,
        "duration_s": 0.0,
    }
    return Generation.answering(request, **fields).model_copy(update=changes)


def test_a_replica_that_leaves_finishes_its_requests_first() -> None:
    supply = ScriptedSupply(2, lambda number, _: ScriptedReplica(f"replica {number}", delay_s=10))

    async def work() -> list[Generation]:
        async with fleet(supply) as engine:
            await asyncio.sleep(3)
            asking = asyncio.create_task(ask_all(engine, 40))
            await asyncio.sleep(5)
            supply.made[1].leaving = "SIGTERM"
            generations = await asking
            assert [note.text for note in engine.info.notes] == ["replica 1 left in order"]
            return generations

    assert right(in_no_time(work()))
    assert len(supply.made[1].asked) == 4 and supply.made[1].closed
    assert len(supply.made) == 2  # none in its place


def test_what_a_leaving_replica_cannot_finish_in_time_goes_elsewhere() -> None:
    supply = ScriptedSupply(
        2, lambda number, _: ScriptedReplica(f"replica {number}", delay_s=(10, 10**6)[number])
    )

    async def work() -> list[Generation]:
        async with fleet(supply, drain_s=30) as engine:
            await asyncio.sleep(3)
            asking = asyncio.create_task(ask_all(engine, 40))
            await asyncio.sleep(5)
            engine.drain("replica 1")
            return await asking

    assert right(in_no_time(work()))
    assert supply.made[1].closed
    others, moved = supply.made[0].asked, supply.made[1].asked
    assert set(moved) < set(others) and set(moved).isdisjoint(others[-4:])  # they waited in front


def test_another_number_of_replicas_is_followed_while_requests_wait() -> None:
    supply = ScriptedSupply(1)

    async def work() -> list[Generation]:
        async with fleet(supply) as engine:
            later(5, setattr, supply, "number", 3)
            return await ask_all(engine, 100)

    assert right(in_no_time(work()))
    assert len(supply.made) == 3 and min(len(replica.asked) for replica in supply.made) > 10


def test_a_replica_without_a_place_is_withdrawn_when_fewer_are_wanted() -> None:
    supply = ScriptedSupply(
        2, lambda number, _: ScriptedReplica(f"replica {number}", place_after_s=10**6 * number)
    )

    async def work() -> None:
        async with fleet(supply):
            await asyncio.sleep(5)
            assert not supply.made[1].closed
            supply.number = 1
            await asyncio.sleep(5)
            assert supply.made[1].closed

    in_no_time(work())


def test_a_replica_that_keeps_dying_is_given_up_and_the_others_go_on() -> None:
    supply = ScriptedSupply(2, lambda number, _: dying(3) if number else ScriptedReplica("replica 0"))
    generations, engine, lines = run(supply, 200, restarts=2)
    assert right(generations)
    assert [replica.name for replica in supply.made].count("replica 1") == 3
    assert "replica 1 was given up after its last start: 2 new starts did not help." in lines
    assert "replica 1 (3×) died" in [note.text for note in engine.info.notes]


def test_a_place_that_comes_after_a_bad_one_has_gone_gets_a_replica() -> None:
    supply = ScriptedSupply(
        2, lambda number, before: dying(3) if number and before < 2 else ScriptedReplica(f"replica {number}")
    )

    async def work() -> None:
        async with fleet(supply, restarts=1) as engine:
            for supply.number, up in ((2, 1), (1, 1), (2, 2)):
                await asyncio.sleep(60)
                assert engine.replicas == up

    in_no_time(work())


def test_a_long_service_forgives_restarts() -> None:
    supply = ScriptedSupply(2, lambda number, _: dying(200) if number else ScriptedReplica("replica 0"))
    run(supply, 8000, restarts=1, steady_s=100)
    assert [replica.name for replica in supply.made].count("replica 1") > 3


def test_the_run_stops_only_when_no_replica_is_left() -> None:
    supply = ScriptedSupply(2, lambda number, _: dying(5))
    with pytest.raises(
        EngineStopped, match=r"No replica is left\. replica 1 \(4×\) died.*same command again"
    ):
        run(supply, 10**3, restarts=1)


def test_a_request_that_ends_replica_after_replica_is_given_up_alone() -> None:
    class Fragile(ScriptedReplica):
        async def generate(self, request: Request) -> Generation:
            if request.question_id == "0":
                later(0.5, self.die)
            return await super().generate(request)

    supply = ScriptedSupply(3, lambda number, _: Fragile(f"replica {number}", window=1))

    async def work() -> list[Any]:
        async with fleet(supply, losses=3, restarts=9) as engine:
            asked = [engine.generate(request(number)) for number in range(50)]
            return await asyncio.gather(*asked, return_exceptions=True)

    first, *others = in_no_time(work())
    assert isinstance(first, EngineGaveUp) and "was asked of 3 replicas" in str(first)
    assert [generation.text for generation in others] == [text_of(request(number)) for number in range(1, 50)]


def test_a_wrong_setting_ends_the_start_at_once() -> None:
    supply = ScriptedSupply(
        2, lambda number, _: ScriptedReplica(f"replica {number}", fails=ConfigError("no argument 'x'"))
    )
    with pytest.raises(ConfigError, match="no argument 'x'"):
        run(supply)
    assert len(supply.made) == 2 and all(replica.closed for replica in supply.made)


def test_an_engine_that_cannot_start_anywhere_tells_its_own_error() -> None:
    supply = ScriptedSupply(
        2, lambda number, _: ScriptedReplica(f"replica {number}", fails=EngineError("out of memory"))
    )
    with pytest.raises(EngineError, match="out of memory"):
        run(supply, restarts=1)
    assert len(supply.made) == 4


def test_a_replica_with_another_checkpoint_is_refused() -> None:
    supply = ScriptedSupply(
        2, lambda number, _: ScriptedReplica(f"replica {number}", fingerprint="x", start_s=5)
        if number else ScriptedReplica("replica 0")
    )  # fmt: skip
    generations, _, lines = run(supply, 60)
    assert right(generations)
    assert not supply.made[1].asked and len(supply.made) == 2
    assert any(
        "has another checkpoint or engine and was refused: expected the checkpoint" in line for line in lines
    )


def test_a_fleet_without_a_place_waits_for_a_while_and_says_so() -> None:
    supply = ScriptedSupply(1, lambda number, _: ScriptedReplica("replica 0", place_after_s=10**6))
    with pytest.raises(EngineStopped, match=r"No replica found a place in 600 s\..*Start more nodes"):
        run(supply)


def test_a_start_that_takes_too_long_is_ended_but_waiting_for_a_place_does_not_count() -> None:
    supply = ScriptedSupply(
        1,
        lambda number, before: ScriptedReplica(
            "replica 0", place_after_s=300, start_s=1 if before else 10**6
        ),
    )
    generations, _, lines = run(supply, start_s=100)
    assert right(generations)
    assert lines[0] == "replica 0 could not start: replica 0 has not started in 100 s."


def test_a_cancelled_request_gives_its_place_back() -> None:
    supply = ScriptedSupply(1, lambda number, _: ScriptedReplica("replica 0", window=1))

    async def work() -> Generation:
        async with fleet(supply) as engine:
            asked = [asyncio.create_task(engine.generate(request(number))) for number in range(3)]
            await asyncio.sleep(0.1)
            asked[0].cancel()
            asked[1].cancel()
            return await asked[2]

    assert in_no_time(work()).text == text_of(request(2))


def test_draining_an_unknown_replica_names_those_that_are_up() -> None:
    async def work() -> None:
        async with fleet(ScriptedSupply(1)) as engine:
            engine.drain("replica 7")

    with pytest.raises(ConfigError, match="Up: replica 0"):
        in_no_time(work())


def test_a_fleet_ends_although_a_replica_is_lost_in_the_same_moment() -> None:
    async def work() -> None:
        async with asyncio.timeout(100):
            with pytest.raises(RuntimeError):
                async with fleet(ScriptedSupply(2)) as engine:
                    await asyncio.sleep(5)
                    engine._gate.members[0].lose(Ending(EventKind.DIED, "its process ended"))
                    raise RuntimeError("the run ends")

    in_no_time(work())


def test_a_fleet_that_is_cancelled_while_it_ends_ends_in_order() -> None:
    supply = ScriptedSupply(2)

    async def work() -> None:
        engine = fleet(supply)
        await engine.__aenter__()
        await asyncio.sleep(5)
        ending = asyncio.create_task(engine.__aexit__(None, None, None))
        await asyncio.sleep(0)
        ending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await ending

    in_no_time(work())
    assert all(replica.closed for replica in supply.made) and not supply.is_open
