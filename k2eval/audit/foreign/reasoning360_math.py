r"""Reasoning360's grader of mathematics (naive_dapo), as of its revision 1315834, faults included.

The last box behind the last ``</think>``, else the whole text. Normalised strings, then sympy, then numbers: equal to
one part in ten thousand, and also if one is a hundred times the other. An answer with π is wrong unless strings or
sympy accept it, since its comparison of π raises an error. Nothing is evaluated with Python's ``eval``, as there.
"""

from __future__ import annotations

import math
import re

from k2eval.audit.foreign import verifying
from k2eval.audit.foreign.boxes import boxes, shown
from k2eval.audit.foreign.expressions import value_of
from k2eval.audit.reasons import How
from k2eval.records import Grade, Outcome, Question

VERSION = 1
RELATIVE = 1e-4
_MOST = 400
"""Characters of an answer that sympy reads; longer ones are only compared as strings and numbers."""
_DROPPED = re.compile(r"\\(?:left|right|!|,|;|\s)|\\text\s*\{[^{}]*\}|\^\{?\\circ\}?|\\?%|\\?\$|\s+")
_FRACTION = re.compile(r"\\[dt]frac")

prepare = verifying.prepare


def grade(question: Question, text: str, truncated: bool) -> Grade:
    """Grade a response: ``text`` is all that the model wrote."""
    behind = text.rpartition("</think>")[2]
    closed = [box for box in boxes(behind) if box.end is not None]
    answer, rule = (closed[-1].content or "", "") if closed else (behind.strip(), How.WHOLE_TEXT)
    how = _accepted(str(question.gold), answer)
    if how is None:
        return Grade.of(Outcome.WRONG, shown(answer), how=rule)
    return Grade.of(Outcome.CORRECT, shown(answer), how=how or rule)


def _accepted(gold: str, answer: str) -> str | None:
    """Return the lenient rule by which an answer is accepted, empty for none; None if it is refused."""
    first, second = _normalised(gold), _normalised(answer)
    if first == second:
        return ""
    left, right = value_of(first[:_MOST]), value_of(second[:_MOST])
    if left is not None and right is not None and left == right and len(second) <= _MOST:
        return ""
    numbers = [_number(text) for text in (first, second)]
    if numbers[0] is None or numbers[1] is None or "\\pi" in second:
        return None
    for factor, how in ((1.0, How.TOLERANCE), (100.0, How.PERCENT), (0.01, How.PERCENT)):
        if math.isclose(numbers[0] * factor, numbers[1], rel_tol=RELATIVE):
            return "" if numbers[0] == numbers[1] else how
    return None


def _normalised(text: str) -> str:
    return _DROPPED.sub("", _FRACTION.sub(r"\\frac", text)).rstrip(".")


def _number(text: str) -> float | None:
    try:
        value = float(text.replace(",", ""))
    except ValueError:
        return None
    return value if math.isfinite(value) else None
