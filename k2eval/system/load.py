"""Use of the processors by others: the kernel's counters less the time of this process and its children."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

BUSY = 0.25
"""Share of the cores from which on other processes are busy."""
_STAT = Path("/proc/stat")
_IDLE = (3, 4)
"""Columns of ``/proc/stat`` for time in which nothing runs: idle, and waiting for a disk."""
_GUEST = 8
"""The first column of ``/proc/stat`` whose time is already in earlier columns."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Processor time used so far, in seconds."""

    at: float
    everyone: float
    """Time of all processes on the cores that this process may use, and time taken by other virtual machines."""
    ours: float
    """Time of this process and its children."""


def sample() -> Sample:
    """Read the counters."""
    return Sample(time.monotonic(), _everyone(), _ours())


def others_since(before: Sample) -> float:
    """Return the mean number of cores that other processes kept busy since ``before``."""
    now = sample()
    span = max(now.at - before.at, 1e-9)
    return max(0.0, (now.everyone - before.everyone) - (now.ours - before.ours)) / span


def _everyone() -> float:
    cores = {f"cpu{number}" for number in os.sched_getaffinity(0)}
    ticks = 0
    for line in _STAT.read_text().splitlines():
        name, *columns = line.split()
        if name in cores:
            ticks += sum(int(value) for column, value in enumerate(columns[:_GUEST]) if column not in _IDLE)
    return ticks / os.sysconf("SC_CLK_TCK")


def _ours() -> float:
    process = psutil.Process()
    total = 0.0
    for member in (process, *process.children(recursive=True)):
        try:
            times = member.cpu_times()
        except psutil.Error:  # it ended meanwhile
            continue
        # A parent keeps the sum of its children that have ended.
        total += times.user + times.system + times.children_user + times.children_system
    return float(total)
