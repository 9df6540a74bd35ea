"""Stop strings that end an answer and never its reasoning, found while a response is being written."""

from __future__ import annotations

from collections.abc import Sequence

from k2eval.reasoning.scanner import Scanner, first_turn
from k2eval.records import ReasoningFormat


class StopWatch:
    """Watch over one response for the first stop string in its answer.

    The place depends on the text alone, not on the pieces in which it comes: a stop string counts as soon as the text
    behind it makes certain that it stands in the answer.

    Args:
        form: The reasoning format of whoever writes.
        stop: The stop strings.
        prefill: The part of the response that the chat template has written.
        answers: Whether the text is an answer whose first reasoning was split off already.
    """

    def __init__(
        self, form: ReasoningFormat, stop: Sequence[str], prefill: str = "", answers: bool = False
    ) -> None:
        self._stop = tuple(text for text in stop if text)
        self._longest = max(map(len, self._stop), default=0)
        self._scanner = Scanner(form, margin=self._longest, answers=answers)
        self._prefill = len(prefill)
        self._answer: int | None = 0
        """Where the present answer begins; None within reasoning."""
        self._blank = False
        """Whether only white space has been seen of that answer since its reasoning ended."""
        self._searched = 0
        self._place = self._feed(prefill, last=False)

    def feed(self, piece: str, last: bool = False) -> int | None:
        """Take in the next piece.

        Args:
            piece: The next part of the response.
            last: Whether nothing follows.

        Returns:
            Where the first stop string ends, in characters of the response without its prefill; None if there is none
            as yet.
        """
        if self._place is None:
            self._place = self._feed(piece, last)
        return None if self._place is None else max(0, self._place - self._prefill)

    def _feed(self, piece: str, last: bool) -> int | None:
        for turn in self._scanner.feed(piece, last):
            place = self._search(turn.start)
            if place is not None:
                return place
            self._answer = None if turn.opens else turn.end
            self._searched, self._blank = turn.end, True
        return self._search(self._scanner.decided)

    def _search(self, until: int) -> int | None:
        """Return where the first stop string between the start of the answer and ``until`` ends."""
        if self._answer is None or not self._stop:
            return None
        text, offset = self._scanner.text, self._scanner.offset
        if self._blank:
            seen = text[self._searched - offset : until - offset]
            self._answer = self._searched = self._searched + len(seen) - len(seen.lstrip())
            self._blank = self._answer == until
        start = max(self._answer, self._searched - self._longest + 1) - offset
        ends = [
            at + len(stop) + offset
            for stop in self._stop
            if (at := text.find(stop, max(start, 0), until - offset)) >= 0
        ]
        self._searched = until
        return min(ends, default=None)


def stop_place(
    text: str,
    form: ReasoningFormat,
    stop: Sequence[str],
    prefill: str = "",
    answer_start: int | None = None,
) -> int | None:
    """Return where the first stop string in the answer of a whole response ends; None if there is none.

    Args:
        text: The response.
        form: The reasoning format of whoever wrote it.
        stop: The stop strings.
        prefill: The part of the response that the chat template has written; none if there is an ``answer_start``, or
            if nobody knows it: then an end mark that nothing opened tells.
        answer_start: Where the answer starts, if a server told it.

    >>> text = "Put it into <answer> and </answer> tags.</think><answer>4</answer> Well"
    >>> text[: stop_place(text, ReasoningFormat(name="think"), ["</answer>"], prefill="<think>")][-19:]
    '><answer>4</answer>'
    """
    if answer_start is None and not prefill:
        turn = first_turn(text, form)
        if (
            turn is not None and not turn.opens
        ):  # the chat template had opened what ends here, and nobody told
            answer_start = turn.end
    if answer_start is None:
        return StopWatch(form, stop, prefill).feed(text, last=True)
    end = StopWatch(form, stop, answers=True).feed(text[answer_start:], last=True)
    return None if end is None else answer_start + end
