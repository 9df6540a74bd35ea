"""The engine as a whole: what is asked again, what ends a run, and what is noted."""

import asyncio
import json

import pytest

from k2eval.errors import EngineGaveUp, EngineStopped, PromptTooLong
from k2eval.reasoning import NONE, Parts
from tests.engines.endpoint.asked import engine_at, first_then, notes_of, request
from tests.engines.endpoint.fake_server import (
    MODEL,
    FakeServer,
    Reply,
    chunk,
    error,
    usage,
    well,
)


async def test_a_stream_is_an_answer_with_its_counts_and_times() -> None:
    async with FakeServer() as server, engine_at(server, stream=True) as engine:
        generation = await engine.generate(request(5))
    assert generation.text == "5 0"
    assert (generation.prompt_tokens, generation.output_tokens) == (5, 7)
    assert generation.finish_reason == "stop"
    assert generation.ttft_s is not None
    assert generation.duration_s >= generation.ttft_s > 0
    assert generation.model == MODEL


async def test_answers_come_whole_unless_a_stream_is_asked_for() -> None:
    async with FakeServer() as server, engine_at(server) as engine:
        generation = await engine.generate(request(5))
    assert (generation.text, generation.output_tokens, generation.ttft_s) == ("5 0", 7, None)
    assert "stream" not in server.bodies[0]


async def test_what_is_sent() -> None:
    schema = {"type": "object"}
    async with FakeServer() as server, engine_at(server) as engine:
        await engine.generate(request(5, json_schema=schema, top_k=20))
    [body] = server.bodies
    assert body["seed"] == 5
    assert body["temperature"] == 1.0
    assert body["top_p"] == 0.95
    assert (body["top_k"], body["min_p"], body["repetition_penalty"]) == (20, 0.0, 1.0)
    assert body["max_tokens"] == 100
    assert body["response_format"]["json_schema"]["schema"] == schema


TROUBLE = [
    (error(429), "HTTP 429"),
    (error(500), "HTTP 500"),
    (error(503), "HTTP 503"),
    (Reply(body="<html>sorry</html>"), "invalid JSON"),
    (Reply(body="{}"), "no chat completion"),
    (Reply(body="[1, 2]"), "no chat completion"),
    (Reply(body="[" * 100_000), "invalid JSON"),
    (Reply(body=json.dumps({"error": {"message": "out of memory"}})), "an error with the status of success"),
    (Reply(events=[chunk("x"), chunk(finish="content_filter")]), "content filter"),
]
STREAMED_TROUBLE = [
    (Reply(events=[chunk("half an ans")], cut=True), "broken connection"),
    (Reply(events=[chunk("half an ans")]), "the stream broke off"),
    (Reply(events=['{"choices": [{"inde']), "invalid JSON"),
    (Reply(events=[usage(), "[DONE]"]), "the stream held no answer"),
    (Reply(body="<html>sorry</html>"), "the stream held no answer"),
    (
        Reply(events=[json.dumps({"error": {"message": "out of memory"}})]),
        "an error with the status of success",
    ),
    (Reply(events=['{"choices": ["x"]}']), "no chat completion"),
    (Reply(events=["42"]), "no chat completion"),
    (Reply(events=[chunk("x").replace('"x"', "[1]"), chunk(finish="stop")]), "no chat completion"),
    (Reply(events=[chunk("4"), chunk(finish="stop"), chunk("2")]), "text after the end"),
]


@pytest.mark.parametrize(
    ("bad", "named", "stream"),
    [
        *((bad, named, False) for bad, named in TROUBLE),
        *((bad, named, True) for bad, named in STREAMED_TROUBLE),
    ],
)
async def test_trouble_is_tried_again_and_told(bad: Reply, named: str, stream: bool) -> None:
    async with FakeServer(first_then(bad, 2)) as server, engine_at(server, stream=stream) as engine:
        generation = await engine.generate(request())
        assert generation.text == "fine"
        assert any(named in note.text and "(2×)" in note.text for note in engine.info.notes)


@pytest.mark.parametrize("bad", [error(429), error(500), Reply(body="{")])
async def test_trouble_without_end_is_an_error_after_as_many_attempts_as_are_set(bad: Reply) -> None:
    async with FakeServer(lambda body: bad) as server, engine_at(server, attempts=3) as engine:
        with pytest.raises(EngineGaveUp, match=r"q1.*3 attempts: .* \(3×\)"):
            await engine.generate(request())
    assert len(server.bodies) == 3


async def test_a_server_asks_for_a_pause() -> None:
    async with (
        FakeServer(first_then(error(429, **{"Retry-After": "0.3"}))) as server,
        engine_at(server) as engine,
    ):
        started = asyncio.get_running_loop().time()
        await engine.generate(request())
        assert asyncio.get_running_loop().time() - started > 0.28


