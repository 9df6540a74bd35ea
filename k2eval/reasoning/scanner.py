"""Scanner that finds where reasoning begins and ends, in one pass over the pieces of a response."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from k2eval.reasoning.marks import (
    AFTER,
    BEFORE,
    HEAD,
    SPAN,
    Grammar,
    begins_line,
    grammar_of,
    is_named,
    is_quoted,
    may_end_again,
    may_open,
)
from k2eval.records import ReasoningFormat


class Turn(NamedTuple):
    """A mark at which reasoning begins or ends."""

    start: int
    """Index of the mark's first character in the response."""
    end: int
    """Index behind the mark's last character."""
    opens: bool
    """True if reasoning begins here; otherwise it ends here."""


class Scanner:
    """Scanner of one response, which finds its turns.

    Args:
        form: The reasoning format of whoever wrote it.
        margin: Characters before the undecided text that `text` must still hold.
        answers: Whether the text is an answer whose first reasoning was split off already, and may only reason again.
    """

    def __init__(self, form: ReasoningFormat, margin: int = 0, answers: bool = False) -> None:
        self._form = form
        self._answers = answers
        self._margin = max(margin, BEFORE)
        self._grammar: Grammar | None = None
        self._begun = False
        self._opened: str | None = None
        self._segment = 0
        """Where the present reasoning or answer begins."""
        self._mentioned = -1
        """Where the last start mark ends that is only spoken of; -1 without one."""
        self._in_block = False
        """Whether that mark begins a block of several lines, such as an example of the format that is asked for."""
        self.text = ""
        """The window: the last part of the response."""
        self.offset = 0
        """Where the window begins in the response."""
        self.decided = 0
        """The response is decided up to here, as a position in the whole of it."""

    @property
    def reasons(self) -> bool:
        """True if the decided text ends within reasoning."""
        return self._opened is not None

    def feed(self, piece: str, last: bool = False) -> Iterator[Turn]:
        """Take in the next piece, and yield the turns that are certain now.

        Args:
            piece: The next part of the response.
            last: Whether nothing follows.
        """
        self._trim()
        self.text += piece
        if not self._begun:
            if not last and len(self.text.lstrip()) < HEAD:
                return
            self._grammar = grammar_of(self._form, self.text, self._answers)
            self._begun = True
        if self._grammar is None:
            self.decided = self.offset + len(self.text)
            return
        yield from self._scan(self._grammar, last)

    def _trim(self) -> None:
        surplus = self.decided - self.offset - self._margin
        if surplus > len(self.text) // 2:
            self.text = self.text[surplus:]
            self.offset += surplus

    def _scan(self, grammar: Grammar, last: bool) -> Iterator[Turn]:
        text, offset = self.text, self.offset
        position = self.decided - offset
        while mark := grammar.marks.search(text, position):
            if not last and mark.start() + grammar.longest + AFTER > len(text):
                self.decided = offset + mark.start()
                return
            position = mark.end()
            self.decided = offset + position
            before = text[max(0, mark.start() - BEFORE) : mark.start()]
            after = text[position : position + AFTER]
            at_start = offset == 0 and mark.start() <= BEFORE
            place = _Place(mark[0], offset + mark.start(), offset + position, before, after, at_start)
            turns = (
                self._on_start(grammar, place) if mark["start"] is not None else self._on_end(grammar, place)
            )
            if turns:
                self._segment = place.end
                yield Turn(place.start, place.end, mark["start"] is not None)
        self.decided = offset + (len(text) if last else max(position, len(text) - grammar.longest + 1))

    def _on_start(self, grammar: Grammar, place: _Place) -> bool:
        first = self._is_first(place)
        if self._opened is not None:
            if not first and not is_named(place.after):  # a mark that opens it once more speaks of nothing
                self._mentioned = place.end
                self._in_block = place.after[:1] == "\n" and not is_quoted(place.before, place.after)
            return False
        if grammar.heads and place.mark not in grammar.ends:
            opens = grammar.heads(place.context)
        else:
            opens = first or may_open(place.before, place.after)
        if opens:
            self._opened = place.mark
        else:
            self._mentioned, self._in_block = place.end, False
        return opens

    def _on_end(self, grammar: Grammar, place: _Place) -> bool:
        by_header = self._opened is not None and self._opened not in grammar.ends
        if grammar.heads and not place.mark.startswith("</"):
            ends = grammar.heads(place.context) and (by_header or self._opened is None)
        elif by_header:
            ends = False
        elif self._opened is not None:
            ends = place.mark in grammar.ends[self._opened] and not self._is_spoken_of(place)
        else:
            first = self._segment == 0 and not self._answers
            possible = place.mark in grammar.alone and (first or may_end_again(place.before))
            ends = possible and not self._is_spoken_of(place)
        if ends:
            self._opened = None
        return ends

    def _is_spoken_of(self, place: _Place) -> bool:
        mentioned, self._mentioned = self._mentioned, -1
        if mentioned >= 0 and place.start - mentioned <= SPAN:
            between = place.before[len(place.before) - (place.start - mentioned) :]
            if "\n" not in between or (self._in_block and begins_line(place.before)):
                return True
        return is_quoted(place.before, place.after)

    def _is_first(self, place: _Place) -> bool:
        """Return whether only white space stands between the last turn and a mark."""
        length = place.start - self._segment
        return length <= len(place.before) and not place.before[len(place.before) - length :].strip()


def first_turn(text: str, form: ReasoningFormat) -> Turn | None:
    """Return the first turn of a whole response; None if it shows no mark, or only speaks of some.

    >>> first_turn("2 + 3?</think>5", ReasoningFormat(name="think"))
    Turn(start=6, end=14, opens=False)
    """
    return next(Scanner(form).feed(text, last=True), None)


class _Place(NamedTuple):
    """A mark with its neighbours."""

    mark: str
    start: int
    end: int
    before: str
    after: str
    whole: bool
    """Whether ``before`` reaches to the start of the response."""

    @property
    def context(self) -> str:
        """``before``, such that only the start of the response looks like one."""
        return self.before if self.whole else f"…{self.before}"
