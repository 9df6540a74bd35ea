"""simple-evals on MATH: the text behind the first "Answer:", which a language model compares with the gold.

Equal texts are right and a missing answer is wrong without that model. All else is undecided here.
"""

from __future__ import annotations

import re

from k2eval.audit.foreign.boxes import shown
from k2eval.audit.reasons import How
from k2eval.records import Grade, Outcome, Question

VERSION = 1
# Matches the rest of the line behind "Answer:"; not of "The answer is 7".
_ANSWER = re.compile(r"(?i)Answer\s*:\s*([^\n]+)")


def grade(question: Question, text: str, truncated: bool) -> Grade:
    """Grade a response as far as no judge is needed."""
    match = _ANSWER.search(text)
    if match is None:
        return Grade.of(Outcome.NO_ANSWER, how=How.FORM)
    answer = match[1].strip()
    if answer.strip("$ .") == str(question.gold).strip("$ ."):
        return Grade.of(Outcome.CORRECT, shown(answer))
    return Grade.of(Outcome.UNDECIDED, shown(answer), how=How.JUDGE)
