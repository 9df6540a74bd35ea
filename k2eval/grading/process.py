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

from k2eval.grading.worker import IDLE
from k2eval.records import Json

_START_LIMIT_S = 300.0
_CHUNK = 1 << 16
_PATIENCE = 4.0


class WorkerHung(Exception):
    """The worker did not answer within the limit."""


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
        self._unread = b""
        self._loaded: set[str] = set()

    @property
    def pid(self) -> int:
        """Its process id, which is also the id of its process group."""
        return self._process.pid

    def load(self, grader: str) -> None:
        """Have the worker import ``grader``, which takes seconds the first time and is no answer's fault.

        Raises:
            WorkerHung: If that took minutes.
            WorkerDied: If the worker ended, or said that it cannot.
        """
        if grader in self._loaded:
            return
        self.send({"load": grader})
        reply = self.receive(_START_LIMIT_S)
        if "error" in reply:
            raise WorkerDied(f"grader {grader!r} cannot be loaded: {reply['error']}")
        self._loaded.add(grader)

    def send(self, message: Json) -> None:
        """Write one message.

        Raises:
            WorkerHung: If the worker does not read.
            WorkerDied: If it has ended.
        """
        data = memoryview(json.dumps(message).encode() + b"\n")
        deadline = time.monotonic() + _START_LIMIT_S
        while data:
            _, ready, _ = select.select([], [self._stdin], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise WorkerHung
            try:
                data = data[os.write(self._stdin, data) :]
            except BrokenPipeError:
                raise WorkerDied(self._last_words()) from None

    def receive(self, limit_s: float) -> Json:
        """The next reply.

        The limit is wall time, but a worker that the machine gave no processor is not punished for it: while
        it has used less than its limit in processor time and wants more, it gets up to four times as long.

        Raises:
            WorkerHung: If there was none within ``limit_s`` seconds.
            WorkerDied: If the worker ended.
        """
        start, used_before = time.monotonic(), self._cpu_seconds()
        wait = limit_s
        while True:
            line, newline, rest = self._unread.partition(b"\n")
            if newline:
                self._unread = rest
                return json.loads(line)
            ready, _, _ = select.select([self._stdout], [], [], max(0.0, wait - (time.monotonic() - start)))
            if ready:
                chunk = os.read(self._stdout, _CHUNK)
                if not chunk:
                    raise WorkerDied(self._last_words())
                self._unread += chunk
                continue
            used = self._cpu_seconds() - used_before
            elapsed = time.monotonic() - start
            if elapsed >= _PATIENCE * limit_s or used >= 0.9 * limit_s or not self._wants_processor():
                raise WorkerHung
            wait = elapsed + max(0.1, limit_s - used)

    def _cpu_seconds(self) -> float:
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _wants_processor(self) -> bool:
        try:
            return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "R"
        except OSError:
            return False

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

    def kill(self) -> None:
        """End the worker's process group now."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
