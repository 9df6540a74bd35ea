"""The server's pages: OpenAI's API as vLLM has it, and k2eval's own, all behind one key."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import inspect
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from k2eval.engines.protocol import Engine, Outlives, Supervised
from k2eval.engines.served.messages import (
    GENERATE,
    LOOK,
    Look,
    pack_answer,
    pack_look,
    unpack_question,
)
from k2eval.engines.vllm.running import cache_salt
from k2eval.errors import EngineError, K2EvalError
from k2eval.records import Generation

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_LARGEST = 1 << 26
"""Bytes of a request; the longest prompts take a few megabytes."""


class Pages:
    """An ASGI application: k2eval's own pages, and all others from another application.

    Args:
        engine: The engine that answers.
        key: The key that every request must show.
        others: The application of all other pages; None if there are none.
    """

    def __init__(self, engine: Engine, key: str, others: App | None = None) -> None:
        self._engine = engine
        self._shown = f"Bearer {key}".encode()
        self._others = others
        self.in_flight = 0
        """Requests of runs that have no answer yet."""
        self._seen = False
        self._runs: set[str] = set()

    def take_seen(self) -> bool:
        """Return whether anybody has asked for a page since the last call."""
        seen, self._seen = self._seen, False
        return seen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request of HTTP, or pass on what the web server says to applications."""
        if scope["type"] == "lifespan":
            await (self._others(scope, receive, send) if self._others else _live(receive, send))
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        shown = dict(scope["headers"]).get(b"authorization", b"")
        if not hmac.compare_digest(shown, self._shown):
            await _reply(send, 401, b'{"error": {"message": "expected this server\'s API key"}}')
            return
        self._seen = True
        if scope["path"] == LOOK:
            progress = self._engine.progress if isinstance(self._engine, Supervised) else 0
            await _reply(send, 200, pack_look(Look(self._engine.info, progress, self.in_flight)))
        elif scope["path"] == GENERATE:
            await self._generate(receive, send)
        elif self._others is not None:
            await self._others(scope, receive, send)
        else:
            await _reply(send, 404, b'{"error": {"message": "there is no such page"}}')

    async def _generate(self, receive: Receive, send: Send) -> None:
        body = await _body(receive)
        if body is None:
            return
        self.in_flight += 1
        answering = asyncio.create_task(self._answer(body))
        leaving = asyncio.create_task(_left(receive))
        try:
            await asyncio.wait([answering, leaving], return_when=asyncio.FIRST_COMPLETED)
            if answering.done():
                await _reply(send, 200, pack_answer(answering.result()))
        finally:
            self.in_flight -= 1
            for task in (answering, leaving):
                task.cancel()
            await asyncio.gather(answering, leaving, return_exceptions=True)

    async def _answer(self, body: bytes) -> Generation | K2EvalError:
        try:
            request, salt = unpack_question(body)
            cache_salt.set(salt or None)
            if salt not in self._runs:
                self._runs.add(salt)
                if isinstance(self._engine, Outlives):
                    self._engine.begin_run()
            # By arrival: priorities of one run say nothing about those of another, or of OpenAI's API.
            return await self._engine.generate(request.model_copy(update={"priority": 0}))
        except K2EvalError as error:
            return error
        except Exception as error:  # the run must hear of it, whatever it is
            return EngineError(f"{type(error).__name__}: {error}")


async def _body(receive: Receive) -> bytes | None:
    """Return what a client has sent; None if it left, or sends more than any request takes."""
    pieces, size = [], 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > _LARGEST:
            return None
        if not message.get("more_body"):
            return b"".join(pieces)


async def _left(receive: Receive) -> None:
    """Wait until the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _reply(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    with contextlib.suppress(OSError):  # the client has left
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def _live(receive: Receive, send: Send) -> None:
    while True:
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
        if kind.endswith("shutdown"):
            return


async def openai_pages(llm: Any, model: str) -> App:
    """Return vLLM's own application, OpenAI's API, over a running ``AsyncLLM``. It asks for no key.

    Args:
        llm: The ``AsyncLLM``.
        model: The name under which it serves the model.

    Raises:
        Exception: If this vLLM builds its application in a way that k2eval does not know.
    """
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    try:  # vLLM 0.32 and later
        from vllm.entrypoints.launchers.api_server.app_state import init_app_state
        from vllm.entrypoints.launchers.app import build_app
        from vllm.entrypoints.launchers.cli_args import make_arg_parser
    except ImportError:
        from vllm.entrypoints.openai.api_server import (
            build_app,
            init_app_state,
        )
        from vllm.entrypoints.openai.cli_args import make_arg_parser
    words = ["--model", model, "--generation-config", "vllm", "--disable-fastapi-docs"]
    arguments = make_arg_parser(FlexibleArgumentParser()).parse_args(words)
    tasks = await llm.get_supported_tasks()
    known = {
        "engine_client": llm,
        "args": arguments,
        "supported_tasks": tasks,
        "model_config": llm.model_config,
        "vllm_config": llm.vllm_config,
    }
    app = build_app(**_taken(build_app, known))
    await init_app_state(**_taken(init_app_state, known | {"state": app.state}))
    return app  # type: ignore[no-any-return]  # FastAPI's


def _taken(function: Callable[..., Any], known: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments that a function takes; those of vLLM's differ from version to version."""
    return {name: known[name] for name in inspect.signature(function).parameters if name in known}
