"""A ``k2eval run`` as a process of its own, and the ways to kill it or one of its children."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

END_S = 900.0
GONE_S = 30.0


class Started:
    """A ``k2eval run`` as a process with a group of its own, as a terminal starts it."""

    def __init__(self, options: Sequence[str], out: Path, scratch: Path) -> None:
        self.log = scratch / f"{out.name}-{time.monotonic_ns()}.txt"
        with self.log.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "k2eval", "run", *options, "--out", str(out)],
                stdout=file, stderr=file, stdin=subprocess.DEVNULL, start_new_session=True,
                env={**os.environ, "TMPDIR": str(scratch / "t"), "PYTHONPATH": os.pathsep.join(["", *sys.path])},
            )  # fmt: skip
        self.since = time.monotonic()
        self._relatives: dict[tuple[int, float], psutil.Process] = {}

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def relatives(self) -> list[psutil.Process]:
        """Return the living processes that it started, and remember them."""
        with contextlib.suppress(psutil.Error):
            for child in psutil.Process(self.process.pid).children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    self._relatives[child.pid, child.create_time()] = child
        return [child for child in self._relatives.values() if _lives(child)]

    def wait_until(self, moment_s: float) -> bool:
        """Wait until so many seconds after the start; return whether it still runs then."""
        while self.is_running and time.monotonic() - self.since < moment_s:
            time.sleep(min(0.05, max(0.0, moment_s - (time.monotonic() - self.since))))
            self.relatives()
        return self.is_running

    def wait(self) -> int:
        """Wait for its end and return its exit code."""
        deadline = time.monotonic() + END_S
        while self.is_running:
            if time.monotonic() > deadline:
                os.killpg(self.process.pid, signal.SIGKILL)
                raise SystemExit(f"a run did not end within {END_S:g} s: {self.log.read_text()[-2000:]}")
            self.relatives()
            time.sleep(0.05)
        return int(self.process.wait())

    def left_behind(self) -> list[str]:
        """Return the command lines of processes that outlive it."""
        deadline = time.monotonic() + GONE_S
        while (living := self.relatives()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return [_command(child) for child in living]


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _kill_one_of(started: Started, words: Sequence[str], draw: random.Random) -> bool:
    chosen = [child for child in started.relatives() if any(word in _command(child) for word in words)]
    if not chosen:
        return False
    with contextlib.suppress(psutil.Error):
        draw.choice(chosen).kill()
    return True


def _kill_box(started: Started, draw: random.Random) -> bool:
    graders = [child for child in started.relatives() if "k2eval.grading.worker" in _command(child)]
    boxes: list[psutil.Process] = []
    for grader in graders:
        with contextlib.suppress(psutil.Error):
            boxes += grader.children(recursive=True)
    if not boxes:
        return False
    with contextlib.suppress(psutil.Error):
        draw.choice(boxes).kill()
    return True


def _signal(*numbers: signal.Signals, group: bool = True) -> Callable[[Started, random.Random], bool]:
    def send(started: Started, draw: random.Random) -> bool:
        for number in numbers:
            with contextlib.suppress(ProcessLookupError):
                (os.killpg if group else os.kill)(started.process.pid, number)
            time.sleep(draw.uniform(0.0, 0.3) if len(numbers) > 1 else 0.0)
        return True

    return send


ENDING = {
    "KILL": _signal(signal.SIGKILL, group=False),
    "KILL group": _signal(signal.SIGKILL),
    "TERM": _signal(signal.SIGTERM, group=False),
    "Ctrl-C": _signal(signal.SIGINT),
    "Ctrl-C twice": _signal(signal.SIGINT, signal.SIGINT),
    "engine": lambda started, draw: _kill_one_of(
        started, ("EngineCore", "vllm.spare", "multiprocessing.spawn"), draw
    ),
}
"""Kills that end the run."""
PASSING = {
    "grader": lambda started, draw: _kill_one_of(started, ("k2eval.grading.worker",), draw),
    "box": _kill_box,
}
"""Kills that the run survives."""
WEIGHTS = {
    "KILL": 6,
    "KILL group": 4,
    "TERM": 2,
    "Ctrl-C": 2,
    "Ctrl-C twice": 1,
    "engine": 3,
    "grader": 3,
    "box": 2,
}
