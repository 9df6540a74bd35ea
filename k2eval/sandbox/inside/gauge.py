"""The near end of the process that measures programs (`k2eval.sandbox.inside.measure`), and what crosses between."""

from __future__ import annotations

import _socket
import errno
import struct
import time
from collections.abc import Sequence

REQUEST = struct.Struct("<q")
"""The limit in bytes. The process's pidfd and the files it writes to come with it."""
ANSWER = struct.Struct("<?q")
"""Whether the program was ended for its memory, and the most bytes it held."""
ENDED = b"E"
"""The request for the answer, once the program has ended."""
DESCRIPTORS_AT_MOST = 8
AFTER_S = 0.02
"""Seconds of a run before it is measured; no program can take much memory in less time."""
BYTES_PER_S = 8 << 30
"""The fastest that a program takes memory."""
TRIES, PAUSE_S = 200, 0.01


class Gauge:
    """Hands programs over to the process that measures them."""

    def __init__(self, end: _socket.socket) -> None:
        self.socket = end

    def watch(self, limit_bytes: int, process: int, files: Sequence[int]) -> None:
        """Have a program measured, and killed once it holds more than ``limit_bytes``.

        Args:
            limit_bytes: Most bytes on top of the warm interpreter.
            process: The pidfd of the program.
            files: Descriptors of the files that it writes to; their content counts too.
        """
        numbers = struct.pack(f"{1 + len(files)}i", process, *files)
        ancillary = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, numbers)]
        for attempt in range(TRIES):
            try:
                self.socket.sendmsg([REQUEST.pack(limit_bytes)], ancillary)
            except OSError as error:
                # All descriptors under way of a user count together: those of other boxes may be many right now.
                if error.errno != errno.ETOOMANYREFS or attempt == TRIES - 1:
                    raise
                time.sleep(PAUSE_S)
            else:
                return

    def result(self) -> tuple[bool, int]:
        """Return whether the program was ended for its memory, and the most bytes that it held."""
        self.socket.sendall(ENDED)
        ended, peak = ANSWER.unpack(self.socket.recv(ANSWER.size))
        return ended, peak


def delay_s(limit_bytes: int) -> float:
    """Return how long a run with this limit may last before it has to be measured."""
    return min(AFTER_S, limit_bytes / BYTES_PER_S)
