"""The actor that runs one engine. Its methods take and return bytes, and raise nothing that Ray would log."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import k2eval
from k2eval.engines.fleet import Health
from k2eval.engines.protocol import Engine, Supervised
from k2eval.engines.ray import wire
from k2eval.engines.ray.blueprint import Blueprint
from k2eval.errors import EngineStopped, K2EvalError

_WORDS_S = 0.5
"""Time for the last replies of an actor whose engine is dead."""
_THREADS_OF_RAY = "OMP_NUM_THREADS"
"""Ray sets it to 1 for an actor without processors of its own; engines count their cores themselves."""


class ReplicaActor:
    """One engine in a process of its own.

    Args:
        blueprint: The engine, as JSON of `Blueprint`.
        log: The file for the engine's output. If its folder is not on this node, a temporary file takes it.
        cores: The cores that the process may use; all if empty.
    """

    def __init__(self, blueprint: str, log: str, cores: list[int]) -> None:
        self._blueprint = Blueprint.model_validate(json.loads(blueprint))
        self._log = log
        self._cores = cores
        self._engine: Engine
        self._leaving = ""

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
            self._engine = self._blueprint.open(self._own_log())
            await self._engine.__aenter__()
        except K2EvalError as error:
            return wire.pack_error(error)
        heed_sigterm(self._leave)
        window = self._engine.capacity
        if (
            self._blueprint.kind == "vllm"
        ):  # whose capacity is twice its places; further requests wait at the gate
            window = window // 2 + max(1, window // 16)
        return wire.pack_started(wire.Started(self._engine.info, window, os.getpid(), k2eval.__version__))

    def _own_log(self) -> Path | None:
        if not self._log:
            return None
        path = Path(self._log)
        if path.parent.is_dir() and os.access(path.parent, os.W_OK):
            return path
        descriptor, name = tempfile.mkstemp(prefix=f"k2eval-{os.getpid()}-engine-", suffix=".log")
        os.close(descriptor)
        return Path(name)

    def _leave(self) -> None:
        self._leaving = "it got SIGTERM"

    async def generate(self, request: bytes) -> bytes:
        """Answer one request."""
        try:
            generation = await self._engine.generate(wire.unpack_request(request))
        except EngineStopped as error:
            self._end_soon()
            return wire.pack_error(error)
        except K2EvalError as error:
            return wire.pack_error(error)
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
