"""What servers tell of themselves."""

from __future__ import annotations

import json

import pytest

from tests.engines.endpoint.asked import engine_at
from tests.engines.endpoint.fake_server import MODEL, Body, FakeServer, Reply

METRICS = 'vllm:num_requests_running{engine="0"} 3.0\nvllm:generation_tokens_total{engine="0"} 70.0\n'


@pytest.mark.parametrize(
    "entry",
    [
        {"id": MODEL, "max_model_len": 4096},
        {"id": MODEL, "meta": {"n_ctx": 4096, "n_ctx_train": 8192}},
        {"id": MODEL, "context_length": 4096},
    ],
)
async def test_the_context_is_taken_from_the_list_of_models(entry: Body) -> None:
    async with (
        FakeServer(models=[{"id": "other", "max_model_len": 1}, entry]) as server,
        engine_at(server) as engine,
    ):
        assert engine.info.context == 4096


async def test_llama_cpp_tells_its_slots_and_their_context() -> None:
    async with FakeServer(models=[{"id": MODEL, "meta": {"n_ctx": 16384}}]) as server:
        page = {"total_slots": 4, "default_generation_settings": {"n_ctx": 4096}}
        server.pages["/props"] = Reply(body=json.dumps(page))
        async with engine_at(server) as engine:
            assert (engine.info.context, engine.capacity) == (4096, 8)
        async with engine_at(server, concurrency=5) as engine:
            assert engine.capacity == 5


async def test_a_server_that_counts_its_work_may_get_more_as_it_takes_more() -> None:
    async with FakeServer() as server:
        server.pages["/metrics"] = Reply(body=METRICS)
        async with engine_at(server) as engine:
            assert engine.capacity == 1024


async def test_sglang_tells_its_largest_batch() -> None:
    async with FakeServer() as server:
        server.pages["/get_server_info"] = Reply(body=json.dumps({"max_running_requests": 48, "dp_size": 2}))
        async with engine_at(server) as engine:
            assert engine.capacity == 192
