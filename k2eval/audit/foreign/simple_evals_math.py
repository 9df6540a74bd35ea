"""simple-evals on MATH: the text behind the first "Answer:", which a language model compares with the gold.

Equal texts are right, a missing answer is wrong, and two numbers without anything beside them are equal or not: the
model's prompt asks for nothing else. All else is undecided here, such as a fraction beside a decimal.
"""

from __future__ import annotations

import re
from decimal import Decimal

from k2eval.audit.foreign.boxes import shown
from k2eval.audit.reasons import How
from k2eval.records import Grade, Outcome, Question

VERSION = 2
# Matches the rest of the line behind "Answer:"; not of "The answer is 7".
_ANSWER = re.compile(r"(?i)Answer\s*:\s*([^\n]+)")
# Matches "1,234", "-3.50" and "025"; not "1/2", "72 degrees" or "1,23".
_NUMBER = re.compile(r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d{1,50})(?:\.\d{1,50})?")


def grade(question: Question, text: str, truncated: bool) -> Grade:
    """Grade a response as far as no judge is needed."""
    match = _ANSWER.search(text)
    if match is None:
        return Grade.of(Outcome.NO_ANSWER, how=How.FORM)
    answer = match[1].strip()
    if _bare(answer) == _bare(str(question.gold)):
        return Grade.of(Outcome.CORRECT, shown(answer))
    numbers = [_number(text) for text in (answer, str(question.gold))]
    if None not in numbers:
        right = numbers[0] == numbers[1]
        return Grade.of(Outcome.CORRECT if right else Outcome.WRONG, shown(answer))
    return Grade.of(Outcome.UNDECIDED, shown(answer), how=How.JUDGE)


def _bare(text: str) -> str:
    return text.strip("$ .*")


def _number(text: str) -> Decimal | None:
    found = _NUMBER.fullmatch(_bare(text).replace("\\!", "").replace("{,}", ",").replace("−", "-"))
    return Decimal(found[0].replace(",", "")) if found else None
