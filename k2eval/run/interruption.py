"""Ctrl-C and SIGTERM during a run: the first ends the run in order, the second at once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Self

from rich.console import Console

from k2eval.system import ClosedPipe, lose_nothing

INTERRUPTED = 130
"""Exit code of a command that was stopped."""


def stop_at_once(number: int, frame: FrameType | None) -> None:
    """End this process; the engine's guard and the kernel end the others. A signal handler."""
    os._exit(INTERRUPTED)


class Interruption:
    """A block whose task is cancelled when the user asks to stop.

    Signals are handled by Python, not by the event loop, so that they are noticed while the loop is busy. Outside
    the main thread, where there are no signals, it does nothing.

    Args:
        console: The console for the message that the run stops.
        signals: Whether to handle signals; a notebook or another program that calls k2eval handles its own.
    """

    def __init__(self, console: Console, signals: bool = True) -> None:
        self.happened = False
        self._console = console
        self._signals = signals
        self._before: dict[int, signal.Handlers | object] = {}

    def __enter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        if self._signals and threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal returned

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.happened:
            self._console.show_cursor(True)
            stop_at_once(number, frame)
        self.happened = True
        # The terminal sends Ctrl-C to a whole pipeline: `tee` is gone before the closing lines are printed.
        lose_nothing(self._console)
        # Not printed here: the handler may have interrupted the very code that prints.
        self._loop.call_soon_threadsafe(self._stop)

    def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
        with contextlib.suppress(ClosedPipe):  # raised in a callback, it would only be logged
            self._console.print("Stopping in order. Press Ctrl-C again to stop at once.")
