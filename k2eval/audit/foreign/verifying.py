"""math-verify as other harnesses call it: with its own time limits, in a process that may be killed."""

from __future__ import annotations

import logging
import re
from itertools import pairwise
from typing import Any

from k2eval.audit.foreign.boxes import boxes

MOST = 10_000
"""Characters of a formula that are given to math-verify: it runs into its own limit of 5 s at fewer, as a rule."""
_DISPLAYS = (("$$", "$$"), ("\\[", "\\]"), ("\\(", "\\)"))

# Matches what ends a run of digits, blanks and operators, which costs math-verify the square of its length.
_NO_SUM = re.compile(r"[^\d.\s+\-*×/^()÷]+")


def prepare() -> None:
    """Import math-verify, which takes a second, and keep its warnings to itself."""
    import math_verify

    logging.getLogger(math_verify.__name__).setLevel(logging.CRITICAL)


def parsed(text: str) -> list[Any]:
    """Return what math-verify reads in a text: an expression and its text; empty if nothing.

    A text with a formula of more than `MOST` characters counts as one at which math-verify runs into its limit.
    """
    from math_verify import parse

    prepare()
    if has_giant(text):
        return []
    found: list[Any] = parse(text)
    return found


def has_giant(text: str) -> bool:
    r"""Return whether a text has a formula, a sum, or anything without a blank, of more than `MOST` characters.

    >>> has_giant("so " * MOST), has_giant("7" * (MOST + 1)), has_giant("7 " * MOST)
    (False, True, True)
    >>> has_giant(r"\boxed{" + "so " * MOST + "}")
    True
    """
    if len(text) <= MOST:
        return False
    if any(len(word) > MOST for word in text.split()) or any(box.size > MOST for box in boxes(text)):
        return True
    if any(len(run) > MOST for run in _NO_SUM.split(text)):
        return True
    for line in text.split("\n"):
        dollars = [place for place, mark in enumerate(line) if mark == "$"] if len(line) > MOST else []
        if any(end - start > MOST for start, end in pairwise(dollars)):
            return True
    return any(_longest(text, *marks) > MOST for marks in _DISPLAYS)


def _longest(text: str, opening: str, closing: str) -> int:
    """Return the length of the longest part of a text between two marks."""
    longest, start = 0, text.find(opening)
    while start >= 0:
        end = text.find(closing, start + len(opening))
        if end < 0:
            break
        longest = max(longest, end - start)
        start = text.find(opening, end + len(closing))
    return longest


def same(gold: Any, answer: Any) -> bool:
    """Return whether math-verify takes an answer for the gold; the order of the two matters to it."""
    from math_verify import verify

    prepare()
    return bool(verify(gold, answer))


def text_of(found: list[Any]) -> str | None:
    """Return the text that math-verify read; None if it read nothing."""
    return str(found[-1]) if found else None
