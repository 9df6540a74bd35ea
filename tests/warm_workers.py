"""Grading processes that rest between two pools, so that not every test waits for the imports of new ones.

A folder whose tests grade, but do not test the processes themselves, names `warm_workers` in its ``conftest.py``.
"""

from __future__ import annotations

import atexit
import json
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from k2eval.grading.process import WorkerProcess
from k2eval.system import module_command, start_module

MOST_AT_REST = 4

_Key = frozenset[tuple[str, str]]
"""The environment of a process."""


class _Rest:
    """Processes that wait for their next pool, the newest last."""

    def __init__(self) -> None:
        self._keys: dict[int, _Key] = {}
        self.loading: dict[int, int] = {}
        """Graders that a process was still to load when its last pool ended."""
        self._processes: list[subprocess.Popen[bytes]] = []
        self._starter = ThreadPoolExecutor(1)  # the kernel ends a process with the thread that started it

    def take(self, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Take the place of `start_module`, but for an idle worker, which on a busy machine would wait for minutes."""
        _, environment = module_command(module)
        key = frozenset(item for item in environment.items() if not item[0].startswith("PYTEST_"))
        for process in self._processes:
            if self._keys[process.pid] == key and process.poll() is None:
                self._processes.remove(process)
                return process
        process = self._starter.submit(start_module, module).result()
        self._keys[process.pid] = key
        return process

    def add(self, process: subprocess.Popen[bytes]) -> None:
        self._processes.append(process)
        self.end_all_but(MOST_AT_REST)

    def end_all_but(self, count: int) -> None:
        while len(self._processes) > count:
            process = self._processes.pop(0)
            with process:  # closes its input, at which it ends
                process.kill()


_rest = _Rest()
atexit.register(_rest.end_all_but, 0)


class WarmProcess(WorkerProcess):
    """A worker that rests where others are killed, if it owes no grade and has loaded no grader of a test's own."""

    def __init__(self, idle: bool = False) -> None:
        super().__init__(idle)
        self._jobs = 0
        self._loads = self._loads_before = _rest.loading.pop(self.pid, 0)
        self._is_sound = True

    def send(self, message: bytes) -> bool:
        order = json.loads(message)
        self._jobs += len(order.get("jobs", ()))
        self._loads += "load" in order
        self._is_sound &= "." not in order.get("load", "")
        return super().send(message)

    def lines(self) -> list[bytes]:
        lines = super().lines()
        loads = sum(line.startswith((b'{"loaded"', b'{"error"')) for line in lines)
        self._loads -= loads
        self._jobs -= len(lines) - loads
        self._is_sound &= not any(line.startswith(b'{"error"') for line in lines)
        not_asked_for = min(self._loads_before, len(lines))
        self._loads_before -= not_asked_for
        return lines[not_asked_for:]

    def _last_words(self) -> str:
        self._is_sound = False
        return super()._last_words()

    @property
    def _may_rest(self) -> bool:
        is_idle = not self._jobs and not self._unsent and not self._unread_size
        return is_idle and self._is_sound and self._process.poll() is None

    def strike(self) -> None:
        if not self._may_rest:
            super().strike()

    def kill(self) -> None:
        if self._may_rest:
            _rest.loading[self.pid] = self._loads
            _rest.add(self._process)
        else:
            super().kill()


@pytest.fixture(autouse=True)
def warm_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the pools of a test take over the workers of pools before."""
    monkeypatch.setattr("k2eval.grading.process.start_module", _rest.take)
    monkeypatch.setattr("k2eval.grading.dispatcher.WorkerProcess", WarmProcess)
