"""math-verify on the whole response, as many scripts call it: ``verify(parse(gold), parse(response))``."""

from __future__ import annotations

from k2eval.audit.foreign import verifying
from k2eval.audit.foreign.boxes import boxes, shown
from k2eval.audit.reasons import How
from k2eval.records import Grade, Outcome, Question

VERSION = 1
prepare = verifying.prepare


def grade(question: Question, text: str, truncated: bool) -> Grade:
    """Grade a response; several boxes are merged into one answer, and without a box any number may be taken."""
    found = verifying.parsed(text)
    if not found:
        return Grade.of(Outcome.NO_ANSWER)
    right = verifying.same(verifying.parsed(f"${question.gold}$"), found)
    closed = [box for box in boxes(text) if box.size]
    how = How.SEVERAL_BOXES if len(closed) > 1 else "" if closed else How.LAST_NUMBER
    return Grade.of(Outcome.CORRECT if right else Outcome.WRONG, shown(verifying.text_of(found)), how=how)
