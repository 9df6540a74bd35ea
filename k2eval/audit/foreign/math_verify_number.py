"""math-verify on the whole response to a question about a measured number, compared with the tolerance of the task."""

from __future__ import annotations

from k2eval.audit.foreign import verifying
from k2eval.audit.foreign.boxes import boxes, shown
from k2eval.audit.reasons import How
from k2eval.grading import within_tolerance
from k2eval.records import Grade, Outcome, Question

VERSION = 1
prepare = verifying.prepare


def grade(question: Question, text: str, truncated: bool) -> Grade:
    """Grade a response; without a box any number may be taken, and a unit counts for nothing."""
    found = verifying.parsed(text)
    words = shown(verifying.text_of(found))
    try:
        right = within_tolerance(question, float(found[0]))
    except (IndexError, TypeError, ValueError, OverflowError, AttributeError):
        return Grade.of(Outcome.NO_ANSWER, words if found else None)
    closed = [box for box in boxes(text) if box.size]
    how = How.SEVERAL_BOXES if len(closed) > 1 else "" if closed else How.LAST_NUMBER
    return Grade.of(Outcome.CORRECT if right else Outcome.WRONG, words, how=how)
