"""sieval on the MathArena family (revision f2c86c3): the last box, else the last integer, compared by math-verify."""

from __future__ import annotations

from k2eval.audit.foreign import verifying
from k2eval.audit.foreign.boxes import last_integer, shown
from k2eval.audit.foreign.matharena import extracted
from k2eval.audit.reasons import How
from k2eval.records import Grade, Outcome, Question

VERSION = 1
prepare = verifying.prepare


def grade(question: Question, text: str, truncated: bool) -> Grade:
    """Grade a response: ``text`` is what the model wrote after its reasoning."""
    gold = str(question.gold)
    answer, how = extracted(text, "," in gold), ""
    if answer is None:
        answer, how = last_integer(text), How.LAST_NUMBER
    if answer is None:
        return Grade.of(Outcome.NO_ANSWER)
    right = verifying.same(verifying.parsed(f"${gold}$"), verifying.parsed(f"${answer}$"))
    return Grade.of(Outcome.CORRECT if right else Outcome.WRONG, shown(answer), how=how)
