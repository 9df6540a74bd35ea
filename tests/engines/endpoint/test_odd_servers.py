"""Servers that speak HTTP, JSON and events in ways of their own: each answer is right, or trouble with a name."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from k2eval.engines.endpoint.engine import EndpointEngine
from k2eval.errors import EngineStopped, PromptTooLong
from k2eval.records import Generation
from tests.engines.endpoint.asked import notes_of, request
from tests.engines.endpoint.fake_server import MODEL, chunk, usage

TEXT = "It is 42: “é” 😀"
Answer = Callable[[str], bytes]
"""(path) -> all that the server sends before it closes the connection."""


def whole(message: Any = None, **fields: Any) -> bytes:
    message = {"role": "assistant", "content": TEXT} if message is None else message
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    counts = {"prompt_tokens": 5, "completion_tokens": 7}
    return json.dumps({"model": MODEL, "choices": [choice], "usage": counts} | fields).encode()


def page(body: bytes, *headers: str, status: str = "HTTP/1.1 200 OK") -> bytes:
    head = "\r\n".join([status, f"Content-Length: {len(body)}", "Connection: close", *headers])
    return f"{head}\r\n\r\n".encode() + body


def events(*contents: str, end: str = "\n") -> bytes:
    pieces = [*(chunk(content) for content in contents), chunk(finish="stop"), usage(), "[DONE]"]
    return "".join(f"data: {piece}{end}{end}" for piece in pieces).encode()


@contextlib.asynccontextmanager
async def serving(answer: Answer, host: str = "127.0.0.1") -> AsyncIterator[str]:
    """Serve from a function, and yield the base URL."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = [line for line in head.lower().split("\r\n") if line.startswith("content-length:")]
            await reader.readexactly(int(length[0].split(":")[1]) if length else 0)
            writer.write(answer(head))
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(connected, host, 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        yield f"http://{f'[{host}]' if ':' in host else host}:{port}/v1"


@contextlib.asynccontextmanager
async def engine_at(url: str, **settings: Any) -> AsyncIterator[EndpointEngine]:
    arguments = {"base_url": url, "probe": False, "backoff_s": 0.001, "attempts": 2, **settings}
    async with EndpointEngine(MODEL, arguments) as engine:
        yield engine


def completions(body: bytes, *headers: str, status: str = "HTTP/1.1 200 OK") -> Answer:
    """Answer a question with this, and any other page with 404."""
    reply = page(body, *headers, status=status)
    return lambda head: reply if head.startswith("POST") else page(b"{}", status="HTTP/1.1 404 No")


def listing(*replies: bytes) -> Answer:
    """List the model, and answer one question after the other."""
    left = list(replies)
    models = page(json.dumps({"data": [{"id": MODEL}]}).encode())

    def answer(head: str) -> bytes:
        path = head.split(" ")[1]
        if path.endswith("/models"):
            return models
        return left.pop(0) if "completions" in path else page(b"{}", status="HTTP/1.1 404 No")

    return answer


async def asked(answer: Answer, **settings: Any) -> tuple[Generation, str]:
    async with serving(answer) as url, engine_at(url, **settings) as engine:
        return await engine.generate(request()), notes_of(engine)


def chunked(data: bytes, size: int) -> bytes:
    """Cut bytes into HTTP chunks, in the middle of characters."""
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def old(body: bytes) -> Answer:
    return lambda head: b"HTTP/1.0 200 OK\r\n\r\n" + body


EVENTS = (TEXT[:3], TEXT[3:])
WHOLE: dict[str, Answer] = {
    "plain": completions(whole()),
    "gzip": completions(gzip.compress(whole()), "Content-Encoding: gzip"),
    "another content type": completions(whole(), "Content-Type: text/html; charset=latin-1"),
    "HTTP/1.0 without length": old(whole()),
    "headers of 20 kB": completions(whole(), "X-Long: " + "x" * 20_000),
    "white space in front": completions(b"\n\n  " + whole()),
    "events though none were asked for": completions(events(*EVENTS)),
    "parts": completions(whole({"content": [{"type": "text", "text": TEXT}]})),
    "two answers": completions(
        whole(choices=[{"index": n, "message": {"content": TEXT}, "finish_reason": "stop"} for n in (0, 1)])
    ),
    "no name": completions(whole(model=None)),
}
STREAMS: dict[str, Answer] = {
    "plain": completions(events(*EVENTS)),
    "CRLF": completions(events(*EVENTS, end="\r\n")),
    "a byte order mark": completions(b"\xef\xbb\xbf" + events(*EVENTS)),
    "comments and empty events": completions(b": hi\n\nevent: ping\ndata:\n\n" + events(*EVENTS)),
    "chunks within characters": lambda head: (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + chunked(events(*EVENTS), 7)
    ),
    "gzip": completions(gzip.compress(events(*EVENTS)), "Content-Encoding: gzip"),
    "HTTP/1.0 without length": old(events(*EVENTS)),
    "a whole answer though a stream was asked for": completions(whole()),
    "two ends": completions(events(*EVENTS).replace(b"data: [DONE]", b"data: " + chunk(finish="stop").encode())),
    "messages instead of deltas": completions(events(*EVENTS).replace(b'"delta"', b'"message"')),
}  # fmt: skip


@pytest.mark.parametrize("kind", WHOLE)
async def test_a_whole_answer_is_read(kind: str) -> None:
    generation, notes = await asked(WHOLE[kind])
    assert (generation.text, generation.finish_reason, generation.output_tokens) == (TEXT, "stop", 7)
    assert "asked again" not in notes


@pytest.mark.parametrize("kind", STREAMS)
async def test_a_stream_is_read(kind: str) -> None:
    generation, notes = await asked(STREAMS[kind], stream=True)
    assert (generation.text, generation.finish_reason, generation.output_tokens) == (TEXT, "stop", 7)
    assert "asked again" not in notes


@pytest.mark.parametrize("counts", [{}, None, {"completion_tokens": 0}, {"completion_tokens": "7"}])
async def test_counts_that_cannot_be_right_are_replaced_by_an_estimate(counts: Any) -> None:
    text = "It is 42. " * 30
    generation, notes = await asked(completions(whole({"content": text}, usage=counts)))
    assert generation.output_tokens == 75
    assert "does not count tokens" in notes


async def test_ipv6() -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    try:
        async with serving(WHOLE["plain"], "::1") as url, engine_at(f"{url}/") as engine:
            assert (await engine.generate(request())).text == TEXT
    except OSError:
        pytest.skip("no IPv6 here")


@pytest.mark.parametrize("ending", ["/", "/chat/completions", "/completions/", "/models"])
async def test_the_address_of_a_request_is_as_good_as_the_base_url(ending: str) -> None:
    async with serving(WHOLE["plain"]) as url, engine_at(url + ending) as engine:
        assert (await engine.generate(request())).text == TEXT


async def test_a_redirect_on_the_same_server_is_followed() -> None:
    def answer(head: str) -> bytes:
        if "/v2/" in head.split(" ")[1]:
            return page(whole())
        path = head.split(" ")[1].replace("/v1/", "/v2/")
        return page(b"", f"Location: {path}", status="HTTP/1.1 307 There")

    generation, _ = await asked(answer)
    assert generation.text == TEXT


async def test_a_key_does_not_follow_a_redirect_to_another_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    heads: list[str] = []

    def thief(head: str) -> bytes:
        heads.append(head)
        return page(whole())

    async with serving(thief) as other:
        away = page(b"", f"Location: {other}/chat/completions", status="HTTP/1.1 307 There")
        with pytest.raises(EngineStopped, match=rf"sends requests on to {other}.*engine.base_url"):
            await asked(listing(away))
    assert heads == []


async def test_a_redirect_that_would_lose_the_question_names_the_right_address() -> None:
    moved = page(b"", "Location: https://elsewhere/v1", status="HTTP/1.1 301 Moved")
    with pytest.raises(EngineStopped, match="sends requests on to https://elsewhere/v1"):
        await asked(listing(moved))


@pytest.mark.parametrize("code", [400, "400", None])
async def test_a_prompt_that_is_too_long_is_known_with_the_status_of_success(code: Any) -> None:
    words = "This model's maximum context length is 8 tokens. Please reduce the length of the messages"
    with pytest.raises(PromptTooLong, match="reduce the length"):
        await asked(completions(json.dumps({"error": {"message": words, "code": code}}).encode()))


async def test_a_refused_key_is_known_with_the_status_of_success() -> None:
    refusal = page(b'{"error": {"message": "no key", "code": 401}}')
    with pytest.raises(EngineStopped, match="HTTP 401: no key"):
        await asked(listing(refusal))


async def test_the_words_of_an_error_within_a_success_are_noted_without_numbers() -> None:
    _, notes = await asked(listing(page(b'{"error": {"message": "shard 17 is away"}}'), page(whole())))
    assert "shard … is away" in notes


async def test_an_error_in_the_middle_of_a_stream_is_asked_again() -> None:
    broken = f'data: {chunk("half")}\n\ndata: {{"error": {{"message": "died", "code": 400}}}}\n\n'.encode()
    generation, notes = await asked(listing(page(broken), page(events(*EVENTS))), stream=True)
    assert generation.text == TEXT
    assert "the stream ended in an error: died" in notes


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({"content": None, "tool_calls": [{"id": "x", "function": {"name": "f"}}]}, "no text"),
        ({"content": [{"type": "image_url"}]}, "instead of text"),
        ({"content": ""}, "no text"),
    ],
)
async def test_no_text_is_asked_again_by_its_kind(message: Any, words: str) -> None:
    generation, notes = await asked(listing(page(whole(message)), page(whole())))
    assert generation.text == TEXT and words in notes


@pytest.mark.parametrize("content", [None, "", "\n\n"])
async def test_an_answer_that_a_parser_took_for_reasoning_is_noted(content: str | None) -> None:
    generation, notes = await asked(completions(whole({"content": content, "reasoning_content": TEXT})))
    assert generation.text == f"<think>{TEXT}</think>{content or ''}"
    assert "1 finished answers are reasoning alone" in notes
