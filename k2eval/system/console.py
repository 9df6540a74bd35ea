"""Where words and tables go."""

from __future__ import annotations

import os
import sys
import weakref
from typing import TextIO

from rich.console import Console


def terminal(*, stderr: bool = False) -> Console:
    """Where words and tables go. Into a file or a pipe they are not broken to the width of a terminal."""
    given = sys.stderr if stderr else sys.stdout
    stream = _own_stream(given)
    console = Console(file=stream)
    if not console.is_terminal:
        console = Console(file=stream, width=160)
    if stream is not given:
        weakref.finalize(console, stream.close)
    return console


def _own_stream(stream: TextIO) -> TextIO:
    """A second way to where ``stream`` goes, which stays open while engines send their own output elsewhere."""
    try:
        return os.fdopen(os.dup(stream.fileno()), "w", buffering=1, encoding="utf-8", errors="replace")
    except (OSError, ValueError):  # not a real file, as under a test runner
        return stream
