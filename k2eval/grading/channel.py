"""The way to a crew: its program on this host, behind two pipes. Crews on other nodes have channels of their own."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Callable
from typing import Protocol

from k2eval.grading.process import Clocks
from k2eval.system import start_module

CREW = "k2eval.grading.crew"
"""The module of a crew's program."""
_CHUNK = 1 << 20
_GRACE_S = 3.0
"""Seconds for a crew to end its workers in order."""


class Channel(Protocol):
    """The way to a crew. Its methods may be called from any thread and do not block, apart from `close`."""

    name: str
    """The crew for people, such as ``crew 0``."""
    end: str
    """The reason of its end, once it has ended."""

    def open(self, receive: Callable[[bytes], None]) -> None:
        """Start the crew.

        Args:
            receive: Takes what the crew writes, in any thread; nothing once at its end.
        """

    def send(self, data: bytes) -> None:
        """Send bytes to the crew, after all that was sent before."""

    def waited_s(self) -> float:
        """Return the seconds since its start in which the crew waited for a processor; 0 if they cannot be known."""

    def close(self) -> None:
        """End the crew and all its workers."""


class PipeChannel:
    """A crew on this host. Linux ends it with the thread that opens the channel.

    Args:
        name: The name for people.
        settings: The argument of the program.
    """

    def __init__(self, name: str, settings: str) -> None:
        self.name = name
        self.end = "it was ended"
        self.pid = 0
        self._settings = settings
        self._process: subprocess.Popen[bytes]
        self._orders: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()

    def open(self, receive: Callable[[bytes], None]) -> None:
        """Start the crew; see `Channel`."""
        self._process = start_module(CREW, self._settings)
        self.pid = self._process.pid
        for target, arguments in ((self._read, (receive,)), (self._write, ())):
            threading.Thread(target=target, args=arguments, name=f"k2eval-{self.name}", daemon=True).start()

    def _read(self, receive: Callable[[bytes], None]) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as source, contextlib.suppress(OSError, ValueError):
            while data := os.read(source.fileno(), _CHUNK):
                receive(data)
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self._process.wait(timeout=_GRACE_S)
            self.end = f"it ended with {signal.Signals(-code).name if code < 0 else f'code {code}'}"
        receive(b"")

    def _write(self) -> None:
        """Write what is there at a time, by the dozen if there is much."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError), self._process.stdin as sink:
            is_open = True
            while is_open:
                parts = [self._orders.get()]
                with contextlib.suppress(queue.Empty):
                    while True:
                        parts.append(self._orders.get_nowait())
                is_open = None not in parts
                data = memoryview(b"".join(part for part in parts if part))
                while data:
                    data = data[os.write(sink.fileno(), data) :]

    def send(self, data: bytes) -> None:
        """Send bytes; see `Channel`."""
        self._orders.put(data)

    def waited_s(self) -> float:
        """Return its wait for a processor; see `Channel`."""
        return Clocks.of(self.pid).waiting_s

    def close(self) -> None:
        """End the crew; see `Channel`."""
        self._orders.put(None)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=_GRACE_S)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
