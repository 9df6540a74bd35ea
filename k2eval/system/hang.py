"""Functions of the user's that do not return: told while they are waited for, since nothing can end them."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import FrameType

_PACKAGE = str(Path(__file__).resolve().parents[1])
TELL_EVERY_S = 30.0
"""Seconds between two lines about a function that has not returned."""


def busy_with(thread: int) -> str:
    """Return the function that a thread is in, with file and line: the innermost one that the user or a library wrote.

    Args:
        thread: The thread's identifier, as of `threading.get_ident`.
    """
    frame = sys._current_frames().get(thread)
    chosen = frame
    while frame is not None:
        if not _is_ours(frame):
            chosen = frame
            break
        frame = frame.f_back
    if chosen is None:
        return "a thread that has ended"
    code = chosen.f_code
    return f"{code.co_qualname} ({code.co_filename}:{chosen.f_lineno})"


def _is_ours(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(_PACKAGE)


@contextlib.contextmanager
def told(what: str, every_s: float = TELL_EVERY_S) -> Iterator[None]:
    """Print a line every few seconds while the block goes on: what is waited for, since when, and where it is.

    Args:
        what: The function that is called in the block, such as ``adapter own:rows of task own``.
        every_s: Seconds between two lines.
    """
    ended = threading.Event()
    thread = threading.get_ident()
    started, clock = time.monotonic(), time.strftime("%H:%M:%S")

    def tell() -> None:
        while not ended.wait(every_s):
            waited = time.monotonic() - started
            where = busy_with(thread)
            _say(f"still waiting for {what}, since {clock} ({waited:.0f} s), now in {where}. Ctrl-C ends it.")

    teller = threading.Thread(target=tell, name="k2eval-told", daemon=True)
    teller.start()
    try:
        yield
    finally:
        ended.set()


def _say(line: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        print(f"k2eval: {line}", file=sys.stderr, flush=True)


@contextlib.asynccontextmanager
async def watched_loop(every_s: float = TELL_EVERY_S) -> AsyncIterator[None]:
    """Print a line every few seconds in which the event loop stands still: the function that does not return.

    Args:
        every_s: Seconds between two lines.
    """
    ended, moved = threading.Event(), time.monotonic()
    thread = threading.get_ident()

    async def beat() -> None:
        nonlocal moved
        while True:
            moved = time.monotonic()
            await asyncio.sleep(min(1.0, every_s / 4))

    def look() -> None:
        while not ended.wait(every_s):
            stands = time.monotonic() - moved
            if stands >= every_s:
                where = busy_with(thread)
                _say(
                    f"everything waits for {where}, which has not returned for {stands:.0f} s. Ctrl-C ends it."
                )

    beating = asyncio.create_task(beat())
    watcher = threading.Thread(target=look, name="k2eval-watched-loop", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        beating.cancel()
