"""What is made of streams that are odd: no answer that is not one, and none that cannot be sent on."""

import json

import pytest

from k2eval.errors import EngineStopped
from tests.engines.endpoint.fake_server import FakeServer, Reply, chunk, usage, well
from tests.engines.endpoint.test_engine import engine_at, first_then, request


async def test_signs_of_life_without_an_answer_are_given_up_on() -> None:
    bad = Reply(events=["[DONE]"], pings=100)
    async with FakeServer(first_then(bad)) as server, engine_at(server, timeout_s=0.5) as engine:
        assert (await engine.generate(request())).text == "fine"
        assert any("time-out" in note.text for note in engine.info.notes)


async def test_a_stream_without_end_is_broken_off() -> None:
    bad = Reply(events=[chunk("on ")] * 3000)
    async with FakeServer(first_then(bad)) as server, engine_at(server) as engine:
        assert (await engine.generate(request())).text == "fine"
        assert any("far beyond max_tokens" in note.text for note in engine.info.notes)


async def test_a_server_that_ignores_max_tokens_is_noticed() -> None:
    events = [chunk("a"), chunk(finish="stop"), usage(completion=101)]
    async with FakeServer(lambda body: Reply(events=events)) as server, engine_at(server) as engine:
        assert (await engine.generate(request())).output_tokens == 101
        assert any("ignores max_tokens" in note.text for note in engine.info.notes)


async def test_a_model_that_changes_within_an_answer_stops_the_run() -> None:
    events = [chunk("4"), chunk("2", model="other"), chunk(finish="stop"), usage()]
    async with FakeServer(lambda body: Reply(events=events)) as server, engine_at(server) as engine:
        with pytest.raises(EngineStopped, match="answered as 'other'"):
            await engine.generate(request())


async def test_characters_that_come_in_halves_are_joined() -> None:
    halves = json.dumps("😀")[1:-1]
    events = [chunk("H").replace("H", half) for half in (halves[:6], halves[6:], halves[:6])]
    events += [chunk(finish="stop"), usage()]
    async with FakeServer(lambda body: Reply(events=events)) as server, engine_at(server) as engine:
        assert (await engine.generate(request())).text == "😀\ufffd"


async def test_signs_of_life_before_an_answer_do_no_harm() -> None:
    good = Reply(events=well("42").events, pings=3)
    async with FakeServer(lambda body: good) as server, engine_at(server) as engine:
        assert (await engine.generate(request())).text == "42"
