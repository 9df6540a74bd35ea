"""Whole runs against a server that misbehaves in every kind, one by one and all at once: never a wrong score."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from k2eval.config.run import RunConfig
from k2eval.engines.opening import open_engines
from k2eval.records import Outcome
from k2eval.run.plan import Work
from k2eval.run.runner import Runner, Summary
from tests.engines.endpoint.fake_server import MODEL, Body, FakeServer, Reply, chunk, error, usage, well
from tests.scripted_runs import config, verdicts

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

WRONG = "\\boxed{1}"
"""What a bad reply says where it says anything: it must not be scored."""
STOP = chunk(finish="stop")
BOTH: dict[str, Reply] = {
    "429": error(429, **{"Retry-After": "0.01"}),
    "500": error(500, "CUDA error"),
    "502 as a page": Reply(status=502, body="<html>Bad Gateway</html>"),
    "503": error(503),
    "a page": Reply(body="<html>sorry</html>"),
    "half a JSON": Reply(body='{"choices": [{"mess'),
    "deep JSON": Reply(body="[" * 200_000),
    "another shape": Reply(body='{"choices": [5]}'),
    "no choices": Reply(body='{"choices": []}'),
    "an error with 200": Reply(body=json.dumps({"error": {"message": "out of memory"}})),
    "a closed connection": Reply(hang_up=True),
    "a hang": Reply(body="{}", wait_s=60.0),
    "a filter": Reply(events=[chunk(WRONG), chunk(finish="content_filter"), usage()]),
    "a tool": Reply(events=[chunk(WRONG), chunk(finish="tool_calls"), usage()]),
    "no end": Reply(events=[chunk(WRONG), usage()]),
    "an unknown end": Reply(events=[chunk(WRONG), chunk(finish="nonsense"), usage()]),
    "nothing": Reply(events=[chunk(""), STOP, usage(completion=50)]),
    "an early stop": Reply(events=[chunk(WRONG), STOP, usage(completion=900)]),
    "too much": Reply(body='{"choices": "' + "x" * 30_000_000 + '"}'),
}
STREAMED: dict[str, Reply] = {
    "a cut stream": Reply(events=[chunk(WRONG)], cut=True),
    "a stream that ends early": Reply(events=[chunk(WRONG)]),
    "text after the end": Reply(events=[chunk(WRONG), STOP, chunk("more"), usage()]),
    "an error in the stream": Reply(events=[chunk(WRONG), json.dumps({"error": {"message": "no"}})]),
    "an endless stream": Reply(events=[chunk("on ")] * 60_000),
    "a stream of nothing": Reply(events=[chunk("")] * 60_000),
    "a silent stream": Reply(events=[chunk(WRONG)], stall_s=60.0),
    "signs of life alone": Reply(events=["[DONE]"], pings=400),
}


def settings_for(server: FakeServer, out: Path, stream: bool) -> RunConfig:
    arguments = {
        "base_url": server.url, "backoff_s": 0.001, "attempts": 12, "timeout_s": 0.5, "stream": stream, "probe": False,
    }  # fmt: skip
    return config(
        out,
        model=MODEL,
        limit=5,
        sampling={"max_tokens": 1000},
        engine={"kind": "endpoint", "arguments": arguments},
    )


def solver(settings: RunConfig, bad: Callable[[], Reply | None]) -> Callable[[Body], Reply]:
    """Know every answer by the problem's words, and give it unless something bad is due."""
    known = {
        entry.question.messages[-1].content: str(entry.question.gold)
        for entry in Work(settings).assignments()
    }

    def behave(body: Body) -> Reply:
        return bad() or well(f"\\boxed{{{known[body['messages'][-1]['content']]}}}")

    return behave


async def run(settings: RunConfig) -> Summary:
    return await Runner(settings, open_engines(settings), Console(file=io.StringIO())).run()


@pytest.mark.parametrize(
    ("kind", "stream"),
    [*((kind, stream) for kind in BOTH for stream in (False, True)), *((kind, True) for kind in STREAMED)],
)
async def test_each_kind_alone(kind: str, stream: bool, tmp_path: Path) -> None:
    draw, reply = random.Random(kind), (BOTH | STREAMED)[kind]
    async with FakeServer() as server:
        server.pages["/health"] = error(503)
        settings = settings_for(server, tmp_path / "run", stream)
        server.behave = solver(settings, lambda: reply if draw.random() < 0.4 else None)
        summary = await run(settings)
    assert (summary.done, summary.infrastructure) == (10, 0)
    assert [verdict.score for verdict in verdicts(settings.out)] == [1.0] * 10


@pytest.mark.parametrize("stream", [False, True])
async def test_a_kind_without_end_is_never_scored(stream: bool, tmp_path: Path) -> None:
    async with FakeServer() as server:
        settings = settings_for(server, tmp_path / "run", stream)
        server.behave = solver(settings, lambda: BOTH["an early stop"])
        await run(settings)
    assert {verdict.outcome for verdict in verdicts(settings.out)} == {Outcome.ENGINE_ERROR}
    assert len(server.bodies) == 10 * 12


@pytest.mark.parametrize("stream", [False, True])
async def test_all_kinds_together(stream: bool, tmp_path: Path) -> None:
    draw, kinds = random.Random(7), list(BOTH.values()) + (list(STREAMED.values()) if stream else [])
    async with FakeServer() as server:
        server.pages["/health"] = error(503)
        settings = settings_for(server, tmp_path / "run", stream)
        server.behave = solver(settings, lambda: draw.choice(kinds) if draw.random() < 0.6 else None)
        await run(settings)
    scores = [verdict.score for verdict in verdicts(settings.out)]
    assert len(scores) == 10
    assert 0.0 not in scores
    assert scores.count(1.0) >= 8
