"""Engines for actors in tests: each answers as one engine would, but some have a fate."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from k2eval.engines.protocol import Engine, EngineInfo
from k2eval.engines.ray import Blueprint
from k2eval.engines.scripted import ScriptedEngine
from k2eval.errors import EngineError, EngineStopped, PromptTooLong
from k2eval.records import Generation, Request
from tests.engines.fleet.support import text_of


class FatefulEngine:
    """Arguments: ``delay_s`` and ``capacity``; ``fate`` names a folder, in which a file that a test makes with the
    name of a fate is taken by the first engine that finds it.
    """

    def __init__(self, blueprint: Blueprint) -> None:
        self._arguments: dict[str, Any] = blueprint.arguments
        self._engine = ScriptedEngine(
            text_of, capacity=self._arguments.get("capacity", 4), name=blueprint.model
        )
        self._swapped_from: str | None = None
        self.capacity = self._engine.capacity
        self._fate = ""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    @property
    def info(self) -> EngineInfo:
        return self._engine.info.model_copy(update={"swapped_from": self._swapped_from})

    start_s = 0.0

    def obstacle(self, running: Engine) -> str | None:
        assert isinstance(running, FatefulEngine)
        return None

    async def take_over(self, running: Engine) -> None:
        self._look()
        fate, self._fate = self._fate, ""
        await asyncio.sleep(self._arguments.get("delay_s", 0.0))
        if fate == "hang":
            await asyncio.sleep(10**6)
        if fate == "exit":
            os._exit(3)
        if fate == "stop":
            raise EngineError("half of it was loaded")
        self._swapped_from = running.info.name

    def _look(self) -> None:
        folder = self._arguments.get("fate")
        if folder and not self._fate:
            for path in Path(folder).glob("*.fate"):
                try:
                    path.rename(Path(folder) / f"{path.stem}.{os.getpid()}")
                    self._fate = path.stem
                except OSError:
                    continue

    async def generate(self, request: Request) -> Generation:
        self._look()
        delay = self._arguments.get("delay_s", 0.0)
        await asyncio.sleep(delay * 10 if self._fate == "slow" else delay)
        if self._fate == "hang":
            await asyncio.sleep(10**6)
        if self._fate == "stop":
            raise EngineStopped("EngineDeadError: the core has died")
        if self._fate == "exit":
            os._exit(3)
        if self._fate == "bug":
            raise RuntimeError("a fault of ours")
        if request.question_id == "too long":
            raise PromptTooLong("the prompt has 9 tokens, the context 8")
        generation = await self._engine.generate(request)
        return (
            generation.model_copy(update={"seed": 1 - request.seed})
            if self._fate == "nonsense"
            else generation
        )


def fateful(blueprint: Blueprint) -> FatefulEngine:
    return FatefulEngine(blueprint)
