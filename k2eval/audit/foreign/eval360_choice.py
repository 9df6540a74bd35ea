"""Eval360 on GPQA: its parser ``gpqa_aa_visible_final``, then its grader ``multiple_choice`` (revision 30e14ec).

A response without a visible answer falls back to the raw text, so a letter in unfinished reasoning can score.
"""

from __future__ import annotations

import re

from k2eval.audit.foreign.boxes import shown
from k2eval.audit.reasons import How
from k2eval.records import Grade, Outcome, Question

VERSION = 1
_WINDOW, _TAIL = 600, 50
"""Characters at the end that the grader reads, and those of its last resort."""
_STATED = [
    # Match a boxed letter, "answer is X", "option: X" and "choose X", in any case.
    re.compile(r"(?i)\\boxed\s*\{\s*(?:\\text\s*\{\s*)?\(?([A-Z])\)?\s*\}"),
    re.compile(r"(?i)\banswer\s*(?:is|:|-)[*$(\s]*([A-Z])\b"),
    re.compile(r"(?i)\b(?:option|choice)\s*(?:(?:is|:|-)\s*)?[*$(]*([A-Z])\b"),
    re.compile(r"(?i)\b(?:choose|select)\s+[*$(]*([A-Z])\b"),
]
# Matches "B." and "B) …" at the very start; not "But".
_AT_START = re.compile(r"(?i)\s*([A-Z])(?:[.:)\-–]|\s|\Z)")
_LINE = re.compile(r"(?m)^[^\S\n]*([A-J])\)")
# Matches a letter alone at the end.
_AT_END = re.compile(r"(?i)\b([A-Z])[.)\s]*\Z")
_GRADED = [
    re.compile(r"(?i)answer is\s*[*$(]*([A-J])\b"),
    re.compile(r"(?i)answer\s*:\s*[*$(]*([A-J])\b"),
    re.compile(r"\\boxed\s*\{\s*([A-J])\s*\}"),
    re.compile(r"\*\*\s*([A-J])\b[^*]*\*\*"),
    re.compile(r"\(([A-J])\)"),
]
_ISOLATED = re.compile(r"\b([A-J])\b")
_DIGIT = re.compile(r"\b([1-5])\b")


def grade(question: Question, text: str, truncated: bool) -> Grade:
    """Grade a response: ``text`` is what the server returned as content, or the reasoning if that was empty."""
    parsed = _stated(text)
    letter, how = _graded(text if parsed is None else parsed)
    if letter is None:
        return Grade.of(Outcome.NO_ANSWER)
    right = letter == str(question.gold).strip()[:1].upper()
    rule = how if parsed is None else ""
    return Grade.of(Outcome.CORRECT if right else Outcome.WRONG, shown(letter), how=rule)


def _stated(text: str) -> str | None:
    """Return the letter of the statement that comes last, else one at the start, before lines, or at the end."""
    hits = [match for pattern in _STATED for match in pattern.finditer(text)]
    if hits:
        return str(max(hits, key=lambda match: match.start())[1]).upper()
    start = _AT_START.match(text)
    if start:
        return str(start[1]).upper()
    lines: set[str] = set(_LINE.findall(text))
    if len(lines) == 1:
        return lines.pop()
    end = _AT_END.search(text[-_TAIL:])
    return str(end[1]).upper() if end else None


def _graded(text: str) -> tuple[str | None, str]:
    window = text[-_WINDOW:]
    if len(window) == 1 and window.isalpha():
        return window.upper(), ""
    for pattern in _GRADED:
        letters = pattern.findall(window)
        if letters:
            return letters[-1].upper(), ""
    tail = window[-_TAIL:]
    letters = _ISOLATED.findall(tail)
    if letters:
        return letters[-1], How.ANY_LETTER
    digits = _DIGIT.findall(tail)
    return ("ABCDE"[int(digits[-1]) - 1], How.ANY_LETTER) if digits else (None, "")
