"""Reasoning360 on GPQA (supergpqa.py): the first of the letters A to J that stands anywhere in the last box."""

from __future__ import annotations

from k2eval.audit.foreign.boxes import boxes, shown
from k2eval.audit.reasons import How
from k2eval.records import Grade, Outcome, Question

VERSION = 1


def grade(question: Question, text: str, truncated: bool) -> Grade:
    """Grade a response: ``text`` is all that the model wrote. Without a letter, one of ten is drawn there."""
    closed = [box for box in boxes(text) if box.end is not None]
    content = (closed[-1].content if closed else None) or ""
    letter = next((letter for letter in "ABCDEFGHIJ" if letter in content), None)
    if letter is None:
        return Grade.of(Outcome.NO_ANSWER, how=How.RANDOM)
    right = letter == str(question.gold).strip()
    return Grade.of(
        Outcome.CORRECT if right else Outcome.WRONG,
        shown(letter),
        how=How.ANY_LETTER if len(content.strip()) > 1 else "",
    )
