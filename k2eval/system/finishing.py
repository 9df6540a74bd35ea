"""Work that goes on to its end although its task is cancelled, such as the removal of what others could read."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def finished(work: Coroutine[Any, Any, T]) -> T:
    """Wait for the end of some work. A cancellation meanwhile takes effect after it.

    >>> async def remove() -> str:
    ...     await asyncio.sleep(0.01)
    ...     return "removed"
    >>> asyncio.run(finished(remove()))
    'removed'

    Args:
        work: Something that ends by itself in a short time.
    """
    task = asyncio.ensure_future(work)
    cancellation: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancellation = error
        except BaseException:
            break  # the task's own, raised below
    if cancellation is not None and not task.cancelled():
        task.exception()  # looked at; the cancellation says more
        raise cancellation
    return task.result()
