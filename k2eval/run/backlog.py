"""The responses that wait for their grade, and the processors' time between the engine and the graders."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence

from k2eval.engines import Engine, SharesProcessors
from k2eval.system import cores, load

_LOOK_EVERY_S = 2.0
_SHARE_EVERY_S = 0.5
_LAST_WORD_S = 1.0
"""Longest wait for an engine that is told that nobody wants its time any more."""
_MANY = 4
"""So many responses waiting for each grading process are more than it grades between two looks."""


class Backlog:
    """Responses that wait for their grade. Once there are too many, none is let in until most have gone.

    So the engine rests meanwhile, and all processors grade. If it went on with each place that is freed, it would work
    on a few requests at a time, which takes as much of the processors as many do and leaves little to the graders.

    Args:
        most: How many there may be.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.count = 0
        """Responses that wait for their grade."""
        self.left = 0
        """Responses that have got their grade."""
        self._open = asyncio.Event()
        self._open.set()

    @property
    def is_closed(self) -> bool:
        """Whether none is let in now."""
        return not self._open.is_set()

    def widen(self, most: int) -> None:
        """Let at least ``most`` wait from now on."""
        self._most = max(self._most, most)

    async def enter(self) -> None:
        """Wait until there is room, and take a place."""
        while self.is_closed:
            await self._open.wait()
        self.count += 1
        if self.count >= self._most:
            self._open.clear()

    def leave(self) -> None:
        """Give a place back."""
        self.count -= 1
        self.left += 1
        if self.count <= self._most // 4:
            self._open.set()


async def hasten_if_starved(
    backlog: Backlog, hasten: Callable[[], None], every_s: float = _LOOK_EVERY_S
) -> None:
    """Call ``hasten`` when graders starve: the engine waits for them, or they grade nothing, and others are busy.

    Args:
        backlog: The responses that wait for their grade.
        hasten: Lets graders take their share of the processors.
        every_s: Seconds between two looks.
    """
    starve = False
    while not starve:
        before = load.sample()
        was_closed, waited, graded = backlog.is_closed, backlog.count > 0, backlog.left
        await asyncio.sleep(every_s)
        is_stuck = waited and backlog.left == graded
        is_slow = was_closed and backlog.is_closed
        starve = (is_stuck or is_slow) and load.others_since(before) >= load.BUSY * cores.count()
    hasten()


async def share_processors(
    backlog: Backlog, workers: Callable[[], int], engines: Sequence[Engine], every_s: float = _SHARE_EVERY_S
) -> None:
    """Let engines on these processors leave time to the graders while many responses wait, until cancelled.

    Args:
        backlog: The responses that wait for their grade.
        workers: Returns the number of grading processes.
        engines: The engines of the run.
        every_s: Seconds between two looks.
    """
    sharing = [engine for engine in engines if isinstance(engine, SharesProcessors)]
    await asyncio.gather(*(_share_with(engine, backlog, workers, every_s) for engine in sharing))


async def _share_with(
    engine: SharesProcessors, backlog: Backlog, workers: Callable[[], int], every_s: float
) -> None:
    try:
        while True:
            await asyncio.sleep(every_s)
            await engine.leave_time(backlog.count >= _MANY * max(1, workers()))
    finally:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORD_S):
                await engine.leave_time(False)
