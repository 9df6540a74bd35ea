"""simple-evals on GPQA: the letter of the first "Answer: X", which its prompt asks for."""

from __future__ import annotations

import re

from k2eval.audit.foreign.boxes import shown
from k2eval.audit.reasons import How
from k2eval.records import Grade, Outcome, Question

VERSION = 1
# Matches "Answer: B" and "answer : $C$"; not "Answer is B" or "**Answer:** B".
_ANSWER = re.compile(r"(?i)Answer[ \t]*:[ \t]*\$?([A-D])\$?")


def grade(question: Question, text: str, truncated: bool) -> Grade:
    """Grade a response; a small letter is compared as it is, so it is wrong."""
    found = _ANSWER.findall(text)
    if not found:
        return Grade.of(Outcome.NO_ANSWER, how=How.FORM)
    right = found[0] == str(question.gold).strip()
    how = How.FIRST_MATCH if len(set(found)) > 1 else How.STRINGS
    return Grade.of(Outcome.CORRECT if right else Outcome.WRONG, shown(found[0]), how=how)
