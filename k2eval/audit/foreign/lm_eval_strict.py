"""lm-eval's filter ``strict-match`` of ``gpqa_diamond_cot_zeroshot``: the text behind "The answer is "."""

from __future__ import annotations

import re

from k2eval.audit.foreign.boxes import shown
from k2eval.audit.reasons import How
from k2eval.records import Grade, Outcome, Question

VERSION = 1
# Matches "(B)" in "The answer is (B)."; the last character of the line is left out, whatever it is.
_ANSWER = re.compile(r"(?<=The answer is )(.*)(?=.)")
# Matches what lm-eval's exact match leaves out.
_PUNCTUATION = re.compile(r"[^\w\s]")


def grade(question: Question, text: str, truncated: bool) -> Grade:
    """Grade a response by the first match of the pattern, which must be the letter alone."""
    match = _ANSWER.search(text)
    if match is None:
        return Grade.of(Outcome.NO_ANSWER, how=How.FORM)
    answer = _PUNCTUATION.sub("", match[1]).strip().lower()
    right = answer == str(question.gold).strip().lower()
    return Grade.of(Outcome.CORRECT if right else Outcome.WRONG, shown(match[1]), how=How.STRINGS)
