"""Eval360 on HLE as Artificial Analysis runs it (``hle_aa``, revision 30e14ec): choices by patterns.

All other questions go to a language model there, so they are undecided here.

Unlike on GPQA, a response without a visible answer is wrong, and its raw text is not looked at.
"""

from __future__ import annotations

import re

from k2eval.audit.foreign.boxes import shown
from k2eval.audit.reasons import How
from k2eval.records import Grade, Outcome, Question

VERSION = 1
CLOSING = tuple(
    f"</{prefix}{name}>" for prefix in ("ifm|", "") for name in ("think", "think_fast", "think_faster")
)
"""The tags behind which the visible answer stands."""
_MARKS = r"[*_`]*"
_STATED = [
    # Match a boxed letter, "the final answer is X", "option X" and "I choose X", in any case.
    re.compile(r"(?i)\\boxed\s*\{\s*([A-Z])\s*\}"),
    re.compile(
        rf"(?i)\banswer{_MARKS}\s*(?:is|:|-){_MARKS}(?:\s+(?:(?:option|choice)\s+)?{_MARKS}"
        rf"|(?:option|choice)\s+{_MARKS})?[(\[]?([A-Z])\b"
    ),
    re.compile(
        rf"(?i)\b(?:option|choice){_MARKS}(?:\s+{_MARKS}|\s*(?:is|:|-){_MARKS}(?:\s+{_MARKS})?)?[(\[]?([A-Z])\b"
    ),
    re.compile(rf"(?i)\b(?:choose|select)\s+(?:(?:option|choice)\s+)?{_MARKS}[(\[]?([A-Z])\b"),
]
# Matches "B." and "**(B)** …" at the very start; not "Because".
_AT_START = re.compile(rf"(?i)\s*{_MARKS}[(\[]?([A-Z])[)\]]?{_MARKS}(?:[.:\-–—]{_MARKS}|\s)")
# Matches the letter in front of a line, "B) …"; not "But …".
_LINE = re.compile(rf"(?i)(?:^|\n)[^\S\n]*{_MARKS}[(\[]?([A-Z])[)\].:]{_MARKS}(?:\s|$)")
_LAST_LINE = re.compile(rf"(?i)(?:^|\n)\s*{_MARKS}[(\[]?([A-Z])[)\].:]{_MARKS}[^\n]*\s*$")
_ALONE = re.compile(rf"(?i)(?:^|\n)\s*{_MARKS}[(\[]?([A-Z])[)\].]?{_MARKS}\s*$")


def grade(question: Question, text: str, truncated: bool) -> Grade:
    """Grade a response: ``text`` is what the server returned as content, or the reasoning if that was empty."""
    visible = behind_reasoning(text)
    if not question.options:
        return Grade.of(Outcome.UNDECIDED, shown(visible[-200:]), how=How.JUDGE)
    letter = letter_in(visible)
    if letter is None:
        return Grade.of(Outcome.NO_ANSWER)
    right = letter == str(question.gold).strip().upper()
    return Grade.of(Outcome.CORRECT if right else Outcome.WRONG, shown(letter))


def behind_reasoning(text: str) -> str:
    """Return the text behind the last closing tag, or all of it.

    >>> behind_reasoning("<think>B?</think> A"), behind_reasoning("A")
    ('A', 'A')
    """
    found = max((text.rfind(tag) + len(tag) for tag in CLOSING if tag in text), default=0)
    return text[found:].strip()


def letter_in(text: str) -> str | None:
    """Return the letter of the statement that comes last, else one at the start, before lines, or at the end."""
    hits = [match for pattern in _STATED for match in pattern.finditer(text)]
    if hits:
        return str(max(hits, key=lambda match: match.start())[1]).upper()
    start = _AT_START.match(text)
    if start:
        return str(start[1]).upper()
    lines = {str(letter).upper() for letter in _LINE.findall(text)}
    if len(lines) == 1:
        return lines.pop()
    end = _LAST_LINE.search(text[-_TAIL:]) or _ALONE.search(text[-_TAIL:])
    return str(end[1]).upper() if end else None


_TAIL = 2_000
"""Characters at the end in which a last line is looked for."""
