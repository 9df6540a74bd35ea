"""Let vLLM's threads on the CPU wait awake on a quiet machine, and asleep while other programs need the cores.

A thread that waits awake continues at once when another thread has finished its part. But if other programs need its
core, it burns the time in which that other thread could have run, and vLLM becomes ten times slower. libgomp reads the
time that threads spin (``GOMP_SPINCOUNT``) only once. But it has a second, very short time, which it uses if there are
more OpenMP threads than cores. So a second team of threads, which only sleeps, puts the first team to sleep between its
tasks. When the second team ends, the first team waits awake again.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

from k2eval.system import cores, load

SPIN = "30000"
"""``GOMP_SPINCOUNT`` of threads that wait awake: about a millisecond, longer than the pauses within a step.

Between two steps, and where a program that is graded has the core of another thread, waiting longer only keeps others
from working. libgomp's own number is ten times as large.
"""
QUIET = 0.1
"""Share of the cores below which others are quiet; from `load.BUSY` on they are busy."""
LOOK_EVERY_S = 3.0
LOOKS = 5
"""Looks in a row that must find others quiet before threads wait awake again."""

Switch = Callable[[bool], Awaitable[bool]]
"""Makes vLLM's threads wait asleep, or awake; returns whether it could."""


def is_ours_to_choose() -> bool:
    """Return whether the environment leaves it to k2eval how threads wait; sets up the choice if so."""
    # An earlier engine of this process has set the count as well.
    if os.environ.get("GOMP_SPINCOUNT", SPIN) != SPIN or "OMP_WAIT_POLICY" in os.environ:
        return False
    os.environ["GOMP_SPINCOUNT"] = SPIN
    return True


class Waiting:
    """A watch over other programs' load, which lets vLLM's threads wait accordingly.

    Args:
        switch: Function that switches the threads.
    """

    def __init__(self, switch: Switch) -> None:
        self._switch = switch
        self._asleep = False
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
            if not self._asleep:
                self._asleep = await self._switch(True)
            if self._asleep:
                self._most = max(self._most, others)
        elif self._asleep and self._quiet_looks >= LOOKS:
            self._asleep = not await self._switch(False)

    def forget(self) -> None:
        """Begin the note anew, for the next checkpoint."""
        self._most = self._most if self._asleep else 0.0

    async def watch(self) -> None:
        """Look every few seconds until cancelled."""
        while True:
            before = load.sample()
            await asyncio.sleep(LOOK_EVERY_S)
            await self.look(load.others_since(before))


_team: threading.Event | None = None
"""Ends the second team of threads of this process; None if there is none."""


def wait_asleep(asleep: bool) -> bool:
    """Let the OpenMP threads of this process wait asleep, or as ``GOMP_SPINCOUNT`` says.

    Returns:
        Whether the switch worked: False without libgomp, for example if another OpenMP library was preloaded.
    """
    global _team
    names = _libraries()
    if asleep and names and _team is None:
        _team = threading.Event()
        ready = threading.Event()
        threading.Thread(
            target=_hold, args=(names, ready, _team), daemon=True, name="k2eval-second-team"
        ).start()
        ready.wait()
    elif not asleep and _team is not None:
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


def _libraries() -> list[str]:
    """Return the copies of libgomp in this process; wheels bring their own."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    return sorted({line.split(maxsplit=5)[5] for line in lines if "libgomp" in line})
