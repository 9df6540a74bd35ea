"""Eval360 on HLE (``hle``, revision 30e14ec): the letter behind the first "Answer:", else the first letter of the text.

Questions without options go to a language model there, so they are undecided here.
"""

from __future__ import annotations

import re

from k2eval.audit.foreign.boxes import shown
from k2eval.audit.reasons import How
from k2eval.records import Grade, Outcome, Question

VERSION = 1
# Matches "Answer: B" and "answer:\nbecause", of which it takes the letter "b"; not "Answer is B".
_STATED = re.compile(r"(?i)Answer:\s*([A-Z])")
# Matches the first letter, also of a word.
_FIRST = re.compile(r"[A-Za-z]")


def grade(question: Question, text: str, truncated: bool) -> Grade:
    """Grade a response: ``text`` is what the server returned as content, or the reasoning if that was empty."""
    if not question.options:
        return Grade.of(Outcome.UNDECIDED, shown(text[-200:]), how=How.JUDGE)
    stated, first = _STATED.search(text), _FIRST.search(text)
    if stated is None and first is None:
        return Grade.of(Outcome.NO_ANSWER)
    letter = (stated[1] if stated else first[0] if first else "").upper()
    right = letter == str(question.gold).strip().upper()
    how = How.FIRST_MATCH if stated and len(_STATED.findall(text)) > 1 else "" if stated else How.FIRST_LETTER
    return Grade.of(Outcome.CORRECT if right else Outcome.WRONG, shown(letter), how=how)
