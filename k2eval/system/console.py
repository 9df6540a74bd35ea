"""The output of text and tables, and the end of a command whose reader has gone."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
import weakref
from collections.abc import Iterator
from typing import Any, TextIO, cast

from rich.console import Console
from rich.errors import MarkupError
from rich.text import Text

from k2eval.errors import ConfigError
from k2eval.texts import showable

CLOSED_PIPE = 141
"""Exit code of a command whose reader has gone, 128 + SIGPIPE, as the shell reports it for any filter."""


class ClosedPipe(Exception):
    """The reader of the output has stopped reading, as ``head`` does."""


class Outlet(io.TextIOBase):
    """A text stream over a descriptor of its own, which stays open while engines send their output elsewhere.

    The stream keeps no buffer, so no rest of it can fail when Python ends.

    Args:
        stream: The stream to write to, a real file.

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
        """Tell whether the text goes to a terminal."""
        return os.isatty(self._descriptor)

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._descriptor

    def lose_nothing(self) -> None:
        """Continue on standard error, or else on the terminal, if the reader goes from now on."""
        self._loses_nothing = True

    def write(self, text: str) -> int:
        """Write all of ``text`` at once.

        Raises:
            ClosedPipe: If the reader has gone, unless nothing may be lost.
            ConfigError: If the output cannot be written, as on a full disk.
        """
        content = text.encode("utf-8", "replace")
        try:
            _write(self._descriptor, content)
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.EIO):  # EIO: the terminal has gone
                raise ConfigError(f"Cannot write the output: {error.strerror}. Send it elsewhere.") from error
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


class _Console(Console):
    """A console that shows texts of others, such as names in a run directory, without what could move the cursor."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a text as rich shows it, or as it stands if it is no markup of rich."""
        try:
            return super().render_str(showable(text), **options)
        except MarkupError:
            return Text(showable(text))


def terminal(*, stderr: bool = False) -> Console:
    """Return a console for words and tables. In a file or a pipe, lines may be wider than a terminal's."""
    stream = sys.stderr if stderr else sys.stdout
    file: Outlet | TextIO
    try:
        file = Outlet(stream)
    except (OSError, ValueError):  # not a real file, as under a test runner
        file = stream
    console = _Console(file=cast(TextIO, file))
    if not console.is_terminal:
        console = _Console(file=cast(TextIO, file), width=160)
    if file is not stream:
        weakref.finalize(console, file.close)
    return console


def lose_nothing(console: Console) -> None:
    """Show all further output elsewhere if the reader has gone, as a pipe's reader may do after Ctrl-C."""
    if isinstance(console.file, Outlet):
        console.file.lose_nothing()


def silence(stream: TextIO) -> None:
    """Flush ``stream``; if its reader has gone, discard the rest, so that Python ends without an error."""
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
