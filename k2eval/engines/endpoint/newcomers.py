"""Servers that have come to a list while a run goes on."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Coroutine
from typing import Any


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
        self.joining: dict[str, asyncio.Task[bool]] = {}
        """Those that are being met, by their addresses."""

    async def close(self) -> None:
        """Meet nobody any more."""
        for task in self.joining.values():
            task.cancel()
        await asyncio.gather(*self.joining.values(), return_exceptions=True)
        self.joining.clear()

    def settle(self) -> None:
        """Forget those that have been met, or did not answer for the model.

        Raises:
            Exception: If one could not be met for a reason of our own.
        """
        for url, task in [*self.joining.items()]:
            if task.done():
                del self.joining[url]
                if not task.result():
                    self._refused[url] = self._rest

    def look(self, urls: Collection[str]) -> None:
        """Take the addresses that are on the list and have not joined yet.

        Raises:
            Exception: As `settle` does.
        """
        self.settle()
        for url in [url for url in self.joining if url not in urls]:
            self.joining.pop(url).cancel()
        for url in urls:
            if url in self.joining:
                continue
            if self._refused[url]:
                self._refused[url] -= 1
            else:
                self.joining[url] = asyncio.create_task(self._join(url))
