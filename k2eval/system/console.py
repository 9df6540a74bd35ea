"""Where words and tables go, and what happens when nobody reads them any more."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import weakref
from collections.abc import Iterator
from typing import TextIO, cast

from rich.console import Console

CLOSED_PIPE = 141
"""Exit code of a command whose reader has gone, as the shell reports it for any filter: 128 + SIGPIPE."""


class ClosedPipe(Exception):
    """Whoever read the output has stopped reading, as ``head`` does; there is nobody to tell more."""


class Outlet(io.TextIOBase):
    """A text stream over a descriptor of its own, which stays open while engines send their output elsewhere.

    It keeps no buffer, so nothing is left over that could fail when Python ends.

    Args:
        stream: Where the text goes. Must be a real file.

    Raises:
        OSError: If the stream has no descriptor, as under a test runner.
    """

    encoding = "utf-8"

    def __init__(self, stream: TextIO) -> None:
        self._descriptor = os.dup(stream.fileno())
        self._spare: int | None = None
        with contextlib.suppress(OSError):  # a process may have been started without standard error
            self._spare = os.dup(2)
        self._loses_nothing = False

    def writable(self) -> bool:
        """Return True."""
        return True

    def isatty(self) -> bool:
        """Return whether the text goes to a terminal."""
        return os.isatty(self._descriptor)

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._descriptor

    def lose_nothing(self) -> None:
        """If the reader goes from now on, continue on standard error, or on the terminal behind it."""
        self._loses_nothing = True

    def write(self, text: str) -> int:
        """Write all of ``text`` at once.

        Raises:
            ClosedPipe: If the reader has gone, unless nothing may be lost.
        """
        content = text.encode("utf-8", "replace")
        try:
            _write(self._descriptor, content)
        except BrokenPipeError as error:
            if not self._loses_nothing:
                raise ClosedPipe from error
            for descriptor in self._elsewhere():
                os.dup2(descriptor, self._descriptor)
                with contextlib.suppress(OSError):
                    _write(self._descriptor, content)
                    break
        return len(text)

    def _elsewhere(self) -> Iterator[int]:
        """Yield descriptors that may still reach the user."""
        if self._spare is not None:
            yield self._spare
        with contextlib.suppress(OSError):
            descriptor = os.open("/dev/tty", os.O_WRONLY)
            try:
                yield descriptor
            finally:
                os.close(descriptor)

    def close(self) -> None:
        """Close the descriptors."""
        if not self.closed:
            os.close(self._descriptor)
            if self._spare is not None:
                os.close(self._spare)
        super().close()


def terminal(*, stderr: bool = False) -> Console:
    """Return a console for words and tables. In a file or a pipe, lines may be wider than a terminal's."""
    stream = sys.stderr if stderr else sys.stdout
    file: Outlet | TextIO
    try:
        file = Outlet(stream)
    except (OSError, ValueError):  # not a real file, as under a test runner
        file = stream
    console = Console(file=cast(TextIO, file))
    if not console.is_terminal:
        console = Console(file=cast(TextIO, file), width=160)
    if file is not stream:
        weakref.finalize(console, file.close)
    return console


def lose_nothing(console: Console) -> None:
    """Keep what is printed from now on, even if Ctrl-C has ended the reader of a pipe as well: show it elsewhere."""
    if isinstance(console.file, Outlet):
        console.file.lose_nothing()


def silence(stream: TextIO) -> None:
    """Flush ``stream``; if its reader has gone, make sure that Python's end finds nothing to complain about."""
    try:
        stream.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            descriptor = os.open(os.devnull, os.O_WRONLY)
            os.dup2(descriptor, stream.fileno())
            os.close(descriptor)


def _write(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]
