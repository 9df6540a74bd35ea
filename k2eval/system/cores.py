"""The processor cores of this process, which the engine and the graders share."""

from __future__ import annotations

import os

FEW = 4
"""Up to so many, an engine that computes on them needs all of them."""


def count() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def are_few() -> bool:
    """Whether the graders should take only what the engine leaves."""
    return count() <= FEW


def for_grading() -> int:
    """Grading processes beside an engine: all cores but one, which feeds it."""
    return max(1, min(32, count() - 1))
