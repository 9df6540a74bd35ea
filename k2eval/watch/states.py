"""The states of checkpoints that are watched."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from k2eval.watch.folders import Signature


class State(StrEnum):
    """The state of a checkpoint; its value is the word for people."""

    INCOMPLETE = "incomplete"
    """A part of it is missing."""
    SETTLING = "settling"
    """It is whole, but its files have changed a moment ago, and may change again."""
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    UNFINISHED = "unfinished"
    """It has scores, but some samples failed on our side."""
    FAILED = "failed"


LOOKED_AT = (State.WAITING, State.DONE, State.UNFINISHED, State.FAILED)
"""States that last until the files of the checkpoint change."""


@dataclass(slots=True)
class Checkpoint:
    """A checkpoint as it is known now."""

    name: str
    path: Path
    step: int | None
    state: State = State.INCOMPLETE
    reason: str = ""
    signature: Signature | None = None
    since: float = 0.0
    """When the files were first seen as they are, by the watcher's clock."""
    fingerprint: str = ""
    run: Path | None = None
    seconds: float | None = None
    """Duration of its evaluation."""
    is_there: bool = True
    """Whether its folder still is."""

    def become(self, state: State, reason: str = "") -> None:
        """Take another state."""
        self.state, self.reason = state, reason


def in_order(waiting: list[Checkpoint], order: tuple[str, ...]) -> list[Checkpoint]:
    """Sort checkpoints by the order that is asked for.

    Args:
        waiting: The checkpoints; all have a step.
        order: ``("oldest",)``, ``("newest",)``, or names, which come first; the others follow from the oldest on.

    >>> some = [Checkpoint(f"step-{step}", Path(), step) for step in (3, 1, 2)]
    >>> [[point.step for point in in_order(some, order)] for order in (("oldest",), ("newest",), ("step-2",))]
    [[1, 2, 3], [3, 2, 1], [2, 1, 3]]
    """
    ordered = sorted(waiting, key=lambda checkpoint: (checkpoint.step or 0, checkpoint.name))
    if order == ("newest",):
        return ordered[::-1]
    places = {name: place for place, name in enumerate(order)}
    return sorted(ordered, key=lambda checkpoint: places.get(checkpoint.name, len(places)))
