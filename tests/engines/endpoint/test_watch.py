"""Servers that hang are noticed, and those that are slow are left in peace."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import Any

import pytest

from k2eval.engines.endpoint.metrics import Activity
from k2eval.engines.endpoint.servers import Server, ServerGate
from k2eval.engines.endpoint.watch import Watch
from k2eval.errors import EngineStopped
from tests.engines.endpoint.asked import engine_at, first_then, notes_of, request
from tests.engines.endpoint.fake_server import FakeServer, Reply, chunk, error, well

HANGS = Reply(body="{}", wait_s=30.0)


def working(server: FakeServer, progress: Any) -> None:
    server.pages["/metrics"] = lambda body: Reply(
        body=f"vllm:num_requests_running 1.0\nvllm:generation_tokens_total {float(next(progress))}\n"
    )


async def test_a_server_that_hangs_and_is_not_well_is_given_up_on() -> None:
    async with FakeServer(first_then(HANGS)) as server, engine_at(server, timeout_s=0.3) as engine:
        server.pages["/health"] = error(503)
        assert (await engine.generate(request())).text == "fine"
        assert "time-out (1×)" in notes_of(engine)


async def test_a_server_whose_metrics_stand_still_is_given_up_on() -> None:
    async with FakeServer(first_then(HANGS)) as server:
        working(server, iter([5] * 1000))
        async with engine_at(server, timeout_s=0.3) as engine:
            assert (await engine.generate(request())).text == "fine"
            assert "time-out (1×)" in notes_of(engine)


async def test_a_server_that_makes_progress_is_left_in_peace() -> None:
    async with FakeServer(lambda body: Reply(events=well("slow").events, wait_s=1.0)) as server:
        working(server, count())
        async with engine_at(server, timeout_s=0.2, attempts=1) as engine:
            assert (await engine.generate(request())).text == "slow"


async def test_a_server_that_is_well_is_left_in_peace_until_the_bound() -> None:
    async with FakeServer(lambda body: Reply(events=well("slow").events, wait_s=1.0)) as server:
        server.pages["/health"] = Reply(body="{}")
        async with engine_at(server, timeout_s=0.2, attempts=1) as engine:
            assert (await engine.generate(request())).text == "slow"


async def test_beyond_the_bound_a_request_is_given_up_however_well_the_server_is() -> None:
    async with FakeServer(first_then(HANGS)) as server:
        server.pages["/health"] = Reply(body="{}")
        async with engine_at(server, timeout_s=0.2) as engine:
            assert (await engine.generate(request(max_tokens=1))).text == "fine"
            assert "time-out (1×)" in notes_of(engine)


async def test_a_watch_that_fails_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(watch: Watch, server: Server) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(Watch, "_look", fail)
    async with FakeServer(first_then(HANGS)) as server, engine_at(server, timeout_s=0.2) as engine:
        with pytest.raises(EngineStopped, match="The watch over servers has failed: RuntimeError"):
            await engine.generate(request())


async def test_the_bound_follows_the_slowest_speed_seen() -> None:
    server = Server("u", None, 8)  # type: ignore[arg-type]
    watch = Watch(ServerGate([server]), 10.0, False, 8)
    assert watch.longest_s(server, 1000) == 10 + 1000 / 5
    server.slowest = 80.0
    assert watch.longest_s(server, 1000) == 10 + 1000 / 20


@pytest.mark.parametrize("piece", ["half an ans", ""])
async def test_a_stream_that_falls_silent_or_holds_nothing_is_given_up_on(piece: str) -> None:
    bad = Reply(events=[chunk(piece)], stall_s=30.0)
    async with (
        FakeServer(first_then(bad)) as server,
        engine_at(server, timeout_s=0.3, stream=True) as engine,
    ):
        assert (await engine.generate(request())).text == "fine"
        assert "time-out (1×)" in notes_of(engine)


async def test_signs_of_life_without_an_answer_are_given_up_on() -> None:
    bad = Reply(events=["[DONE]"], pings=200)
    async with FakeServer(first_then(bad)) as server, engine_at(server, timeout_s=0.3, stream=True) as engine:
        server.pages["/health"] = error(503)
        assert (await engine.generate(request())).text == "fine"
        assert "time-out (1×)" in notes_of(engine)


async def test_signs_of_life_before_an_answer_do_no_harm() -> None:
    good = Reply(events=well("42").events, pings=3)
    async with FakeServer(lambda body: good) as server, engine_at(server, stream=True) as engine:
        assert (await engine.generate(request())).text == "42"


async def test_a_request_that_is_cancelled_stays_cancelled() -> None:
    async with FakeServer(lambda body: HANGS) as server, engine_at(server) as engine:
        task = asyncio.create_task(engine.generate(request()))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_requests_in_flight_follow_what_the_server_holds() -> None:
    server = Server("u", None, 64)  # type: ignore[arg-type]
    server.in_flight = 64
    watch = Watch(ServerGate([server]), 10.0, True, 1024)
    watch._take(server, Activity(running=64, waiting=0, progress=1.0))
    assert server.limit == 128
    server.in_flight = 128
    watch._take(server, Activity(running=100, waiting=28, progress=2.0))
    assert server.limit == 128
    watch._take(server, Activity(running=20, waiting=108, progress=3.0))
    assert server.limit == 128
    small = Server("u", None, 64)  # type: ignore[arg-type]
    small.in_flight = 64
    watch._take(small, Activity(running=16, waiting=48, progress=1.0))
    assert small.limit == 32
