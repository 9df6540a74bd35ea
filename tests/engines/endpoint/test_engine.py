import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from k2eval.engines.endpoint.engine import EndpointEngine
from k2eval.errors import ConfigError, EngineError, EngineStopped, PromptTooLong
from k2eval.records import Message, Request, Sampling
from tests.engines.endpoint.fake_server import (
    MODEL,
    Body,
    FakeServer,
    Reply,
    chunk,
    error,
    seeded,
    usage,
    well,
)


def request(seed: int = 1, **sampling: Any) -> Request:
    return Request(
        key=f"key-{seed}",
        task="sums",
        question_id="q1",
        repeat_index=0,
        stage="solve",
        messages=(Message(role="user", content="6 times 7?"),),
        sampling=Sampling(max_tokens=100, **sampling),
        seed=seed,
    )


@asynccontextmanager
async def engine_at(*servers: FakeServer, **arguments: Any) -> AsyncIterator[EndpointEngine]:
    settings = {"backoff_s": 0.001, "timeout_s": 5.0, "probe": False} | arguments
    urls = [server.url for server in servers]
    async with EndpointEngine(MODEL, {"base_url": urls, **settings}) as engine:
        yield engine


def first_then(bad: Reply, times: int = 1, good: Callable[[Body], Reply] = lambda body: well()) -> Any:
    left = [bad] * times

    def behave(body: Body) -> Reply:
        return left.pop() if left else good(body)

    return behave


async def test_an_answer_with_its_counts_and_times() -> None:
    async with FakeServer() as server, engine_at(server) as engine:
        generation = await engine.generate(request(5))
    assert generation.text == "5 0"
    assert (generation.prompt_tokens, generation.output_tokens) == (5, 7)
    assert generation.finish_reason == "stop"
    assert generation.ttft_s is not None
    assert generation.duration_s >= generation.ttft_s > 0
    assert generation.model == MODEL


async def test_what_is_sent() -> None:
    schema = {"type": "object"}
    async with FakeServer() as server, engine_at(server) as engine:
        await engine.generate(request(5, json_schema=schema, top_k=20))
    [body] = server.bodies
    assert body["seed"] == 5
    assert body["stop"] == ["</answer>"]
    assert body["temperature"] == 1.0
    assert body["top_p"] == 0.95
    assert body["top_k"] == 20
    assert body["max_tokens"] == 100
    assert body["response_format"]["json_schema"]["schema"] == schema
    assert "include_stop_str_in_output" not in body


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        (error(429), "HTTP 429"),
        (error(500), "HTTP 500"),
        (error(503), "HTTP 503"),
        (Reply(events=[chunk("half an ans")], cut=True), "broken stream"),
        (Reply(events=[chunk("half an ans")]), "the stream broke off"),
        (Reply(events=['{"choices": [{"inde']), "invalid JSON"),
        (Reply(events=[usage(), "[DONE]"]), "the stream held no answer"),
        (Reply(body="<html>sorry</html>"), "the stream held no answer"),
        (Reply(events=[json.dumps({"error": {"message": "out of memory"}})]), "an error in the stream"),
        (Reply(events=[chunk("x"), chunk(finish="content_filter")]), "finish_reason 'content_filter'"),
        (Reply(events=['{"choices": ["x"]}']), "the stream"),
        (Reply(events=["[1, 2]"]), "the stream"),
        (Reply(events=["42"]), "the stream"),
        (Reply(events=[chunk("x").replace('"x"', "[1]"), chunk(finish="stop")]), "no chat completion"),
    ],
)
async def test_trouble_is_tried_again_and_told(bad: Reply, named: str) -> None:
    async with FakeServer(first_then(bad, 2)) as server, engine_at(server) as engine:
        generation = await engine.generate(request())
        assert generation.text == "fine"
        assert any(named in note.text and "(2×)" in note.text for note in engine.info.notes)


@pytest.mark.parametrize("bad", [error(429), error(500), Reply(events=[chunk("half")]), Reply(events=["{"])])
async def test_trouble_without_end_is_an_error_and_no_answer(bad: Reply) -> None:
    async with FakeServer(lambda body: bad) as server, engine_at(server, attempts=3) as engine:
        with pytest.raises(EngineError, match=r"q1.*3 attempts: .* \(3×\)"):
            await engine.generate(request())
    assert len(server.bodies) == 3


async def test_a_server_that_hangs_is_given_up_on() -> None:
    async with (
        FakeServer(first_then(Reply(body="{}", wait_s=30.0))) as server,
        engine_at(server, timeout_s=0.2) as engine,
    ):
        assert (await engine.generate(request())).text == "fine"
        assert any("time-out" in note.text for note in engine.info.notes)


async def test_a_stream_that_falls_silent_is_given_up_on() -> None:
    async with (
        FakeServer(first_then(Reply(events=[chunk("half an ans")], stall_s=30.0))) as server,
        engine_at(server, timeout_s=0.2) as engine,
    ):
        assert (await engine.generate(request())).text == "fine"
        assert any("time-out" in note.text for note in engine.info.notes)


