"""How much longer a program may take where the processors are busy with other things.

A wall limit ends programs that wait for something that never comes. A program that waits for a processor is not one of
them. Whoever watches it has the same priority, so what the watcher gets of a core is what the program can get. This
file is used on both sides of the wall and imports only the standard library.
"""

from __future__ import annotations

import time

SHARE = 0.25
"""The share of a core with which wall limits reckon; see `k2eval.sandbox.types.Limits.wall_limit_s`."""
SAMPLE_S = 0.02
"""CPU time for which the share is measured, in seconds."""
AT_MOST = 40.0


def patience() -> float:
    """The factor by which a wall limit grows, from 1 to `AT_MOST`; measuring it takes some CPU time."""
    return factor(share_of_a_core())


def factor(share: float) -> float:
    """The factor where a process gets ``share`` of a core."""
    return min(max(SHARE / share, 1.0), AT_MOST)


def share_of_a_core() -> float:
    """What this process gets of a core while it wants all of one."""
    wall, cpu = time.monotonic(), time.process_time()
    while (spent := time.process_time() - cpu) < SAMPLE_S:
        pass
    return spent / max(time.monotonic() - wall, spent)
