"""A small OpenAI-compatible server that can misbehave: one task of the test's own event loop, on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

MODEL = "fake"
Body = dict[str, Any]


@dataclass(slots=True)
class Reply:
    """What to send: a status with a JSON body, or a stream of events."""

    status: int = 200
    events: list[str] = field(default_factory=list)
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    """Whether to close the connection in the middle of the stream."""
    wait_s: float = 0.0
    pings: int = 0
    """Signs of life, 0.05 s apart, before the events."""
    stall_s: float = 0.0
    """Seconds of silence after the events, before the stream ends."""
    hang_up: bool = False
    """Whether to close the connection without a byte."""


def chunk(
    content: str | None = None, *, model: str = MODEL, finish: str | None = None, index: int = 0, **delta: Any
) -> str:
    piece = {"content": content, **delta} if content is not None or delta else {}
    choice = {"index": index, "delta": piece, "finish_reason": finish}
    return json.dumps(
        {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": model, "choices": [choice]}
    )


def usage(prompt: int = 5, completion: int = 7, model: str = MODEL) -> str:
    counts = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return json.dumps(
        {
            "id": "c",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": model,
            "choices": [],
            "usage": counts,
        }
    )


def whole_of(events: list[str]) -> str:
    """The same answer in one piece, as a server that is not asked for a stream gives it."""
    answer: Body = {"object": "chat.completion", "choices": []}
    messages: dict[int, Body] = {}
    for event in events:
        if event == "[DONE]":
            continue
        piece = json.loads(event)
        if piece.get("usage"):
            answer["usage"] = piece["usage"]
        for part in piece["choices"]:
            answer["model"] = piece["model"]
            choice = messages.setdefault(part["index"], {"index": part["index"], "message": {}})
            choice["finish_reason"] = part["finish_reason"]
            for name, text in part["delta"].items():
                choice["message"][name] = choice["message"].get(name, "") + (text or "")
    answer["choices"] = [messages[index] for index in sorted(messages)]
    return json.dumps(answer)


def well(text: str = "fine", **fields: Any) -> Reply:
    """A whole answer."""
    return Reply(events=[chunk(text, **fields), chunk(finish="stop", **fields), usage(), "[DONE]"])


def seeded(body: Body) -> Reply:
    """An answer that depends on the seed, as often as asked for."""
    count = body.get("n", 1)
    events = [chunk(f"{body['seed']} {index}", index=index) for index in range(count)]
    events += [chunk(finish="stop", index=index) for index in range(count)]
    return Reply(events=[*events, usage(), "[DONE]"])


def error(status: int, message: str = "no", **headers: str) -> Reply:
    return Reply(
        status=status, body=json.dumps({"error": {"message": message, "type": "t"}}), headers=headers
    )


class FakeServer:
    """Serves ``behave`` until the block ends; remembers what it was asked."""

    def __init__(
        self, behave: Callable[[Body], Reply] = seeded, models: list[Body] | int | None = None
    ) -> None:
        self.behave = behave
        self.models = [{"id": MODEL, "object": "model", "owned_by": "me"}] if models is None else models
        self.pages: dict[str, Reply | Callable[[Body], Reply]] = {}
        """What other addresses than those of models and answers give; 404 if they are not here."""
        self.bodies: list[Body] = []
        self.paths: list[str] = []
        self.headers: list[str] = []
        self.most_at_once = 0
        self._now = 0
        self._open: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    async def __aenter__(self) -> FakeServer:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        task.add_done_callback(self._open.discard)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while await self._serve(reader, writer):
                    pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.headers.append(head)
        length = next(
            (
                int(line.split(":")[1])
                for line in head.split("\r\n")
                if line.lower().startswith("content-length")
            ),
            0,
        )
        body = json.loads(await reader.readexactly(length)) if length else {}
        path = head.split(" ")[1]
        self.paths.append(path)
        if head.startswith("GET") and path.startswith("/v1/models"):
            if isinstance(self.models, int):
                await self._send(writer, error(self.models, "the server's own words"))
            else:
                await self._send(writer, Reply(body=json.dumps({"object": "list", "data": self.models})))
            return True
        if "completions" not in path:
            reply = self.pages.get(path, error(404))
            await self._send(writer, reply(body) if callable(reply) else reply)
            return True
        self.bodies.append(body)
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        try:
            reply = self.behave(body)
            if reply.events and not body.get("stream"):
                reply = replace(reply, events=[], body=whole_of(reply.events))
            return await self._send(writer, reply)
        finally:
            self._now -= 1

    async def _send(self, writer: asyncio.StreamWriter, reply: Reply) -> bool:
        await asyncio.sleep(reply.wait_s)
        if reply.hang_up:
            return False
        extra = "".join(f"{name}: {value}\r\n" for name, value in reply.headers.items())
        if reply.events:
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
            )
            for _ in range(reply.pings):
                writer.write(b"8\r\n: ping\n\n\r\n")
                await writer.drain()
                await asyncio.sleep(0.05)
            for event in reply.events:
                data = f"data: {event}\n\n".encode()
                writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
            await writer.drain()
            await asyncio.sleep(reply.stall_s)
            if not reply.cut:
                writer.write(b"0\r\n\r\n")
        else:
            data = reply.body.encode()
            writer.write(
                f"HTTP/1.1 {reply.status} X\r\nContent-Type: application/json\r\n{extra}"
                f"Content-Length: {len(data)}\r\n\r\n".encode()
                + data
            )
        await writer.drain()
        return not reply.cut
