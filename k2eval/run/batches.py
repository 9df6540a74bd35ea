"""The choice of samples batch by batch, for runs that end when something is decided."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from k2eval.records import SampleKey, Verdict


class Batches(Protocol):
    """A choice of samples that depends on the verdicts so far."""

    async def next(self, verdicts: Mapping[SampleKey, Verdict]) -> Collection[SampleKey] | None:
        """Return the samples to make next, of which some may be there already; None if that was all.

        Args:
            verdicts: The verdicts of the run directory so far.
        """
        ...

    @property
    def ending(self) -> str:
        """The reason why no more samples are made, in words that follow "stopped early: "."""
        ...
