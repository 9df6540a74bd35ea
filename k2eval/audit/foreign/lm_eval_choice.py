"""lm-eval's filter ``flexible-extract`` of ``gpqa_diamond_cot_zeroshot``: the last "(X)", else an option's text.

lm-eval's own class (``multi_choice_regex``) makes a table of all punctuation for each response, which takes a
tenth of a second; this one gives the same letters.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from functools import cache

from k2eval.audit.foreign.boxes import shown
from k2eval.audit.reasons import How
from k2eval.records import Grade, Outcome, Question

VERSION = 1
# Matches "(B)"; not "(b)" or "B)".
_LETTER = re.compile(r"\([A-Z]\)")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def prepare() -> None:
    """Make the table of punctuation."""
    _punctuation()


def grade(question: Question, text: str, truncated: bool) -> Grade:
    """Grade a response by the filter and lm-eval's exact match without punctuation."""
    letter = letter_of(text, question.options)
    if letter is None:
        return Grade.of(Outcome.NO_ANSWER, how=How.FORM)
    right = letter == str(question.gold).strip().upper()
    how = How.ANY_LETTER if _LETTER.search(text) else ""
    return Grade.of(Outcome.CORRECT if right else Outcome.WRONG, shown(letter), how=how)


def letter_of(text: str, options: tuple[str, ...]) -> str | None:
    """Return the letter that the filter finds: the last in parentheses, the last option named, or one behind a colon.

    >>> letter_of("(A) is wrong, so (B).", ("x", "y")), letter_of("It is Blue!", ("red", "blue")), letter_of("?", ())
    ('B', 'B', None)
    """
    letters: list[str] = _LETTER.findall(text)
    if letters:
        return letters[-1][1]
    letter_of_option = {
        _bare(option.strip()): letter for option, letter in zip(options, _LETTERS, strict=False)
    }
    if not letter_of_option:
        return None
    named = "|".join(re.escape(option) for option in sorted(letter_of_option, key=len, reverse=True))
    found: list[str] = re.findall(named, _bare(text))
    if found and found[-1].strip() in letter_of_option:
        return letter_of_option[found[-1].strip()]
    behind: list[str] = re.findall(rf":\s*([{_LETTERS[: len(options)]}])", text)
    return behind[-1] if behind else None


def _bare(text: str) -> str:
    return text.lower().translate(_punctuation())


@cache
def _punctuation() -> dict[int, None]:
    return {code: None for code in range(sys.maxunicode) if unicodedata.category(chr(code)).startswith("P")}
