"""The beginning of a response, with its reasoning ended, so that an answer can follow."""

from __future__ import annotations

from k2eval.reasoning.formats import FINAL, HARMONY, MARKS, marks_of, pairs_of
from k2eval.reasoning.scanner import Scanner, Turn
from k2eval.records import ReasoningFormat

_CHANNEL = "<|channel|>"
"""The start of the headers of harmony, which turns between channels."""
_PAUSE = "\n\n"
"""White space behind an end mark if the response shows none of its own."""


def cut(text: str, place: int, form: ReasoningFormat) -> str:
    r"""Return a response up to a place; if it reasons there, an end mark follows.

    The end mark is the one by which the response itself ended that reasoning later, with the white space behind it. If
    it never did, the mark is that which belongs to the start mark, or the usual one of the format.

    >>> cut("<think>First add 2 and 3.</think>\nIt is 5.", 12, ReasoningFormat(name="think"))
    '<think>First</think>\n'
    >>> cut("<think>First add 2 and 3.</think>\nIt is 5.", 36, ReasoningFormat(name="think"))
    '<think>First add 2 and 3.</think>\nIt'

    Args:
        text: The whole response, with the chat template's prefill in front.
        place: Index of the first character that is left out.
        form: The format of whoever wrote it.
    """
    before: Turn | None = None
    for turn in Scanner(form).feed(text, last=True):
        if turn.end > place:
            if turn.opens:  # it is cut before it reasons, or within the mark
                return text[: min(place, turn.start)]
            mark, rest = text[turn.start : turn.end], text[turn.end :]
            mark = FINAL if mark.startswith(_CHANNEL) else mark + rest[: len(rest) - len(rest.lstrip())]
            return text[: min(place, turn.start)] + mark
        before = turn
    reasons = before.opens if before is not None else form.name not in ("auto", "none")
    return text[:place] + (_end(text, before, form) if reasons else "")


def _end(text: str, opening: Turn | None, form: ReasoningFormat) -> str:
    """Return the end mark of reasoning that a response never ended."""
    mark = "" if opening is None else text[opening.start : opening.end]
    if form == HARMONY or mark.startswith(_CHANNEL):
        return FINAL
    pairs = (*pairs_of(form), *MARKS["think"])
    return next((end for start, end in pairs if start == mark), marks_of(form)[1]) + _PAUSE
