"""HTTP to one server."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from k2eval.engines.endpoint import client as client_module
from k2eval.engines.endpoint.client import Client, refusal_of, retry_after_s
from k2eval.engines.endpoint.trouble import BadAnswer, Broken, NoConnection, Refusal
from tests.engines.endpoint.fake_server import FakeServer, Reply, error, well

ASK = "/chat/completions"
BODY = json.dumps({"seed": 1}).encode()


async def test_an_idle_connection_that_the_server_closed_is_no_trouble() -> None:
    replies = [well("a"), Reply(hang_up=True), well("b")]
    async with FakeServer(lambda body: replies.pop(0)) as server:
        client = Client(server.url)
        first, second = [await client.ask(ASK, BODY, 10_000) for _ in range(2)]
        await client.close()
    assert (b'"a"' in first, b'"b"' in second) == (True, True)


async def test_a_used_connection_that_breaks_late_is_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server may have worked on the answer, so the attempt counts."""
    monkeypatch.setattr(client_module, "_SHOWN_S", 0.05)
    replies = [well("a"), Reply(hang_up=True, wait_s=0.2), well("b")]
    async with FakeServer(lambda body: replies.pop(0)) as server:
        client = Client(server.url)
        await client.ask(ASK, BODY, 10_000)
        with pytest.raises(Broken):
            await client.ask(ASK, BODY, 10_000)
        await client.close()


async def test_a_new_connection_that_the_server_closes_is_trouble() -> None:
    async with FakeServer(lambda body: Reply(hang_up=True)) as server:
        client = Client(server.url)
        with pytest.raises(Broken):
            await client.ask(ASK, BODY, 10_000)
        await client.close()
    assert len(server.bodies) == 1


async def test_a_new_connection_behind_a_redirect_that_the_server_closes_is_trouble() -> None:
    async with FakeServer(lambda body: Reply(hang_up=True)) as behind, FakeServer() as server:
        client = Client(server.url)
        await client.ask(ASK, BODY, 10_000)  # so that the connection to the first server is a used one
        server.behave = lambda body: Reply(status=307, headers={"Location": behind.url + ASK})
        with pytest.raises(Broken):
            await client.ask(ASK, BODY, 10_000)
        await client.close()
    assert len(behind.bodies) == 1


async def test_connections_are_dropped_before_the_server_drops_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "_KEPT_ALIVE_S", 0.05)
    async with FakeServer() as server:
        client = Client(server.url)
        await client.ask(ASK, BODY, 10_000)
        await asyncio.sleep(0.1)
        server.behave = lambda body: Reply(hang_up=True)
        with pytest.raises(Broken):  # and is not asked again, since the connection is a new one
            await client.ask(ASK, BODY, 10_000)
        await client.close()
    assert client_module._KEPT_ALIVE_S < 5 and len(server.bodies) == 2


async def test_a_broken_answer_on_a_used_connection_is_trouble() -> None:
    async with FakeServer() as server:
        client = Client(server.url)
        await client.ask(ASK, BODY, 10_000)
        server.behave = lambda body: Reply(events=["half"], cut=True)
        with pytest.raises(Broken):
            await client.ask(ASK, json.dumps({"seed": 1, "stream": True}).encode(), 10_000)
        await client.close()


async def test_an_answer_beyond_its_bound_is_broken_off() -> None:
    async with FakeServer(lambda body: Reply(body="x" * 2_000_000)) as server:
        client = Client(server.url)
        with pytest.raises(BadAnswer, match="far beyond max_tokens"):
            await client.ask(ASK, BODY, 100_000)
        await client.close()


async def test_a_server_that_is_away_gives_no_connection() -> None:
    async with FakeServer() as server:
        pass
    client = Client(server.url)
    with pytest.raises(NoConnection) as caught:
        await client.ask(ASK, BODY, 10_000)
    await client.close()
    assert "refused" in caught.value.why.lower() or "connect" in caught.value.why.lower()


async def test_key_headers_and_query_are_sent_with_every_request() -> None:
    async with FakeServer() as server:
        client = Client(server.url, "sk-1", {"X-Team": "a b"}, {"api-version": "2024-10-21"})
        await client.ask(ASK, BODY, 10_000)
        await client.page(f"{client.url}/models")
        await client.close()
    assert all(path.endswith("?api-version=2024-10-21") for path in server.paths)
    assert all("Bearer sk-1" in head and "X-Team: a b" in head for head in server.headers)


@pytest.mark.parametrize(
    ("content", "words", "code", "parameter"),
    [
        ({"error": {"message": "no  such", "code": "c", "param": "p"}}, "no such", "c", "p"),
        ({"error": "in words"}, "in words", "", ""),
        ({"detail": [{"loc": ["body", "top_k"], "msg": "not permitted"}]}, "", "", ""),
        ({"message": "plain"}, "plain", "", ""),
        (["odd"], '["odd"]', "", ""),
    ],
)
def test_the_servers_own_words_are_found(content: Any, words: str, code: str, parameter: str) -> None:
    refusal = refusal_of(400, json.dumps(content).encode())
    assert words in refusal.words
    assert (refusal.code, refusal.parameter) == (code, parameter)


def test_words_may_come_as_a_page() -> None:
    assert refusal_of(502, b"<html><h1>Bad   Gateway</h1></html>").words == "Bad Gateway"


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        ({"Retry-After": "7"}, 7, 7),
        ({"retry-after": "0.25"}, 0.25, 0.25),
        ({"Retry-After": "60", "retry-after-ms": "1500"}, 1.5, 1.5),
        ({"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"}, 0, 0),
        ({"Retry-After": "soon"}, 0, 0),
        ({}, 0, 0),
    ],
)
def test_servers_ask_for_a_pause_in_many_ways(headers: dict[str, str], least: float, most: float) -> None:
    assert least <= retry_after_s(headers) <= most


def test_servers_ask_for_a_pause_until_a_date() -> None:
    date = datetime.now(UTC) + timedelta(seconds=90)
    assert 60 <= retry_after_s({"Retry-After": format_datetime(date, usegmt=True)}) <= 90


async def test_a_refusal_without_end_is_bounded_and_tells_when_to_come_again() -> None:
    reply = error(429, "x" * 1_000_000, **{"Retry-After": "7"})
    async with FakeServer(lambda body: reply) as server:
        client = Client(server.url)
        with pytest.raises(Refusal) as caught:
            await client.ask(ASK, BODY, 10_000)
        await client.close()
    assert len(caught.value.words) <= 1 << 16
    assert caught.value.retry_after_s == 7