async def test_counts_that_are_no_numbers_are_not_believed() -> None:
    events = [
        chunk("a"),
        chunk(finish="stop"),
        usage().replace('"completion_tokens": 7', '"completion_tokens": "x"'),
    ]
    async with FakeServer(lambda body: Reply(events=events)) as server, engine_at(server) as engine:
        assert (await engine.generate(request())).output_tokens == 1


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
        with pytest.raises(EngineStopped, match=r"answered as 'other'.*answers_as=other"):
            await engine.generate(request())


async def test_another_name_can_be_accepted() -> None:
    async with (
        FakeServer(lambda body: well(model="other")) as server,
        engine_at(server, answers_as="other") as engine,
    ):
        assert (await engine.generate(request())).model == "other"


async def test_a_model_that_is_not_served_is_said_at_the_start() -> None:
    async with FakeServer(models=[{"id": "fakir", "object": "model"}]) as server:
        with pytest.raises(EngineError, match=r"does not serve 'fake'\. Did you mean fakir"):
            async with engine_at(server):
                pass


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


async def test_a_bad_request_is_not_repeated() -> None:
    async with FakeServer(lambda body: error(400, "unknown field")) as server, engine_at(server) as engine:
        with pytest.raises(EngineError, match="unknown field"):
            await engine.generate(request())
    assert len(server.bodies) == 1


async def test_a_prompt_beyond_the_context_is_named_as_such() -> None:
    words = "This model's maximum context length is 10 tokens."
    async with FakeServer(lambda body: error(400, words)) as server, engine_at(server) as engine:
        with pytest.raises(PromptTooLong, match="maximum context length"):
            await engine.generate(request())


async def test_reasoning_that_comes_apart_goes_back_between_its_tags() -> None:
    events = [chunk(reasoning_content="six sevens"), chunk("42"), chunk(finish="stop"), usage()]
    async with FakeServer(lambda body: Reply(events=events)) as server, engine_at(server) as engine:
        assert (await engine.generate(request())).text == "<think>six sevens</think>42"


async def test_reasoning_that_never_ends_stays_open() -> None:
    events = [chunk(reasoning="six sev"), chunk(finish="length"), usage()]
    async with FakeServer(lambda body: Reply(events=events)) as server, engine_at(server) as engine:
        generation = await engine.generate(request())
    assert (generation.text, generation.finish_reason) == ("<think>six sev", "length")


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
    async with (
        FakeServer(lambda body: Reply(events=[chunk("a"), chunk("b"), chunk(finish="stop")])) as server,
        engine_at(server) as engine,
    ):
        assert (await engine.generate(request())).output_tokens == 2
        assert any("does not count tokens" in note.text for note in engine.info.notes)


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
    async with FakeServer(models=500) as away, FakeServer() as there, engine_at(away, there) as engine:
        await engine.generate(request())
        assert any(note.text.startswith("left out:") and away.url in note.text for note in engine.info.notes)


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


async def test_a_server_that_honours_seeds_is_believed() -> None:
    async with FakeServer() as server, engine_at(server, probe=True) as engine:
        assert engine.info.honours_seeds
        assert engine.info.notes == ()


def ignoring_seed() -> Callable[[Body], Reply]:
    calls = iter(range(100))
    return lambda body: well(f"random {next(calls)}")


@pytest.mark.parametrize(
    ("behave", "note", "honours"),
    [
        (ignoring_seed(), "ignores the seed", False),
        (ignoring_seed(), "ignores n", False),
        (lambda body: well("always this"), "same answer to two seeds", True),
    ],
)
async def test_what_a_server_ignores_is_noticed(
    behave: Callable[[Body], Reply], note: str, honours: bool
) -> None:
    async with FakeServer(behave) as server, engine_at(server, probe=True) as engine:
        assert any(note in other.text for other in engine.info.notes)
        assert engine.info.honours_seeds is honours


async def test_a_vllm_server_clamps_to_its_context_and_tells_open_reasoning() -> None:
    class Vllm(FakeServer):
        def tokenize(self, body: Body) -> Reply:
            return Reply(body=json.dumps({"count": 30, "token_strs": ["a", "<think>", "Ċ"]}))

    models = [{"id": MODEL, "object": "model", "owned_by": "vllm", "max_model_len": 80}]
    async with Vllm(seeded, models) as server, engine_at(server) as engine:
        generation = await engine.generate(request())
    assert server.bodies[0]["max_tokens"] == 50
    assert server.bodies[0]["include_stop_str_in_output"] is True
    assert generation.prefill == "<think>"
    assert engine.info.context == 80


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "base_url"),
        ({"base_url": "localhost:8000"}, "http://host:port/v1"),
        ({"base_url": "http://me:secret@host/v1"}, "password"),
        ({"base_url": "http://h/v1", "api_key": "sk-secret"}, "environment"),
        ({"base_url": "http://h/v1", "concurency": 3}, "Did you mean concurrency"),
        ({"base_url": "http://h/v1", "attempts": 0}, "positive number"),
        ({"base_url": "http://h/v1", "timeout_s": 0}, "positive number"),
        ({"base_url": "http://h:port/v1"}, "http://host:port/v1"),
        ({"base_url": "http://h/v1?key=secret"}, "no query"),
        ({"base_url": "http://h/v1", "api_key_env": "sk-secret"}, "name of an environment variable"),
        ({"base_url": "http://h/v1", "opens_think": "maybe"}, "true or false"),
    ],
)
def test_wrong_settings(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        EndpointEngine(MODEL, arguments)
    assert "secret" not in str(caught.value)
