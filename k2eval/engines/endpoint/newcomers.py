"""Servers that have come to a list while a run goes on."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Coroutine
from types import TracebackType
from typing import Any, Self


class Newcomers:
    """Servers that are met, each in a task of its own, so that one that hangs holds up no other.

    Args:
        join: Meets the server of an address and lets requests go to it; returns whether it answers for the model.
        rest: Looks for which a server that did not answer is left alone, since it may be about to start.
    """

    def __init__(self, join: Callable[[str], Coroutine[Any, Any, bool]], rest: int) -> None:
        self._join = join
        self._rest = rest
        self._refused: Counter[str] = Counter()
        self._joining: dict[str, asyncio.Task[bool]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._joining.values():
            task.cancel()
        await asyncio.gather(*self._joining.values(), return_exceptions=True)

    def look(self, urls: Collection[str]) -> None:
        """Take the addresses that are on the list and have not joined yet."""
        for url, task in [*self._joining.items()]:
            if task.done():
                del self._joining[url]
                if not task.result():
                    self._refused[url] = self._rest
            elif url not in urls:
                del self._joining[url]
                task.cancel()
        for url in urls:
            if url in self._joining:
                continue
            if self._refused[url]:
                self._refused[url] -= 1
            else:
                self._joining[url] = asyncio.create_task(self._join(url))
