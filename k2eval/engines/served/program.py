"""The process of a server: one engine, its pages on the loopback address, and its state file.

Reads its order from standard input, so that no key and no setting shows in a list of processes.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from k2eval.engines.kinds import open_engine
from k2eval.engines.protocol import Engine, Supervised
from k2eval.engines.served.states import ServerState, boot, forget, host, path_of, write_state
from k2eval.engines.served.web import Pages, openai_pages
from k2eval.engines.vllm.spare import begin_ahead, end_spare
from k2eval.errors import K2EvalError
from k2eval.reasoning import Detection
from k2eval.records import Json, ReasoningFormat, Record

_LOOK_EVERY_S = 1.0
_GRACE_S = 3
"""Seconds that open requests get when the server ends."""


class Order(Record):
    """What a server is to be."""

    kind: str
    model: str
    arguments: Mapping[str, Json]
    speculative: dict[str, Json] | None
    reasoning: ReasoningFormat
    reasoning_from: str
    asked: Mapping[str, Json]
    log: Path
    port: int = 0
    idle_s: float = 0.0
    """Seconds without a request after which the server ends; 0 for never."""


def main() -> None:
    """Serve until a signal, the end of the engine, or a long rest."""
    order = Order.model_validate_json(sys.stdin.buffer.read())
    sys.exit(asyncio.run(_Server(order).run()))


class _Server:
    def __init__(self, order: Order) -> None:
        self._order = order
        self._web: Any = None
        self._task: asyncio.Task[Any] | None = None
        model = order.model
        self._state = ServerState(
            pid=os.getpid(),
            began=psutil.Process().create_time(),
            host=host(),
            boot=boot(),
            phase="starting",
            model=str(Path(model).resolve()) if Path(model).exists() else model,
            asked=order.asked,
            log=order.log,
        )

    async def run(self) -> int:
        self._task = asyncio.current_task()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        path = path_of(os.getpid())
        write_state(self._state)
        try:
            await self._serve()
        except asyncio.CancelledError:
            pass
        except K2EvalError as error:
            write_state(self._state.model_copy(update={"phase": "failed", "error": str(error)}))
            return 2
        finally:
            end_spare()
        forget(path)
        return 0

    def _stop(self) -> None:
        """End in order: the pages first, then the engine."""
        if self._web is not None:
            self._web.should_exit = True
        elif self._task is not None:
            self._task.cancel()

    async def _serve(self) -> None:
        if self._order.kind == "vllm":
            begin_ahead()
        import uvicorn

        order, began = self._order, time.monotonic()
        detection = Detection(order.reasoning, order.reasoning_from)
        engine = open_engine(
            order.kind, order.model, order.arguments, order.speculative, order.log, detection
        )
        key = secrets.token_urlsafe(32)
        async with engine:
            pages = Pages(engine, key, await _others(engine, order.model))
            with socket.create_server(("127.0.0.1", order.port)) as listening:
                self._web = uvicorn.Server(
                    uvicorn.Config(
                        pages,
                        log_level="warning",
                        access_log=False,
                        timeout_graceful_shutdown=_GRACE_S,
                        h11_max_incomplete_event_size=None,
                    )
                )
                self._web.capture_signals = contextlib.nullcontext  # this process has its own
                self._state = self._state.model_copy(
                    update={
                        "phase": "ready",
                        "url": f"http://127.0.0.1:{listening.getsockname()[1]}/v1",
                        "key": key,
                        "window": engine.capacity,
                        "start_s": round(time.monotonic() - began, 3),
                        "ready": time.time(),
                        "info": engine.info,
                    }
                )
                write_state(self._state)
                watch = asyncio.create_task(self._watch(engine, pages))
                try:
                    await self._web.serve(sockets=[listening])
                finally:
                    watch.cancel()
                    forget(path_of(os.getpid()))  # before the engine ends: no run is to find it any more

    async def _watch(self, engine: Engine, pages: Pages) -> None:
        """End the server when its engine has died, its state file is gone, or nobody has asked for long."""
        rested_since = time.monotonic()
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            if pages.in_flight or pages.take_seen():
                rested_since = time.monotonic()
            rests = self._order.idle_s and time.monotonic() - rested_since > self._order.idle_s
            is_dead = isinstance(engine, Supervised) and engine.is_dead
            if rests or is_dead or not path_of(os.getpid()).exists():
                self._web.should_exit = True


async def _others(engine: Engine, model: str) -> Any:
    """Return vLLM's own pages; None, with a line in the log, if this vLLM does not let k2eval build them."""
    llm = getattr(engine, "llm", None)
    if llm is None:
        return None
    try:
        return await openai_pages(llm, model)
    except Exception as error:  # whatever another version of vLLM raises
        print(f"k2eval: OpenAI's API is not served: {type(error).__name__}: {error}", flush=True)
        return None


if __name__ == "__main__":
    main()
