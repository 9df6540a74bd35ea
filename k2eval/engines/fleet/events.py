"""The events of a fleet: a line for the console each, and notes for ``run.json``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from k2eval.records import Note, NoteKind

_NAMED = 6
"""Names that a note holds at most; a fleet of hundreds must not fill run.json."""


class EventKind(StrEnum):
    """The kind of an event."""

    JOINED = "joined"
    LEFT = "left"
    DIED = "died"
    HUNG = "hung"
    NONSENSE = "nonsense"
    USELESS = "useless"
    FAILED = "could not start"
    REFUSED = "refused"
    GIVEN_UP = "given up"
    UNSWAPPED = "could not swap"


_WORDS = {
    EventKind.LEFT: "left in order",
    EventKind.DIED: "died",
    EventKind.HUNG: "hung and was ended",
    EventKind.NONSENSE: "answered nonsense and was ended",
    EventKind.USELESS: "had no answer to anything and was ended",
    EventKind.FAILED: "could not start",
    EventKind.REFUSED: "has another checkpoint or engine and was refused",
    EventKind.GIVEN_UP: "was given up after its last start",
    EventKind.UNSWAPPED: "could not swap its weights and starts anew",
}


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a replica."""

    kind: EventKind
    replica: str
    detail: str = ""
    """The reason."""
    requests: int = 0
    """Number of its unfinished requests, which others answer."""

    def __str__(self) -> str:
        """Return the event as one line.

        >>> print(Event(EventKind.DIED, "replica 2", "its process ended", 3))
        replica 2 died: its process ended; 3 requests go to others
        """
        words = "joined" if self.kind is EventKind.JOINED else _WORDS.get(self.kind, str(self.kind))
        reason = f": {self.detail.strip().rstrip('.')}" if self.detail else ""
        many = f"{self.requests:,} request{'s' if self.requests > 1 else ''}"
        moved = f"; {many} go{'es' if self.requests == 1 else ''} to others" if self.requests else ""
        return f"{self.replica} {words}{' '.join(reason.split(chr(10)))}{moved}".strip()


class Events:
    """All events of a fleet. Notes hold their sums, so that they stay short."""

    def __init__(self) -> None:
        self.listener: Callable[[str], None] | None = None
        """Called with each event as a line."""
        self._seen: dict[EventKind, Counter[str]] = {}
        self._moved = 0
        self.taken_over = 0
        """Requests of slow replicas that idle ones answered first."""

    def add(self, event: Event) -> None:
        """Record an event."""
        self._seen.setdefault(event.kind, Counter())[event.replica] += 1
        self._moved += event.requests
        if self.listener:
            self.listener(f"{event}.")

    def notes(self) -> list[Note]:
        """Return what a reader of the run should know: losses and departures, not plain joins."""
        notes = []
        for kind, words in _WORDS.items():
            names = self._seen.get(kind)
            if names:
                named = [
                    f"{name} ({count}×)" if count > 1 else name for name, count in names.most_common(_NAMED)
                ]
                more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
                notes.append(Note(kind=NoteKind.REPLICAS, text=f"{', '.join(named)}{more} {words}"))
        if self._moved:
            many = f"{self._moved:,} unfinished request{'s were' if self._moved > 1 else ' was'}"
            notes.append(
                Note(kind=NoteKind.REPLICAS, text=f"{many} asked again with the same seeds elsewhere")
            )
        if self.taken_over:
            many = f"{self.taken_over:,} last request{'s' if self.taken_over > 1 else ''} of slow replicas"
            text = f"{many} answered by idle ones, with the same seeds"
            notes.append(Note(kind=NoteKind.REPLICAS, text=text))
        return notes
