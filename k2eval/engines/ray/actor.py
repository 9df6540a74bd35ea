"""The actor that runs one engine. Its methods take and return bytes, and raise nothing that Ray would log."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Callable

import k2eval
from k2eval.engines.fleet import Health
from k2eval.engines.protocol import Engine, Succeeds, Supervised
from k2eval.engines.ray import wire
from k2eval.engines.ray.blueprint import Blueprint
from k2eval.engines.ray.logs import log_here
from k2eval.errors import EngineError, EngineStopped, K2EvalError

_SETTLED_S = 10.0
"""Time in which requests that were cancelled must have ended before other weights come."""
_LOOK_S = 0.05
_WORDS_S = 0.5
"""Time for the last replies of an actor whose engine is dead."""
_THREADS_OF_RAY = "OMP_NUM_THREADS"
"""Ray sets it to 1 for an actor without processors of its own; engines count their cores themselves."""


class ReplicaActor:
    """One engine in a process of its own.

    Args:
        blueprint: The engine, as JSON of `Blueprint`.
        log: The file for the engine's output.
        own_log: The name of the file that takes it if the folder of ``log`` is not on this node; see `log_here`.
        cores: The cores that the process may use; all if empty.
    """

    def __init__(self, blueprint: str, log: str, own_log: str, cores: list[int]) -> None:
        self._blueprint = Blueprint.model_validate(json.loads(blueprint))
        self._log = log_here(log, own_log)
        self._cores = cores
        self._engine: Engine
        self._leaving = ""
        self._in_flight = 0

    async def start(self) -> bytes:
        """Start the engine; return identity and window."""
        os.environ.pop(_THREADS_OF_RAY, None)
        for name, value in self._blueprint.environment.items():
            os.environ.setdefault(name, value)
        if self._blueprint.folder:
            with contextlib.suppress(OSError):
                os.chdir(self._blueprint.folder)
        if self._cores:
            os.sched_setaffinity(0, self._cores)
        try:
            self._engine = self._blueprint.open(self._log)
            await self._engine.__aenter__()
        except K2EvalError as error:
            return wire.pack_error(error)
        heed_sigterm(self._leave)
        return wire.pack_started(self._word())

    async def swap(self, blueprint: str) -> bytes:
        """Let another engine take over the one that runs; return identity and window.

        After an error the actor is to be killed: its weights may be half those of another checkpoint.
        """
        try:
            await self._settled()
            successor = Blueprint.model_validate(json.loads(blueprint))
            engine = await asyncio.to_thread(successor.open, self._log)
            if not isinstance(engine, Succeeds):
                raise EngineError("such engines cannot swap their weights")
            if reason := await asyncio.to_thread(engine.obstacle, self._engine):
                raise EngineError(reason)
            await engine.take_over(self._engine)
        except K2EvalError as error:
            return wire.pack_error(error)
        self._engine = engine
        return wire.pack_started(self._word())

    async def _settled(self) -> None:
        """Wait until no request is in flight: some may just be cancelled."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _SETTLED_S
        while self._in_flight:
            if loop.time() > until:
                raise EngineError(f"it still answers {self._in_flight} requests")
            await asyncio.sleep(_LOOK_S)

    def _word(self) -> wire.Started:
        return wire.Started(self._engine.info, self._engine.capacity, os.getpid(), k2eval.__version__)

    def _leave(self) -> None:
        self._leaving = "it got SIGTERM"

    async def generate(self, request: bytes) -> bytes:
        """Answer one request."""
        self._in_flight += 1
        try:
            generation = await self._engine.generate(wire.unpack_request(request))
        except EngineStopped as error:
            self._end_soon()
            return wire.pack_error(error)
        except K2EvalError as error:
            return wire.pack_error(error)
        except Exception as error:  # a fault of ours, which may quote the prompt
            return wire.pack_error(EngineStopped(f"{type(error).__name__}: {error}"))
        finally:
            self._in_flight -= 1
        return wire.pack_generation(generation)

    async def health(self) -> bytes:
        """Return the state."""
        progress = None
        if isinstance(self._engine, Supervised):
            progress = self._engine.progress
            if self._engine.is_dead:
                self._end_soon()
                return wire.pack_error(EngineStopped("its engine is dead"))
        return wire.pack_health(Health(self._engine.info, progress, self._leaving))

    def _end_soon(self) -> None:
        """End this process, not the run: a dead engine answers nothing more."""
        asyncio.get_running_loop().call_later(_WORDS_S, os._exit, 1)


def heed_sigterm(leave: Callable[[], None]) -> None:
    """Call ``leave`` when SIGTERM comes, instead of ending this process.

    Only Ray's own code runs in the main thread, where handlers can be set. Its handler calls a function that is
    replaced here. If a later Ray has no such function, SIGTERM ends the actor at once, which costs its requests.
    """
    from ray._private import worker

    name = "raise_sys_exit_with_custom_error_message"
    if hasattr(worker, name):
        setattr(worker, name, lambda *_, **__: leave())
