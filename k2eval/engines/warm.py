"""Engines that stay up between runs, so that the next checkpoint of the same architecture need not start one."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager

from k2eval.engines.protocol import Engine, Succeeds, Supervised
from k2eval.errors import EngineError

Starting = Callable[[Engine], AbstractContextManager[None]]
"""Shows that an engine starts, for the time of a block."""


class WarmEngines:
    """The engines that the runs of one event loop hand on to each other.

    A run holds its engines one after the other, always in the same order, so that each meets its predecessor. All runs
    must be in the same event loop, which may rest between them. Call `close` at the end.
    """

    def __init__(self) -> None:
        self._kept: list[Engine] = []
        self._held = 0

    @contextlib.asynccontextmanager
    async def hold(
        self, engine: Engine, starting: Starting, tell: Callable[[str], None]
    ) -> AsyncIterator[None]:
        """Have an engine up for the time of a block: take over the one of the run before, or start it.

        After a block that raises nothing an engine stays up, if it is one that others can take over.

        Args:
            engine: The engine, not started yet.
            starting: Shows that the engine starts.
            tell: Takes a line for the user.

        Raises:
            ConfigError: If a setting of the engine is wrong.
            EngineError: If the engine cannot start.
        """
        place = self._held
        if not isinstance(engine, Succeeds):
            await self._close_from(place)
            with starting(engine):
                await engine.__aenter__()
            async with _leaving(engine):
                yield
            return
        if not await self._took_over(engine, place, tell):
            await self._close_from(place)
            with starting(engine):
                await engine.__aenter__()
            self._kept.append(engine)
        self._held = place + 1
        try:
            yield
        except BaseException:
            await self._close_from(place)
            raise
        finally:
            self._held = place
        if isinstance(engine, Supervised) and engine.is_dead:
            await self._close_from(place)

    async def _took_over(self, engine: Succeeds, place: int, tell: Callable[[str], None]) -> bool:
        if place >= len(self._kept):
            return False
        running = self._kept[place]
        reason = engine.obstacle(running)
        began = time.monotonic()
        if reason is None:
            try:
                await engine.take_over(running)
            except EngineError as error:
                reason = str(error)
            except BaseException:  # cancelled: the weights may be half those of another checkpoint
                await self._close_from(place)
                raise
        if reason is not None:
            tell(f"the engine starts anew: {reason.rstrip('.')}.")
            return False
        self._kept[place] = engine
        swapped_from, elapsed = engine.info.swapped_from, time.monotonic() - began
        if swapped_from:
            tell(
                f"swapped the weights of {swapped_from} for these in {elapsed:.1f} s; starting the engine had taken "
                f"{engine.start_s:.1f} s."
            )
        else:
            tell("the engine of the run before goes on.")
        return True

    async def close(self) -> None:
        """End all engines that are up."""
        await self._close_from(0)

    async def _close_from(self, place: int) -> None:
        while len(self._kept) > place:
            await self._kept.pop().__aexit__(None, None, None)


@contextlib.asynccontextmanager
async def _leaving(engine: Engine) -> AsyncIterator[None]:
    """Leave an engine that has been entered, at the end of a block."""
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_exit(engine)
        yield
