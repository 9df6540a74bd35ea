"""The processes that an engine starts. They end with this process, even after ``kill -9``.

An engine's processes would outlive their parent and keep its memory. A guard, a small process in its own session,
learns their ids and kills those that are left when its input ends. If the owner dies before it can name a process,
the guard finds that process by a mark in its environment. Run as a script, this file is the guard; it imports only
the standard library.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import ClassVar

_TRACKER = b"multiprocessing.resource_tracker"
_MARK = "K2EVAL_ENGINE_OWNER"
_END = "end"
_SEARCH_S = 1.0
"""Seconds for which a guard looks for processes that nobody named; they may be about to start."""


class Children:
    """The processes that this one starts from now on in its process group, and their guard.

    Those that another `Children` has noted are that one's: several engines may live in one process, if they start one
    after the other.
    """

    _alive: ClassVar[list[Children]] = []

    def __init__(self, adopted: int | None = None) -> None:
        """Begin with a process that was started before, if any was."""
        self._others = {pid: began for pid, began in _family(os.getpid()).items() if pid != adopted}
        self._known: dict[int, str] = {}
        self._alive.append(self)
        os.environ |= owner()
        mark = os.environ[_MARK]
        self._guard = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(__file__)), mark],
            env={},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            bufsize=0,
        )

    def note(self) -> None:
        """Tell the guard about processes started since the last call."""
        assert self._guard.stdin is not None
        taken = [self._others, *(children._known for children in self._alive)]
        for pid, started in _family(os.getpid()).items():
            if started not in [processes.get(pid) for processes in taken]:
                self._known[pid] = started
                with contextlib.suppress(BrokenPipeError):
                    self._guard.stdin.write(f"{pid} {started}\n".encode())

    @property
    def pids(self) -> list[int]:
        """Ids of those that live."""
        return [pid for pid, started in self._known.items() if _start_of(pid) == started]

    def kill(self) -> None:
        """End all known ones now."""
        _kill(self._known)

    def close(self) -> None:
        """End what is left, and the guard."""
        if self in self._alive:
            self._alive.remove(self)
        assert self._guard.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._guard.stdin.write(f"{_END}\n".encode())
        self._guard.stdin.close()
        self._guard.wait()


def owner() -> dict[str, str]:
    """Return the variable by which a guard knows the processes of this one."""
    return {_MARK: f"{os.getpid()}-{_start_of(os.getpid())}"}


def _family(parent: int) -> dict[int, str]:
    """Return the descendants of ``parent`` in its process group, with their start times in clock ticks."""
    below: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = _stat(int(entry.name))
            if fields:
                below.setdefault(int(fields[1]), []).append(int(entry.name))
    family: dict[int, str] = {}
    waiting, group = [parent], os.getpgrp()
    while waiting:
        for pid in below.get(waiting.pop(), []):
            waiting.append(pid)
            fields = _stat(pid)
            # Python's tracker cleans up after the others, so it must outlive them; it then ends by itself.
            if fields and int(fields[2]) == group and _TRACKER not in _command(pid):
                family[pid] = fields[19]
    return family


def _stat(pid: int) -> list[str]:
    """Return the fields of ``/proc/PID/stat`` from the state on; none if there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _start_of(pid: int) -> str | None:
    fields = _stat(pid)
    return fields[19] if fields and fields[0] != "Z" else None


def _kill(processes: dict[int, str]) -> None:
    for pid, started in processes.items():
        if _start_of(pid) == started:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)


def _marked(mark: str) -> dict[int, str]:
    """Return the processes that were started with ``mark`` in their environment."""
    variable, processes = f"{_MARK}={mark}".encode(), {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                variables = (entry / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            pid = int(entry.name)
            started = _start_of(pid) if variable in variables and _TRACKER not in _command(pid) else None
            if started:
                processes[pid] = started
    return processes


def main() -> None:
    """Learn process ids until the input ends, then kill those that still live, as the guard."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    processes: dict[int, str] = {}
    in_order = False
    for line in sys.stdin:
        pid, _, started = line.strip().partition(" ")
        if pid == _END:
            in_order = True
        else:
            processes[int(pid)] = started
    _kill(processes)
    until = 0.0 if in_order else time.monotonic() + _SEARCH_S
    while time.monotonic() < until:
        if leftovers := _marked(sys.argv[1]):
            _kill(leftovers)
            until = time.monotonic() + _SEARCH_S
        time.sleep(0.05)


if __name__ == "__main__":
    main()
