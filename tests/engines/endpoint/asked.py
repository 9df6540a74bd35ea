"""What the tests of the endpoint ask, and the engine that they ask."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from k2eval.engines.endpoint.engine import EndpointEngine
from k2eval.reasoning import AUTO, Detection
from k2eval.records import Message, ReasoningFormat, Request, Sampling
from tests.engines.endpoint.fake_server import MODEL, Body, FakeServer, Reply, well


def request(seed: int = 1, **sampling: Any) -> Request:
    return Request(
        key=f"key-{seed}",
        task="sums",
        question_id="q1",
        repeat_index=0,
        stage="solve",
        messages=(Message(role="user", content="6 times 7?"),),
        sampling=Sampling.model_validate({"max_tokens": 100, **sampling}),
        seed=seed,
    )


@asynccontextmanager
async def engine_at(
    *servers: FakeServer, model: str = MODEL, reasoning: ReasoningFormat = AUTO, **arguments: Any
) -> AsyncIterator[EndpointEngine]:
    settings = {"backoff_s": 0.001, "timeout_s": 5.0, "probe": False} | arguments
    urls = [server.url for server in servers]
    async with EndpointEngine(model, {"base_url": urls, **settings}, Detection(reasoning, "")) as engine:
        yield engine


def first_then(bad: Reply, times: int = 1, good: Callable[[Body], Reply] = lambda body: well()) -> Any:
    left = [bad] * times

    def behave(body: Body) -> Reply:
        return left.pop() if left else good(body)

    return behave


def notes_of(engine: EndpointEngine) -> str:
    return "\n".join(note.text for note in engine.info.notes)
