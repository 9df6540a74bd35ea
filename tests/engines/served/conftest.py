"""A web server in this process whose pages are those of a scripted engine."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import psutil
import pytest

from k2eval.engines.scripted import ScriptedEngine
from k2eval.engines.served import asked_of
from k2eval.engines.served.states import ServerState, boot, host, write_state
from k2eval.engines.served.web import Pages
from k2eval.records import Message, Request, Sampling

KEY = "a-key"
Served = Callable[[Any], AbstractAsyncContextManager[ServerState]]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of state files, which is this test's own."""
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "k2eval" / "servers"


def state_of(engine: Any, **changes: Any) -> ServerState:
    state = ServerState(
        pid=os.getpid(),
        began=psutil.Process().create_time(),
        host=host(),
        boot=boot(),
        phase="ready",
        model="m",
        asked=asked_of(engine),
        log=Path("server.log"),
        key=KEY,
        window=8,
        info=engine.info,
    )
    return state.model_copy(update=changes)


@contextlib.asynccontextmanager
async def _served(engine: Any) -> AsyncIterator[ServerState]:
    import uvicorn

    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(Pages(engine, KEY), log_config=None, timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign, assignment]
        task = asyncio.create_task(server.serve(sockets=[listening]))
        state = state_of(engine, url=f"http://127.0.0.1:{listening.getsockname()[1]}/v1")
        write_state(state)
        try:
            yield state
        finally:
            server.should_exit = True
            await task


@pytest.fixture
def served() -> Served:
    return _served


def request(key: str = "k", **sampling: Any) -> Request:
    return Request(
        key=key,
        task="t",
        question_id="q",
        repeat_index=0,
        stage="solve",
        messages=(Message(role="user", content="How many?"),),
        sampling=Sampling(**sampling),
        seed=7,
    )


def scripted(script: Callable[[Request], str] = lambda asked: "35", **settings: Any) -> ScriptedEngine:
    return ScriptedEngine(script, name="m", **settings)
