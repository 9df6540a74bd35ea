"""Try a computation of a checkpoint's own, such as its chat template, in a process that has little time and memory.

Jinja's sandbox keeps a template from the system, and bounds ``range``. It bounds neither loops within loops nor the
length of a text.
"""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import signal
import time
from collections.abc import Callable
from pathlib import Path

CPU_S = 10
"""Seconds of processor time that a trial may take; prompts take milliseconds."""
MEMORY = 1 << 30
"""Bytes that a trial may take."""
_WALL_S = 60.0
_OUT_OF_MEMORY = 3


def fault_of_trial(compute: Callable[[], object], *, cpu_s: int = CPU_S, memory: int = MEMORY) -> str | None:
    """Return why a computation must not be carried out here, or None if it ended in a trial.

    An error that it raises is none of the trial's: it will be raised again here, and told.

    >>> fault_of_trial(lambda: "a" * 10**10)
    'it takes more than 1,024 MiB of memory'
    """
    pid = os.fork()
    if pid == 0:
        _try_and_exit(compute, cpu_s)
    deadline = time.monotonic() + max(_WALL_S, 3 * cpu_s)
    pause, before = 0.0005, _resident("self")
    too_large = f"it takes more than {memory >> 20:,} MiB of memory"
    try:
        while True:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                break
            if time.monotonic() > deadline:
                return f"it does not end within {_WALL_S:g} s"
            # A limit of the kernel's would be an error in the process, which Jinja catches while it compiles.
            if _resident(str(pid)) - before > memory:
                return too_large
            time.sleep(pause)
            pause = min(2 * pause, 0.02)
    finally:
        if not done:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    if os.waitstatus_to_exitcode(status) in (-signal.SIGXCPU, -signal.SIGKILL):
        return f"it does not end within {cpu_s} s of processor time"
    if status:
        return too_large
    return None


def _resident(process: str) -> int:
    with contextlib.suppress(OSError, IndexError):
        pages = Path(f"/proc/{process}/statm").read_text("ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    return 0


def _try_and_exit(compute: Callable[[], object], cpu_s: int) -> None:
    code = 0
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)  # this process's handler removes what is the parent's
        gc.disable()
        resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with contextlib.suppress(Exception):
            try:
                compute()
            except (MemoryError, OverflowError) as error:
                code = _OUT_OF_MEMORY if isinstance(error, MemoryError) else 0
    finally:
        os._exit(code)
