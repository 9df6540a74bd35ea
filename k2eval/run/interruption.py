"""Ctrl-C, SIGTERM and SIGHUP during a run: the first ends the run in order, a second one at once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import sys
import threading
import time
from types import FrameType, TracebackType
from typing import Self

from rich.console import Console

from k2eval.system import ClosedPipe, busy_with, end_now, heeded, lose_nothing

_UNHEEDED_S = 10.0
"""Seconds after which the process is ended at once if its event loop has not heeded a signal."""
_UNFINISHED_S = 60.0
"""Seconds that the end in order may take if no person is there to ask for more."""
_REPEATED_S = 1.0
"""Seconds within which a signal is the same one again: ``timeout`` and shells send theirs twice."""


class Interruption:
    """A block whose task is cancelled when the user asks to stop.

    Signals are handled by Python, not by the event loop, so that they are noticed while the loop is busy. Outside
    the main thread, where there are no signals, it does nothing.

    Args:
        console: The console for the message that the run stops.
        signals: Whether to handle signals; a notebook or another program that calls k2eval handles its own.
    """

    def __init__(self, console: Console, signals: bool = True) -> None:
        self.signal: signal.Signals | None = None
        """The signal that came; None if none did."""
        self._console = console
        self._signals = signals
        self._since = 0.0
        self._heeded = threading.Event()
        self._before: dict[int, signal.Handlers | object] = {}
        self._pipe: tuple[int, int] | None = None

    @property
    def happened(self) -> bool:
        """Whether a signal came."""
        return self.signal is not None

    def __enter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        if self._signals and threading.current_thread() is threading.main_thread():
            self._main = threading.get_ident()
            self._pipe = os.pipe()
            # It waits from the start: a handler may not start a thread, whose locks the interrupted code may hold.
            self._insister = threading.Thread(target=self._insist, name="k2eval-interruption", daemon=True)
            self._insister.start()
            for number in heeded():
                self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal returned
        if self._pipe is not None:
            os.close(self._pipe[1])  # ends the thread
            self._insister.join()
            os.close(self._pipe[0])

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None:
            if number == signal.SIGINT or (
                number == signal.SIGTERM and time.monotonic() - self._since > _REPEATED_S
            ):
                self._console.show_cursor(True)
                end_now(number)
            return
        self._since = time.monotonic()
        self.signal = signal.Signals(number)
        # The terminal sends Ctrl-C to a whole pipeline: `tee` is gone before the closing lines are printed.
        lose_nothing(self._console)
        # Not printed here: the handler may have interrupted the very code that prints.
        self._loop.call_soon_threadsafe(self._stop)
        if self._pipe is not None:
            os.write(self._pipe[1], b"!")

    def _stop(self) -> None:
        self._heeded.set()
        if self._task is not None:
            self._task.cancel()
        with contextlib.suppress(ClosedPipe):  # raised in a callback, it would only be logged
            if self.signal == signal.SIGINT:
                self._console.print("Stopping in order. Press Ctrl-C again to stop at once.")
            elif self.signal is not None:
                self._console.print(f"Got {self.signal.name}: stopping in order.")

    def _insist(self) -> None:
        """End the process if the event loop or the end in order hangs; a thread of its own."""
        if self._pipe is None or not os.read(self._pipe[0], 1) or self.signal is None:
            return
        if not self._heeded.wait(_UNHEEDED_S):
            self._end_at_once(f"waits for {busy_with(self._main)}")
        unattended = self.signal != signal.SIGINT
        if unattended and not select.select([self._pipe[0]], [], [], _UNFINISHED_S)[0]:
            self._end_at_once(f"has not ended within {_UNFINISHED_S:g} s")

    def _end_at_once(self, reason: str) -> None:
        number = self.signal or signal.SIGTERM
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(
                f"k2eval: ended at once by {number.name}, since the run {reason}. Everything finished before is kept; "
                "the same command goes on from there.\n"
            )
            sys.stderr.flush()
        end_now(number)
