"""Processes of vLLM's engine that are forked from one that has imported vLLM, so that not every start imports it anew.

A test of engines that does not test how they start imports `warm_engines`. Its engines become forks of one process, by
way of the spare (`k2eval.engines.vllm.spare`). A fork that is unlike what vLLM would spawn is refused, as a spare is,
and a fresh process takes its place.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from multiprocessing import spawn
from pathlib import Path

import pytest

from k2eval.engines.vllm import spare
from k2eval.engines.vllm.children import owner
from k2eval.engines.vllm.setup import import_engine, vllm_version
from k2eval.engines.vllm.spare import Spare

_PR_SET_CHILD_SUBREAPER = 36
_PLACE = 899
"""The descriptor of the process that forks; a spare has the one above it."""


class _Nest:
    """A process that has imported what vLLM's engine needs, and forks spares."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair()
        environment = {"VLLM_LOGGING_LEVEL": "INFO", **os.environ}
        environment |= {**spare._Learned(vllm_version()).variables(), **owner()}
        with theirs:
            number = theirs.fileno()
            command = [sys.executable, "-m", __name__, str(number)]
            root = Path(__file__).parents[1]
            self._process = subprocess.Popen(command, cwd=root, env=environment, pass_fds=[number])

    def fork(self) -> tuple[int, socket.socket]:
        """Return the id of a child of this process, which waits as a spare does, and the socket to it."""
        ours, theirs = socket.socketpair()
        with theirs, _orphans_adopted():
            socket.send_fds(self._socket, [b"f"], [theirs.fileno()])
            pid = int.from_bytes(self._socket.recv(4), "big")
        return pid, ours

    def end(self) -> None:
        self._socket.close()
        self._process.wait()


_nests: list[_Nest] = []
"""The one of this process, if it has one."""


def _end_nest() -> None:
    while _nests:
        _nests.pop().end()


atexit.register(_end_nest)


@contextlib.contextmanager
def _orphans_adopted() -> Iterator[None]:
    """Become the parent of grandchildren whose parent ends within the block: vLLM waits for its process as for a child."""
    prctl = ctypes.CDLL(None).prctl
    prctl(_PR_SET_CHILD_SUBREAPER, 1)
    try:
        yield
    finally:
        prctl(_PR_SET_CHILD_SUBREAPER, 0)


class WarmSpare(Spare):
    """A spare that has imported everything at once."""

    def __init__(self) -> None:
        self._learned = spare._Learned(vllm_version())
        self._executable = spawn.get_executable()
        self.has_become = False
        if not _nests:
            _nests.append(_Nest())
            import_engine()  # at the same time as the nest
        self.pid, self._socket = _nests[0].fork()

    def _refused(self, reason: str) -> bool:
        _end_nest()  # the next one knows what was unlike
        return super()._refused(reason)


@pytest.fixture(autouse=True)
def warm_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the engines that a test starts in this process be forks."""
    monkeypatch.setattr("k2eval.engines.vllm.running.take_spare", WarmSpare)


def main() -> None:
    """Import vLLM's modules, and fork as often as asked."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # as in vLLM's processes
    given = int(sys.argv[1])
    os.dup2(given, _PLACE, inheritable=False)
    os.close(given)
    nothing = os.open(os.devnull, os.O_RDWR)
    kept = spare._keep_free(nothing)
    before = dict(os.environ)
    gc.disable()  # nothing of what is imported is garbage
    spare._import(spare._of_engine())
    gc.freeze()
    gc.enable()
    os.environ.update(before)  # where modules have added to a variable
    for number in (*kept, nothing):
        os.close(number)
    connection = socket.socket(fileno=_PLACE)
    while True:
        word, descriptors, *_ = socket.recv_fds(connection, 1, 1)
        if not word:
            return
        pid = _fork(connection, descriptors[0])
        if not pid:
            return spare.main()
        os.close(descriptors[0])
        connection.sendall(pid.to_bytes(4, "big"))


def _fork(connection: socket.socket, descriptor: int) -> int:
    """Fork a process whose parent ends, and return its id; 0 in it, once it has another parent."""
    reading, writing = os.pipe()
    middle = os.fork()
    if middle:
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            pid = int.from_bytes(pipe.read(4), "big")
        os.waitpid(middle, 0)
        return pid
    os.close(reading)
    parent = os.getpid()
    pid = os.fork()
    if pid:
        os.write(writing, pid.to_bytes(4, "big"))
        os._exit(0)
    os.close(writing)
    connection.close()
    while os.getppid() == parent:
        time.sleep(0.001)
    sys.argv = [sys.argv[0], str(descriptor)]
    return 0


if __name__ == "__main__":
    main()