async def test_another_model_stops_the_run() -> None:
    async with FakeServer(lambda body: well(model="other")) as server, engine_at(server) as engine:
        with pytest.raises(EngineStopped, match=r"(?s)answered as 'other'.*answers_as=other"):
            await engine.generate(request())


async def test_another_name_can_be_accepted() -> None:
    async with (
        FakeServer(lambda body: well(model="other")) as server,
        engine_at(server, answers_as="other") as engine,
    ):
        assert (await engine.generate(request())).model == "other"


async def test_a_refused_key_stops_the_run_and_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    async with (
        FakeServer(lambda body: error(401, "bad key sk-secret")) as server,
        engine_at(server) as engine,
    ):
        with pytest.raises(EngineStopped) as caught:
            await engine.generate(request())
        assert "sk-secret" not in str(caught.value)
        assert "sk-secret" not in engine.info.model_dump_json()
    assert any("Bearer sk-secret" in head for head in server.headers)


@pytest.mark.parametrize("status", [401, 404, 307])
async def test_a_slip_of_a_proxy_between_good_answers_is_asked_again(status: int) -> None:
    replies = [well(), error(status, "nobody is in"), well()]
    async with (
        FakeServer(lambda body: replies.pop(0)) as server,
        engine_at(server, backoff_s=0.01) as engine,
    ):
        assert (await engine.generate(request())).text == (await engine.generate(request())).text
    assert len(server.bodies) == 3 and f"HTTP {status}" in notes_of(engine)


async def test_a_key_that_is_taken_back_stops_the_run_after_all_attempts() -> None:
    replies = [well()]
    async with (
        FakeServer(lambda body: replies.pop() if replies else error(401, "bad key")) as server,
        engine_at(server, backoff_s=0.01, attempts=3) as engine,
    ):
        await engine.generate(request())
        with pytest.raises(EngineStopped, match="HTTP 401: bad key"):
            await engine.generate(request())
    assert len(server.bodies) == 4


async def test_a_bad_request_is_final() -> None:
    async with FakeServer(lambda body: error(400, "unknown field")) as server, engine_at(server) as engine:
        with pytest.raises(EngineGaveUp, match="unknown field"):
            await engine.generate(request())
    assert len(server.bodies) == 1


async def test_a_prompt_beyond_the_context_is_named_as_such() -> None:
    words = "This model's maximum context length is 10 tokens."
    async with FakeServer(lambda body: error(400, words)) as server, engine_at(server) as engine:
        with pytest.raises(PromptTooLong, match="maximum context length"):
            await engine.generate(request())


async def test_tags_in_the_content_stay_as_they_are() -> None:
    async with FakeServer(lambda body: well("<think>a</think>b")) as server, engine_at(server) as engine:
        generation = await engine.generate(request())
    assert (generation.text, generation.prefill) == ("<think>a</think>b", "")


async def test_a_template_that_opens_the_reasoning_can_be_named() -> None:
    async with (
        FakeServer(lambda body: well("a</think>b")) as server,
        engine_at(server, opens_think=True) as engine,
    ):
        assert (await engine.generate(request())).prefill == "<think>"


async def test_missing_counts_are_said() -> None:
    reply = Reply(events=[chunk("a"), chunk("b"), chunk(finish="stop")])
    async with FakeServer(lambda body: reply) as server, engine_at(server) as engine:
        assert (await engine.generate(request())).output_tokens == 1
        assert "does not count tokens: a token for four bytes is assumed" in notes_of(engine)


async def test_a_server_that_ignores_max_tokens_is_noticed() -> None:
    events = [chunk("a" * 101), chunk(finish="stop"), usage(completion=101)]
    async with FakeServer(lambda body: Reply(events=events)) as server, engine_at(server) as engine:
        assert (await engine.generate(request())).output_tokens == 101
        assert "ignores max_tokens" in notes_of(engine)


async def test_answers_cut_far_below_max_tokens_are_noted_with_the_numbers() -> None:
    events = [chunk("a" * 4096), chunk(finish="length"), usage(completion=4096)]
    async with FakeServer(lambda body: Reply(events=events)) as server, engine_at(server) as engine:
        assert (await engine.generate(request(max_tokens=64_000))).finish_reason == "length"
        assert "1 answers cut at 4,096 of 64,000 tokens: the server's own limit" in notes_of(engine)


