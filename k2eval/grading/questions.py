"""Questions as JSON, written once for all their answers."""

from __future__ import annotations

import json
from collections.abc import Callable

from k2eval.records import Question

_MOST_BYTES = 64 << 20


class QuestionCache:
    """The JSON of the questions that were asked for last; all are forgotten once they take too much memory.

    Args:
        forget: Called when all are forgotten: their numbers will not be given again.
        most_bytes: Memory for them.
    """

    def __init__(self, forget: Callable[[], None] = lambda: None, most_bytes: int = _MOST_BYTES) -> None:
        self._forget = forget
        self._most_bytes = most_bytes
        self._size = 0
        self._next = 0
        self._known: dict[int, tuple[Question, int, bytes]] = {}
        """Questions by their identity in memory, which is theirs as long as they are kept here."""

    def json_of(self, question: Question) -> tuple[int, bytes]:
        """Return a number that no other question has, and the question as JSON."""
        known = self._known.get(id(question))
        if known is not None:
            return known[1], known[2]
        as_json = json.dumps(question.model_dump(mode="python")).encode()
        self._size += len(as_json)
        if self._size > self._most_bytes:
            self._known.clear()
            self._forget()
            self._size = len(as_json)
        self._next += 1
        self._known[id(question)] = question, self._next, as_json
        return self._next, as_json
