"""What a search of training data has found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Match(NamedTuple):
    """The document in which most of a question was found."""

    share: float
    """Share of the question's fingerprints in that document."""
    place: str
    """File below the folder, and the byte at which the document begins, or its row."""


@dataclass(slots=True)
class CorpusMatches:
    """The result of a search."""

    matches: dict[int, Match] = field(default_factory=dict)
    """By the question's number, those of which anything was found."""
    documents: int = 0
    size: int = 0
    """Bytes of the files that were read."""
    unreadable: int = 0
    """Lines that are no JSON, or too long."""
    senseless: set[str] = field(default_factory=set)
    """Files below the folder that are no text in an encoding that is read."""

    def take(self, number: int, match: Match) -> None:
        """Keep a match if no better one is known; of equal ones the first place by name."""
        known = self.matches.get(number)
        if known is None or (match.share, known.place) > (known.share, match.place):
            self.matches[number] = match

    def add(self, other: CorpusMatches) -> None:
        """Add the result of another part."""
        for number, match in other.matches.items():
            self.take(number, match)
        self.documents += other.documents
        self.size += other.size
        self.unreadable += other.unreadable
        self.senseless |= other.senseless

    def as_json(self) -> dict[str, Any]:
        """Return the result as JSON."""
        return {
            "matches": [[number, *match] for number, match in self.matches.items()],
            "documents": self.documents,
            "size": self.size,
            "unreadable": self.unreadable,
            "senseless": sorted(self.senseless),
        }

    @classmethod
    def of_json(cls, value: Mapping[str, Any]) -> CorpusMatches:
        """Return the result that `as_json` wrote.

        Raises:
            KeyError, TypeError, ValueError: If the value is no such result.
        """
        matches = {int(number): Match(float(share), str(place)) for number, share, place in value["matches"]}
        documents, size, unreadable = (int(value[name]) for name in ("documents", "size", "unreadable"))
        return cls(matches, documents, size, unreadable, {str(name) for name in value["senseless"]})
