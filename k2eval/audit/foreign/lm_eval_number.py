"""lm-eval's filter ``flexible-extract`` of ``gsm8k``: the last thing in the text that looks like a number.

lm-eval has no task with measured numbers. The number is compared with the tolerance of k2eval's task.
"""

from __future__ import annotations

import re

from k2eval.audit.foreign.boxes import shown
from k2eval.audit.reasons import How
from k2eval.grading import within_tolerance
from k2eval.records import Grade, Outcome, Question

VERSION = 1
# Matches "-3.2", "$1,234." and "7"; also "..", which is no number then.
_NUMBER = re.compile(r"(-?[$0-9.,]{2,})|(-?[0-9]+)")


def grade(question: Question, text: str, truncated: bool) -> Grade:
    """Grade a response: ``text`` is all that the model wrote. Exponents, fractions and units count for nothing."""
    found = [first or second for first, second in _NUMBER.findall(text)]
    if not found:
        return Grade.of(Outcome.NO_ANSWER)
    plain = found[-1].replace("$", "").replace(",", "").rstrip(".")
    try:
        right = within_tolerance(question, float(plain))
    except ValueError:
        return Grade.of(Outcome.NO_ANSWER, shown(plain))
    return Grade.of(Outcome.CORRECT if right else Outcome.WRONG, shown(plain), how=How.LAST_NUMBER)
