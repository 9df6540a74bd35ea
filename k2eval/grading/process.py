"""One worker process as its parent sees it: bytes out, lines in, its clocks, its end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections import deque
from pathlib import Path
from typing import NamedTuple

from k2eval.grading.worker import IDLE
from k2eval.system import start_module

_CHUNK = 1 << 18
_MOST_UNREAD = 64 << 20
"""Bytes without the end of a line, of a worker that does not write replies any more."""
_DEATH_S = 5.0
"""Seconds that the kernel may take to end a process."""

STALL_LIMIT_S = 60.0
"""Seconds that a worker may neither compute nor wait for a processor: stopped, swapped out, on a disk that hangs."""
STARVED_LIMIT_S = 3600.0
"""Seconds that a worker may wait for a processor before it counts as stalled."""


class WorkerHung(Exception):
    """The worker computed for its whole limit and gave no answer."""


class WorkerStalled(Exception):
    """The worker gave no answer, and did not compute for its whole limit either."""


class WorkerDied(Exception):
    """The worker ended without an answer."""


class Clocks(NamedTuple):
    """A process's use of its time, in seconds since its start."""

    computing_s: float
    waiting_s: float
    """Ready to run, but without a processor."""

    @classmethod
    def of(cls, pid: int) -> Clocks:
        """Read the clocks of a process; zeros if it is gone."""
        try:
            computing, waiting, _ = Path(f"/proc/{pid}/schedstat").read_text().split()
            threads = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (OSError, ValueError):
            return cls(0.0, 0.0)
        # `schedstat` is exact and knows the main thread alone; `stat` counts ticks of all threads.
        ticks = (int(threads[11]) + int(threads[12])) / os.sysconf("SC_CLK_TCK")
        return cls(max(int(computing) / 1e9, ticks), int(waiting) / 1e9)

    def since(self, before: Clocks) -> Clocks:
        """Return what was used since an earlier reading."""
        return Clocks(self.computing_s - before.computing_s, self.waiting_s - before.waiting_s)


class WorkerProcess:
    """A process that grades, started fresh: it inherits neither threads nor memory of its parent.

    Its pipes never block. Not safe for use from several threads at once.

    Args:
        idle: Whether it takes only the processor time that nothing else wants, instead of less than others.
    """

    def __init__(self, idle: bool = False) -> None:
        self._process = start_module("k2eval.grading.worker", *([IDLE] if idle else []))
        assert self._process.stdin is not None and self._process.stdout is not None
        self.stdin = self._process.stdin.fileno()
        self.stdout = self._process.stdout.fileno()
        os.set_blocking(self.stdin, False)
        os.set_blocking(self.stdout, False)
        self.idle = idle
        """Whether it takes only the processor time that nothing else wants."""
        self._unread: list[bytes] = []
        self._unread_size = 0
        self._unsent: deque[memoryview] = deque()

    @property
    def pid(self) -> int:
        """Its process id, which is also the id of its process group."""
        return self._process.pid

    def send(self, message: bytes) -> bool:
        """Send one message: a line of JSON without its end. Return whether all has been written; see `flush`.

        Raises:
            WorkerDied: If the worker has ended.
        """
        self._unsent.append(memoryview(message + b"\n"))
        return self.flush()

    def flush(self) -> bool:
        """Write what the pipe takes of what is left; return whether nothing is left.

        Raises:
            WorkerDied: If the worker has ended.
        """
        while self._unsent:
            data = self._unsent[0]
            try:
                written = os.write(self.stdin, data)
            except BlockingIOError:
                return False
            except BrokenPipeError:
                raise WorkerDied(self._last_words()) from None
            if written == len(data):
                self._unsent.popleft()
            else:
                self._unsent[0] = data[written:]
        return True

    def lines(self) -> list[bytes]:
        """Return the lines that have come since the last call, without their ends.

        Raises:
            WorkerDied: If the worker has ended and its last line has been returned.
        """
        try:
            chunk = os.read(self.stdout, _CHUNK)
        except BlockingIOError:
            return []
        if not chunk:
            raise WorkerDied(self._last_words())
        if b"\n" not in chunk:
            self._unread.append(chunk)
            self._unread_size += len(chunk)
            if self._unread_size > _MOST_UNREAD:
                raise WorkerDied(f"the grading process wrote {_MOST_UNREAD >> 20} MiB without an end of line")
            return []
        *lines, rest = b"".join([*self._unread, chunk]).split(b"\n")
        self._unread, self._unread_size = [rest], len(rest)
        return lines

    def clocks(self) -> Clocks:
        """Read the clocks of the process."""
        return Clocks.of(self.pid)

    def _last_words(self) -> str:
        self.strike()  # a process that only closed its pipes must end, too; one that has ended keeps its code
        try:
            code = self._process.wait(timeout=_DEATH_S)
        except subprocess.TimeoutExpired:
            return "the grading process closed its pipes, and cannot be killed"
        return f"the grading process ended with {signal.Signals(-code).name if code < 0 else f'code {code}'}"

    def strike(self) -> None:
        """End the worker's process group now."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    def kill(self) -> None:
        """End the worker's process group now, and release what belongs to it."""
        self.strike()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=_DEATH_S)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
