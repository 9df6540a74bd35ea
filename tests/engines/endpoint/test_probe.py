"""A server under measurement."""

from __future__ import annotations

import pytest

from k2eval.engines.endpoint.metrics import parse_metrics
from k2eval.engines.endpoint.probe import ServedProbe
from k2eval.engines.measured import Load, Prompt
from k2eval.errors import EngineError
from k2eval.speed.load import put
from tests.engines.endpoint.fake_server import MODEL, Body, FakeServer, Reply, chunk, error, usage

PAGE = """# TYPE vllm:spec_decode_num_drafts counter
vllm:spec_decode_num_drafts_total{engine="0",model_name="m"} 10.0
vllm:spec_decode_num_drafts_total{engine="1",model_name="m"} 5.0
vllm:spec_decode_num_drafts_created{engine="0",model_name="m"} 1.7e+09
vllm:spec_decode_num_draft_tokens_total{engine="0",model_name="m"} 30.0
vllm:spec_decode_num_accepted_tokens_total{engine="0",model_name="m"} 12.0
vllm:spec_decode_num_accepted_tokens_per_pos_total{engine="0",model_name="m",position="1"} 4.0
vllm:spec_decode_num_accepted_tokens_per_pos_total{engine="0",model_name="m",position="0"} 8.0
"""


def test_the_metrics_of_vllm_are_read_and_its_engines_summed() -> None:
    result = parse_metrics(PAGE)
    assert result is not None
    assert (result.drafts, result.drafted_tokens, result.accepted_tokens) == (15, 30, 12)
    assert result.accepted_per_position == (8, 4)


def test_other_pages_have_none() -> None:
    assert parse_metrics("# nothing\nprocess_open_fds 8.0\n") is None


def counted(body: Body) -> Reply:
    """A server whose every word is two tokens, after ten of its template."""
    words = len(body["messages"][0]["content"].split())
    pieces = [chunk("a"), chunk("b"), chunk(finish="length")]
    return Reply(events=[*pieces, usage(10 + 2 * words, 6), "[DONE]"])


async def test_prompts_get_the_length_asked_for_by_the_servers_own_count() -> None:
    async with FakeServer(counted) as server, ServedProbe(server.url, MODEL) as probe:
        [trace] = await put(Load(1, 6, 110, concurrency=1), probe, [Prompt(tokens=110, seed=3)])
    assert (trace.error, trace.prompt_tokens, trace.tokens, len(trace.arrivals)) == (None, 110, 6, 2)


async def test_a_refusal_under_load_is_a_failed_request() -> None:
    def full(body: Body) -> Reply:
        return error(503, "full") if body["max_tokens"] > 1 else counted(body)

    async with FakeServer(full) as server, ServedProbe(server.url, MODEL) as probe:
        traces = await put(Load(2, 6, 20, concurrency=2), probe, [Prompt(tokens=20)])
    assert all("503" in str(trace.error) for trace in traces)


async def test_what_is_no_server_is_explained() -> None:
    with pytest.raises(EngineError, match="does not answer as an OpenAI-compatible one"):
        async with ServedProbe("http://127.0.0.1:9/v1", MODEL):
            pass
