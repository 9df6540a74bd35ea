"""Longer wall limits for programs while the processors are busy with other work.

A wall limit ends programs that wait for something that never comes. A program that waits for a processor is not one of
them. Its watcher has the same priority, so the watcher's share of a core is the share that the program can get. But a
program could take the processors from its watcher to gain time. So the larger share of the two counts. This file is
used on both sides of the wall and imports only the standard library.
"""

from __future__ import annotations

import time
from collections.abc import Callable

SHARE = 0.25
"""The share of a core with which wall limits reckon; see `k2eval.sandbox.types.Limits.wall_limit_s`."""
SAMPLE_S = 0.02
"""CPU time for which the share is measured, in seconds."""
AT_MOST = 40.0


def patience(clock: Callable[[], float]) -> float:
    """Measure the factor by which a wall limit grows, from 1 to `AT_MOST`; this takes some CPU time.

    Args:
        clock: Function that returns the CPU seconds of the program that is waited for.
    """
    return factor(share_of_a_core(clock))


def factor(share: float) -> float:
    """Return the factor for a process that gets ``share`` of a core."""
    return min(max(SHARE / share, 1.0), AT_MOST)


def share_of_a_core(clock: Callable[[], float]) -> float:
    """Measure the share of a core that this process gets while it wants a whole one.

    The share of the program behind ``clock`` counts instead if it is larger.
    """
    wall, cpu, others = time.monotonic(), time.process_time(), clock()
    while (spent := time.process_time() - cpu) < SAMPLE_S:
        pass
    return min(max(spent, clock() - others) / max(time.monotonic() - wall, spent), 1.0)
