"""Let vLLM's threads on the CPU wait awake on a quiet machine, and asleep while other programs need the cores.

A thread that waits awake continues at once when another thread has finished its part. But if other programs need its
core, it burns the time in which that other thread could have run, and vLLM becomes ten times slower.

Intel's OpenMP library, which comes with vLLM on x86, wakes its threads sooner than libgomp, and can be told at any
moment how long they wait awake. Where it is not, threads are those of libgomp, which reads that time
(``GOMP_SPINCOUNT``) only once. But libgomp has a second, very short time, which it uses if there are more OpenMP
threads than cores. So a second team of threads, which only sleeps, puts the first team to sleep between its tasks. When
the second team ends, the first team waits awake again.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import importlib.metadata
import os
import re
import threading
from collections.abc import Awaitable, Callable
from enum import StrEnum
from pathlib import Path

from k2eval.system import cores, load

PRELOADED = "LD_PRELOAD"
"""Variable that names the libraries which a process loads before all others."""
SPIN = "30000"
"""``GOMP_SPINCOUNT`` of threads that wait awake: about a millisecond.

Where a program that is graded has the core of another thread, waiting longer only keeps others from working. libgomp's
own number is ten times as large.
"""
QUIET = 0.1
"""Share of the cores below which others are quiet; from `load.BUSY` on they are busy."""
LOOK_EVERY_S = 3.0
LOOKS = 5
"""Looks in a row that must find others quiet before threads wait awake again."""
_INTEL = "libiomp5.so"
_SAY_HOW = ("GOMP_SPINCOUNT", "KMP_BLOCKTIME", "KMP_LIBRARY", "OMP_WAIT_POLICY")
_OPENMP = re.compile(r"lib(?:g|i)?omp")


class Wait(StrEnum):
    """How threads wait for each other."""

    AWAKE = "awake"
    """For as long as a step takes: fastest, if nobody else has anything to do."""
    BRIEFLY = "briefly"
    """Awake for a moment only, so that graders get the processors in the longer pauses of a step."""
    ASLEEP = "asleep"


BLOCKTIME_MS = {Wait.AWAKE: 200, Wait.BRIEFLY: 1, Wait.ASLEEP: 0}
"""Milliseconds that a thread of Intel's library waits awake."""

Switch = Callable[[Wait], Awaitable[bool]]
"""Tells vLLM's threads how to wait; returns whether it could."""


def variables_of_threads() -> dict[str, str] | None:
    """Return variables for vLLM's processes, by which threads wait awake at first; None if the user has set any."""
    preloaded = os.environ.get(PRELOADED, "")
    if _OPENMP.search(preloaded) or any(name in os.environ for name in _SAY_HOW):
        return None
    intel = _intel_openmp()
    if intel is None:
        return {"GOMP_SPINCOUNT": SPIN}
    return {
        PRELOADED: ":".join(filter(None, [str(intel), preloaded])),
        "KMP_BLOCKTIME": str(BLOCKTIME_MS[Wait.AWAKE]),
    }


def _intel_openmp() -> Path | None:
    """Return Intel's library, if it is installed where the dynamic linker can be told of it."""
    try:
        files = importlib.metadata.files("intel-openmp") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    for file in files:
        path = Path(str(file.locate())).resolve()
        # The linker takes a space or a colon for the end of a name.
        if file.name == _INTEL and path.is_file() and not re.search(r"[\s:]", str(path)):
            return path
    return None


class Waiting:
    """A watch over other programs' load, which lets vLLM's threads wait accordingly.

    Args:
        switch: Function that switches the threads.
    """

    def __init__(self, switch: Switch) -> None:
        self._switch = switch
        self._now: Wait | None = None
        """None if nobody knows."""
        self._can = True
        self._others_busy = self._graders_wait = False
        self._quiet_looks = 0
        self._most = 0.0

    @property
    def note(self) -> str | None:
        """For the user, if the threads ever had to wait asleep."""
        if not self._most:
            return None
        return (
            f"other programs kept up to {self._most:.1f} of {cores.count()} cores busy; meanwhile vLLM's threads "
            "waited asleep, and tokens/s was lower than on a quiet machine"
        )

    async def look(self, others: float) -> None:
        """Switch if others have become busy, or have been quiet for a while.

        Args:
            others: Cores that other programs kept busy since the last look.
        """
        share = others / cores.count()
        self._quiet_looks = self._quiet_looks + 1 if share < QUIET else 0
        if share >= load.BUSY:
            self._others_busy = True
        elif self._quiet_looks >= LOOKS:
            self._others_busy = False
        await self._follow()
        if share >= load.BUSY and self._now == Wait.ASLEEP:
            self._most = max(self._most, others)

    async def leave_time(self, wanted: bool) -> None:
        """Let threads wait only briefly while graders want time."""
        self._graders_wait = wanted
        await self._follow()

    async def _follow(self) -> None:
        wanted = Wait.ASLEEP if self._others_busy else Wait.BRIEFLY if self._graders_wait else Wait.AWAKE
        if self._can and wanted != self._now:
            self._now = None  # for those who cancel this
            self._can = await self._switch(wanted)
            self._now = wanted if self._can else None

    def forget(self) -> None:
        """Begin the note anew, for the next checkpoint."""
        self._most = self._most if self._now == Wait.ASLEEP else 0.0

    async def watch(self) -> None:
        """Look every few seconds until cancelled."""
        while True:
            before = load.sample()
            await asyncio.sleep(LOOK_EVERY_S)
            await self.look(load.others_since(before))


_team: threading.Event | None = None
"""Ends the second team of threads of this process; None if there is none."""


def let_wait(how: str) -> bool:
    """Tell the OpenMP threads of this process how to wait.

    With Intel's library that holds for tasks which the calling thread shares with others. Threads of libgomp that wait
    awake do so as ``GOMP_SPINCOUNT`` says.

    Args:
        how: One of `Wait`.

    Returns:
        Whether the switch worked: False if there is another OpenMP library, or none.
    """
    global _team
    if intel := _libraries(_INTEL):
        ctypes.CDLL(intel[0]).kmp_set_blocktime(BLOCKTIME_MS[Wait(how)])
        return True
    names = _libraries("libgomp")
    if how == Wait.ASLEEP and names and _team is None:
        _team = threading.Event()
        ready = threading.Event()
        threading.Thread(
            target=_hold, args=(names, ready, _team), daemon=True, name="k2eval-second-team"
        ).start()
        ready.wait()
    elif how != Wait.ASLEEP and _team is not None:
        _team.set()
        _team = None
    return bool(names)


def _hold(names: list[str], ready: threading.Event, over: threading.Event) -> None:
    """Make a team with more threads than there are cores, and keep it while this thread lives."""
    do_nothing = ctypes.cast(ctypes.CDLL(None).free, ctypes.c_void_p)  # free(NULL)
    try:
        for name in names:
            with contextlib.suppress(OSError, AttributeError):
                parallel = ctypes.CDLL(name).GOMP_parallel
                parallel.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
                parallel.restype = None
                parallel(do_nothing, None, cores.count() + 1, 0)
    finally:
        ready.set()
    over.wait()


def _libraries(name: str) -> list[str]:
    """Return the copies of a library in this process; wheels bring their own."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    return sorted({line.split(maxsplit=5)[5] for line in lines if name in line})
