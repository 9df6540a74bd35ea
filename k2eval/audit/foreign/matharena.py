r"""MathArena's parser and grader of final answers, as of its revision e927660.

The last box of the visible answer; if the key is a list, all boxes of the last line that has one. Without a box
MathArena asks the model once more; here the rule that follows decides: the last run of digits. Answers are compared
with sympy, numbers to 1e-10, lists without order. Its tables of hand-made corrections are not part of this.
"""

from __future__ import annotations

import re
from typing import Any

from k2eval.audit.foreign import verifying
from k2eval.audit.foreign.boxes import Box, boxes, last_integer, shown
from k2eval.audit.foreign.expressions import close, value_of
from k2eval.audit.reasons import How
from k2eval.records import Grade, Outcome, Question

VERSION = 1
CLOSE = 1e-10
_MOST = 2_000
"""Characters of an answer that is read; a longer one is wrong."""
_DROPPED = re.compile(
    r"\\(?:left|right|big|Big|bigg|Bigg)[lr]?(?![a-zA-Z])|\\?\$|\^\{?\\circ\}?|\\text\s*\{[^{}]*\}|\\[,;!]|\.\s*\Z"
)
_THOUSANDS = re.compile(r"(?<=\d),(?=\d)")
_AND = re.compile(r"\band\b|\bor\b|;|\\text\s*\{\s*(?:and|or)\s*\}")

prepare = verifying.prepare


def grade(question: Question, text: str, truncated: bool) -> Grade:
    """Grade a response: ``text`` is what the model wrote after its reasoning."""
    gold = str(question.gold)
    is_list = "," in _plain(gold, True)
    answer = extracted(text, is_list)
    how = ""
    if answer is None:
        answer, how = last_integer(text), How.ASKED_AGAIN
    if answer is None:
        return Grade.of(Outcome.NO_ANSWER, how=how)
    right = len(answer) <= _MOST and same(gold, answer, is_list)
    return Grade.of(Outcome.CORRECT if right else Outcome.WRONG, shown(answer), how=how)


def extracted(text: str, is_list: bool) -> str | None:
    r"""Return the content of the last box, or those of the last line with a box; None without a box.

    >>> extracted(r"\boxed{1} and \boxed{2}", True), extracted(r"\boxed{1} and \boxed{2}", False)
    ('1,2', '2')
    """
    closed = [box for box in boxes(text) if box.end is not None]
    if not closed:
        return None
    line = text.rfind("\n", 0, closed[-1].start)
    chosen: list[Box] = [box for box in closed if box.start > line] if is_list else closed[-1:]
    return ",".join(str(box.content) for box in chosen)


def same(gold: str, answer: str, is_list: bool) -> bool:
    """Return whether MathArena's comparison accepts an answer."""
    first, second = _parts(gold, is_list), _parts(answer, is_list)
    if len(first) != len(second):
        return False
    left = list(second)
    for part in first:
        match = next((other for other in left if _equal(part, other)), None)
        if match is None:
            return False
        left.remove(match)
    return True


def _parts(text: str, is_list: bool) -> list[str]:
    plain = _plain(text, is_list)
    if not is_list:
        # A blank behind a comma makes a list of it, and a list is no number.
        return plain.split(",") if "," in plain else [plain]
    parts = [part.strip() for part in plain.strip("()").split(",")]
    return [part for part in parts if any(letter.isdigit() for letter in part)] or parts


def _plain(text: str, is_list: bool) -> str:
    text = _AND.sub(",", text) if is_list else text
    text = _DROPPED.sub("", text.replace("\\{", "(").replace("\\}", ")").replace("[", "(").replace("]", ")"))
    text = text.rpartition("=")[2].partition("\\approx")[0].strip()
    return text if is_list else _THOUSANDS.sub("", text)


def _equal(first: str, second: str) -> bool:
    if first == second:
        return bool(first)
    left, right = _value(first), _value(second)
    return left is not None and right is not None and close(left, right, CLOSE)


def _value(text: str) -> Any:
    return value_of(text.strip())
