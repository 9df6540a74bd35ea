"""Python's cyclic garbage collector, for a process that keeps many objects for long."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

_THRESHOLDS = (20_000, 20, 50)
"""Python's own are 700, 10 and 10."""


@contextlib.contextmanager
def rare_collections() -> Iterator[None]:
    """Have garbage in cycles looked for less often within the block.

    Thousands of answers in flight are hundreds of thousands of objects that each full look goes through, and hardly
    any garbage of theirs is in cycles. The looks took a third of the processor time that a driver spends on an answer.

    >>> with rare_collections():
    ...     gc.get_threshold()
    (20000, 20, 50)
    """
    before = gc.get_threshold()
    if before[0]:  # 0 switches it off
        gc.set_threshold(*map(max, before, _THRESHOLDS))
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextlib.contextmanager
def no_collections() -> Iterator[None]:
    """Look for no garbage within the block; then take all that is there for needed. For imports of large packages."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        if was_enabled:
            gc.enable()
