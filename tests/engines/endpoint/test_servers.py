"""Which of several servers is asked next."""

import asyncio
import time
from collections import Counter
from typing import Any

import pytest

from k2eval.engines.endpoint.asking import Notes
from k2eval.engines.endpoint.servers import Server, ServerGate, listed
from k2eval.records import NoteKind
from tests.engines.endpoint.asked import engine_at, request
from tests.engines.endpoint.fake_server import FakeServer, Reply, well


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def servers(limit: int = 2) -> tuple[Server, Server]:
    client: Any = None
    return Server("a", client, limit), Server("b", client, limit)


def test_a_server_that_failed_is_passed_over_and_not_replaced_by_overload(clock: list[float]) -> None:
    down, up = servers()
    down.failed("no connection")
    assert ServerGate([down, up]).roomiest() is up
    up.in_flight = 2
    assert ServerGate([down, up]).roomiest() is None


def test_after_its_rest_one_request_tries_it_out(clock: list[float]) -> None:
    down, up = servers()
    down.failed("no connection")
    up.in_flight, clock[0] = 1, 11.0
    assert ServerGate([down, up]).roomiest() is down
    down.in_flight = 1
    assert ServerGate([down, up]).roomiest() is up


def test_each_failed_trial_makes_the_rest_longer_and_an_answer_ends_it(clock: list[float]) -> None:
    down, _ = servers()
    for _ in range(3):  # those in flight together fail together
        down.failed("no connection")
    assert down.rests_until == 10.0
    clock[0] = 10.0
    down.failed("no connection")
    assert down.rests_until == 30.0
    down.answered()
    assert down.is_up


def test_where_all_have_failed_they_are_asked_all_the_same(clock: list[float]) -> None:
    resting, other = servers()
    resting.failed("HTTP 429")
    other.failed("HTTP 429")
    resting.in_flight = 1
    assert ServerGate([resting, other]).roomiest() is other


async def test_requests_wait_for_a_busy_server_while_another_is_away() -> None:
    gone, busy = FakeServer(), FakeServer(lambda body: Reply(events=well().events, wait_s=0.1))
    async with gone, busy, engine_at(gone, busy, concurrency=1, attempts=3) as engine:
        await gone.__aexit__()
        answers = await asyncio.gather(*(engine.generate(request(seed)) for seed in range(4)))
    assert [answer.text for answer in answers] == ["fine"] * 4


def test_words_that_servers_choose_fill_no_notes() -> None:
    notes = Notes()
    for number in range(5_000):
        notes.add(NoteKind.SERVER, f"left out: HTTP 500: request {number}")
    notes.add(NoteKind.SEEDS, "b ignores the seed")
    texts = [note.text for note in notes]
    assert len(texts) == 102 and texts[-1] == "b ignores the seed"
    assert texts[-2] == "further notes of this kind are left out"
    assert len(listed(Counter(f"finish_reason {number}" for number in range(5_000)))) < 500
    assert listed(Counter(range(5_000))).endswith(", others (4988×)")  # type: ignore[arg-type]
