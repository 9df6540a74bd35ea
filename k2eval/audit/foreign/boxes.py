r"""Boxes and numbers as other harnesses look for them."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Matches "\boxed{", "\fbox {", an escaped character, "{" and "}"; not "\boxed 7".
_TOKEN = re.compile(r"\\(?:boxed|fbox)\s*\{|\\.|[{}]", re.DOTALL | re.IGNORECASE)
# Matches "-1,234.5" and "7"; not "x".
_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")
# Matches "\frac", "\dfrac" and "3/4"; not "a/b".
_FRACTION = re.compile(r"\\[dt]?frac|\d\s*/\s*\d")
# Matches each run of digits.
_DIGITS = re.compile(r"\d+")
SHOWN = 200
"""Characters of an extracted answer that a grade keeps."""


@dataclass(frozen=True, slots=True)
class Box:
    """A box in a text."""

    text: str
    """The whole text: contents of boxes within boxes would be far larger than it."""
    start: int
    """Index of its command."""
    inside: int
    """Index of what is behind its brace."""
    end: int | None
    """Index of its closing brace; None if the box is not closed."""

    @property
    def content(self) -> str | None:
        """The text within; None if the box is not closed."""
        return None if self.end is None else self.text[self.inside : self.end]

    @property
    def size(self) -> int:
        """Characters within; 0 if the box is not closed."""
        return 0 if self.end is None else self.end - self.inside


def boxes(text: str) -> list[Box]:
    r"""Return all boxes in the order in which they begin, in one pass.

    >>> [(box.start, box.content) for box in boxes(r"\boxed{1} and \fbox{\frac{1}{2}}, \boxed{3")]
    [(0, '1'), (14, '\\frac{1}{2}'), (34, None)]
    """
    found: dict[int, Box] = {}
    stack: list[tuple[int, int] | None] = []
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark == "{":
            stack.append(None)
        elif mark == "}":
            opened = stack.pop() if stack else None
            if opened is not None:
                start, inside = opened
                found[start] = Box(text, start, inside, token.start())
        elif mark.endswith("{") and len(mark) > 2:
            stack.append((token.start(), token.end()))
    for opened in stack:
        if opened is not None:
            found[opened[0]] = Box(text, *opened, None)
    return [found[start] for start in sorted(found)]


def plain_numbers(text: str) -> list[str]:
    r"""Return the numbers of a text without commas between digits; none if it holds a fraction.

    >>> plain_numbers("12, 1,277"), plain_numbers(r"2\frac{2}{3}")
    (['12', '1277'], [])
    """
    if _FRACTION.search(text):
        return []
    return [number.replace(",", "") for number in _NUMBER.findall(text)]


def last_integer(text: str) -> str | None:
    """Return the last run of digits, without sign and decimals.

    >>> last_integer("it is -3.5")
    '5'
    """
    found = _DIGITS.findall(text)
    return str(found[-1]) if found else None


def shown(text: object) -> str:
    """Return an extracted answer as a grade keeps it: one line of valid Unicode, limited in length."""
    words = " ".join(str(text)[: 2 * SHOWN].split()).replace("\0", "\ufffd")
    return words[:SHOWN].encode(errors="replace").decode()
