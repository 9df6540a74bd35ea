"""The processor cores of this process, which the engine and the graders share."""

from __future__ import annotations

import os

FEW = 4
"""With at most this number of cores, an engine that computes on them needs all of them."""


def count() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0))


def are_few() -> bool:
    """Tell whether the graders should use only the time that the engine leaves."""
    return count() <= FEW


def for_grading() -> int:
    """Return the number of grading processes beside an engine: one per core, except the core that feeds the engine."""
    return max(1, min(32, count() - 1))
