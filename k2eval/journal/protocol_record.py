"""The protocol of a task in ``run.json``, and in what a run deviates from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, StrictInt

from k2eval.records import Json, Record
from k2eval.values import Line

OWN = "k2eval's own"
"""The protocol of a task that is asked by its own file."""
_SHOWN = 200


class ProtocolRecord(Record):
    """A protocol of others, as it holds for one task of a run."""

    name: Line
    version: Annotated[StrictInt, Field(ge=1)]
    """The version of k2eval's file of the protocol."""
    settings: dict[str, Json]
    """The settings that the protocol gives: ``recipe``, ``repeats``, ``prompt`` (the hash of system text and prompt),
    ``options.NAME`` and fields of `Sampling`."""
    unknown: tuple[Line, ...]
    """Fields of which nothing is known, so that k2eval's own settings hold."""
    told: tuple[Line, ...]
    """Fields that are documented in words which set nothing, so that k2eval's own settings hold."""
    inferred: tuple[Line, ...]
    """Fields that no source states, but something suggests."""
    remarks: tuple[Line, ...]
    """What k2eval does otherwise on purpose."""

    @property
    def label(self) -> str:
        """Name and version: ``matharena/1``."""
        return f"{self.name}/{self.version}"

    def notes(self, settings: Mapping[str, Json]) -> list[str]:
        """Return the notes for a reader of the scores: deviations, and what the protocol leaves to k2eval.

        Args:
            settings: The run's settings, as for `deviations`.
        """
        deviations = self.deviations(settings).values()
        notes = [f"deviates from protocol {self.label}: {'; '.join(deviations)}"] if deviations else []
        lists = {
            "unknown, so k2eval's own": self.unknown,
            "documented only in words, so k2eval's own": self.told,
            "inferred": self.inferred,
        }
        if self.settings.keys() <= {"recipe"} and not (self.told or self.inferred):
            return [
                *notes,
                f"protocol {self.label}: its sources say nothing about this benchmark, so k2eval's own settings hold",
            ]
        words = [f"{heading}: {', '.join(names)}" for heading, names in lists.items() if names]
        notes += [f"protocol {self.label}: {'; '.join(words)}"] if words else []
        return [*notes, *(f"protocol {self.label}: {remark}" for remark in self.remarks)]

    def deviations(self, settings: Mapping[str, Json]) -> dict[str, str]:
        """Return the settings of a run that are not those of the protocol, each with words for it.

        Args:
            settings: The run's settings, under the names of `settings`.
        """
        words = {}
        for name, theirs in self.settings.items():
            ours = settings.get(name)
            if ours == theirs:
                continue
            words[name] = (
                "another system text"
                if name == "prompt"
                else f"{name.removeprefix('options.')} {ours} instead of {theirs}"[:_SHOWN]
            )
        return words
