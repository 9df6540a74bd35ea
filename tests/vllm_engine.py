"""The one real vLLM that tests share; its fixtures are in ``conftest.py``."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from k2eval.engines.protocol import EngineInfo
from k2eval.engines.vllm.engine import VllmEngine
from k2eval.records import Generation, Request

CONTEXT = 2048


class Lent:
    """An engine that somebody else starts and stops."""

    def __init__(self, engine: VllmEngine) -> None:
        self._engine = engine
        self.capacity = engine.capacity

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    @property
    def info(self) -> EngineInfo:
        return self._engine.info

    async def generate(self, request: Request) -> Generation:
        return await self._engine.generate(request)
