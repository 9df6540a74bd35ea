"""One worker process as its parent sees it: send, receive within a limit, kill."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from k2eval.grading.worker import IDLE
from k2eval.records import Json

_START_LIMIT_S = 300.0
_CHUNK = 1 << 16
_LOOK_EVERY_S = 0.25
"""Seconds between two looks at a worker's clocks."""
_STARVED_LIMIT_S = 3600.0
"""Seconds that a worker may wait for a processor before it counts as stalled."""

STALL_LIMIT_S = 60.0
"""Seconds that a worker may neither compute nor wait for a processor: stopped, swapped out, on a disk that hangs."""


class WorkerHung(Exception):
    """The worker computed for its whole limit and gave no answer."""


class WorkerStalled(Exception):
    """The worker gave no answer, and did not compute for its whole limit either."""


class WorkerDied(Exception):
    """The worker ended without an answer."""


class WorkerProcess:
    """A process that grades, started fresh: it inherits neither threads nor memory of its parent.

    Not safe for use from several threads at once.

    Args:
        idle: Whether it takes only the processor time that nothing else wants, instead of less than others.
    """

    def __init__(self, idle: bool = False) -> None:
        package_root = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(
            dict.fromkeys([package_root, *(entry or str(Path.cwd()) for entry in sys.path)])
        )
        self._process = subprocess.Popen(
            [sys.executable, "-m", "k2eval.grading.worker", str(os.getpid()), *([IDLE] if idle else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
            process_group=0,
            bufsize=0,
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._stdin = self._process.stdin.fileno()
        self._stdout = self._process.stdout.fileno()
        os.set_blocking(self._stdin, False)
        self.idle = idle
        """Whether it takes only the processor time that nothing else wants."""
        self._unread = b""
        self._loaded: set[str] = set()

    @property
    def pid(self) -> int:
        """Its process id, which is also the id of its process group."""
        return self._process.pid

    def load(self, grader: str) -> None:
        """Have the worker import ``grader``, which takes seconds the first time and is no answer's fault.

        Raises:
            WorkerStalled: If that took minutes.
            WorkerDied: If the worker ended, or said that it cannot.
        """
        if grader in self._loaded:
            return
        self.send(json.dumps({"load": grader}).encode())
        reply = self.receive_within(_START_LIMIT_S)
        if "error" in reply:
            raise WorkerDied(f"grader {grader!r} cannot be loaded: {reply['error']}")
        self._loaded.add(grader)

    def send(self, message: bytes) -> None:
        """Write one message: a line of JSON without its end.

        Raises:
            WorkerStalled: If the worker does not read.
            WorkerDied: If it has ended.
        """
        data = memoryview(message + b"\n")
        deadline = time.monotonic() + _START_LIMIT_S
        while data:
            _, ready, _ = select.select([], [self._stdin], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise WorkerStalled(f"the grading process read nothing within {_START_LIMIT_S:g} s")
            try:
                data = data[os.write(self._stdin, data) :]
            except BrokenPipeError:
                raise WorkerDied(self._last_words()) from None

    def receive(self, limit_s: float, stall_s: float = STALL_LIMIT_S) -> Json:
        """Return the next reply of a worker that computes.

        The limit is processor time of the worker, read from its own clock. A worker that a busy machine gives no
        processor waits as long as it takes (up to an hour). A worker that neither computes nor waits for a
        processor is stalled: stopped, or held up by a disk or by memory.

        Args:
            limit_s: Seconds of processor time.
            stall_s: Seconds of neither computing nor waiting for a processor.

        Raises:
            WorkerHung: If the worker used ``limit_s`` seconds.
            WorkerStalled: If the worker neither computed nor waited for a processor for ``stall_s`` seconds.
            WorkerDied: If the worker ended.
        """
        if (line := self._next_line(_LOOK_EVERY_S)) is not None:
            return json.loads(line.decode())
        # Most replies have come by now, so the clocks are read only from here on.
        start, before = time.monotonic(), _Clocks.of(self.pid)
        while (line := self._next_line(_LOOK_EVERY_S)) is None:
            spent = _Clocks.of(self.pid).since(before)
            idle = time.monotonic() - start - spent.computing_s - spent.waiting_s
            if spent.computing_s >= limit_s:
                raise WorkerHung
            if idle >= stall_s:
                raise WorkerStalled(
                    f"the grading process made no progress for {idle:.0f} s (it computed for {spent.computing_s:.1f} s)"
                )
            if spent.waiting_s >= _STARVED_LIMIT_S:
                raise WorkerStalled(f"the grading process waited {spent.waiting_s:.0f} s for a processor")
        return json.loads(line.decode())

    def receive_within(self, limit_s: float) -> Json:
        """Return the next reply of a worker that waits for others, such as programs with limits of their own.

        Raises:
            WorkerStalled: If there was no reply within ``limit_s`` seconds of wall time. Seconds in which the worker
                waited for a processor do not count.
            WorkerDied: If the worker ended.
        """
        if (line := self._next_line(min(limit_s, _LOOK_EVERY_S))) is not None:
            return json.loads(line.decode())
        start, before = time.monotonic(), _Clocks.of(self.pid)
        while (line := self._next_line(_LOOK_EVERY_S)) is None:
            waited = min(_Clocks.of(self.pid).since(before).waiting_s, _STARVED_LIMIT_S)
            if time.monotonic() - start - waited >= limit_s:
                raise WorkerStalled(f"no grade within {limit_s:g} s")
        return json.loads(line.decode())

    def _next_line(self, wait_s: float) -> bytes | None:
        """Return the next line of the worker, or None if none is complete within ``wait_s`` seconds."""
        deadline = time.monotonic() + wait_s
        while b"\n" not in self._unread:
            ready, _, _ = select.select([self._stdout], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                return None
            chunk = os.read(self._stdout, _CHUNK)
            if not chunk:
                raise WorkerDied(self._last_words())
            self._unread += chunk
        line, _, self._unread = self._unread.partition(b"\n")
        return line

    def _last_words(self) -> str:
        code = self._process.wait(timeout=10)
        return f"the grading process ended with {signal.Signals(-code).name if code < 0 else f'code {code}'}"

    def close(self, grace_s: float = 0.5) -> None:
        """End the worker and all that it started: at the end of its input, else by force."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=grace_s)
        self.kill()

    def strike(self) -> None:
        """End the worker's process group now; whoever waits for a reply learns that the worker died."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            self._process.kill()

    def kill(self) -> None:
        """End the worker's process group now, and release what belongs to it."""
        self.strike()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


class _Clocks(NamedTuple):
    """A process's use of its time, in seconds since its start."""

    computing_s: float
    waiting_s: float
    """Ready to run, but without a processor."""

    @classmethod
    def of(cls, pid: int) -> _Clocks:
        try:
            computing, waiting, _ = Path(f"/proc/{pid}/schedstat").read_text().split()
            threads = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (OSError, ValueError):
            return cls(0.0, 0.0)
        # `schedstat` is exact and knows the main thread alone; `stat` counts ticks of all threads.
        ticks = (int(threads[11]) + int(threads[12])) / os.sysconf("SC_CLK_TCK")
        return cls(max(int(computing) / 1e9, ticks), int(waiting) / 1e9)

    def since(self, before: _Clocks) -> _Clocks:
        return _Clocks(self.computing_s - before.computing_s, self.waiting_s - before.waiting_s)