async def test_an_answer_cut_at_max_tokens_is_nothing_to_note() -> None:
    events = [chunk("a" * 100), chunk(finish="length"), usage(completion=100)]
    async with FakeServer(lambda body: Reply(events=events)) as server, engine_at(server) as engine:
        await engine.generate(request())
        assert "own limit" not in notes_of(engine)


async def test_an_answer_of_a_server_that_does_not_heed_stop_strings_ends_at_the_first_one() -> None:
    answer = well("<answer>42</answer> or <answer>7</answer>")
    async with FakeServer(lambda body: answer) as server, engine_at(server, reasoning=NONE) as engine:
        assert (await engine.generate(request())).text == "<answer>42</answer>"
        assert "does not heed stop strings" in notes_of(engine)
    assert server.bodies[0]["stop"] == ["</answer>"]


async def test_no_stop_string_ends_an_answer_inside_reasoning_that_the_chat_template_opened() -> None:
    text = "They want <answer>7</answer>, or so.</think><answer>42</answer>"
    async with FakeServer(lambda body: well(f"{text} Bye")) as server, engine_at(server) as engine:
        assert (await engine.generate(request())).text == text


async def test_no_stop_string_ends_an_answer_inside_its_reasoning() -> None:
    text = "<think>I must write </answer> at the end.</think><answer>42</answer> Bye"
    async with FakeServer(lambda body: well(text)) as server, engine_at(server) as engine:
        generation = await engine.generate(request())
    assert "stop" not in server.bodies[0]
    assert generation.text == "<think>I must write </answer> at the end.</think><answer>42</answer>"
    assert generation.finish_reason == "stop"


THOUGHT = "They want <think>7</think><answer>7</answer>, or so."


@pytest.mark.parametrize("thinks", [None, True])
async def test_the_boundary_of_a_server_that_splits_reasoning_off_is_kept(thinks: bool | None) -> None:
    reply = Reply(
        events=[
            chunk(reasoning_content=THOUGHT),
            chunk("It is 8.</answer> Bye"),
            chunk(finish="stop"),
            usage(),
        ]
    )
    async with FakeServer(lambda body: reply) as server, engine_at(server, opens_think=thinks) as engine:
        generation = await engine.generate(request())
    assert Parts.of(generation) == Parts(THOUGHT, "It is 8.</answer>", complete=True)
    assert generation.prefill == ""


async def test_reasoning_that_a_server_cut_holds_no_answer_whatever_it_says() -> None:
    reply = Reply(events=[chunk(reasoning_content=THOUGHT), chunk(finish="length"), usage()])
    async with FakeServer(lambda body: reply) as server, engine_at(server) as engine:
        generation = await engine.generate(request())
    assert Parts.of(generation) == Parts(THOUGHT, "", complete=False)


async def test_requests_go_to_the_least_loaded_server() -> None:
    stuck = FakeServer(lambda body: Reply(events=well().events, wait_s=60))
    async with stuck, FakeServer() as quick, engine_at(stuck, quick, concurrency=8) as engine:
        first = [asyncio.create_task(engine.generate(request(seed))) for seed in range(2)]
        await first[1]  # answered by the other one, which so has none in flight
        for seed in range(5):
            await engine.generate(request(seed))
        for waiting in first:
            waiting.cancel()
    assert (len(stuck.bodies), len(quick.bodies)) == (1, 6)


async def test_another_server_takes_over() -> None:
    async with (
        FakeServer(lambda body: error(500)) as broken,
        FakeServer() as well_one,
        engine_at(broken, well_one) as engine,
    ):
        for seed in range(6):
            await engine.generate(request(seed))
    assert len(broken.bodies) == 1


async def test_a_server_that_is_away_is_left_out_and_named() -> None:
    async with FakeServer() as away:
        pass
    async with FakeServer() as there, engine_at(away, there) as engine:
        await engine.generate(request())
        assert any(note.text.startswith("left out:") and away.url in note.text for note in engine.info.notes)


async def test_each_server_of_unknown_size_gets_64_requests() -> None:
    async with FakeServer() as first_server, FakeServer() as other, engine_at(first_server, other) as engine:
        assert engine.capacity == 128


async def test_no_more_requests_than_allowed_are_in_flight() -> None:
    server = FakeServer(lambda body: Reply(events=well().events, wait_s=0.02))
    async with server, engine_at(server, concurrency=3) as engine:
        await asyncio.gather(*(engine.generate(request(seed)) for seed in range(12)))
    assert server.most_at_once == 3


async def test_without_any_server_the_run_stops() -> None:
    server = FakeServer()
    async with server, engine_at(server, attempts=2) as engine:
        await engine.generate(request())
        await server.__aexit__()
        with pytest.raises(EngineStopped, match="No server can be reached"):
            await engine.generate(request())
