"""Find the bracket that closes another."""

from __future__ import annotations

import re

_ALONE = re.compile(r"(?:^|(?<=[-+=]))\s*\[([^\[\],;]*(?:\\frac|\\sqrt|/)[^\[\],;]*)\]\s*(?=$|[-+])")
"""Matches brackets that group nothing, "[\\frac{n}{2}] + 1" / not "2[n/2+1]" or "[1,2]"."""


def floored(text: str) -> str:
    r"""Return ``text`` with brackets that group nothing as what they then mean, the integer part.

    >>> floored(r"[\frac{n}{2}]+1"), floored(r"2[n/2+1]"), floored("[3/4]")
    ('\\lfloor \\frac{n}{2}\\rfloor+1', '2[n/2+1]', '[3/4]')
    """
    if "[" not in text:
        return text
    has_variable = re.compile(r"(?<![a-zA-Z\\])[a-zA-Z](?![a-zA-Z])")
    return _ALONE.sub(lambda m: rf"\lfloor {m[1]}\rfloor" if has_variable.search(m[1]) else m[0], text)


def matching(text: str, at: int) -> int:
    """Return the place where the bracket at ``at`` closes; -1 if it does not. Brackets pair by depth, not kind."""
    depth = 0
    index = at
    while index < len(text):
        char = text[index]
        if char == "\\" and text[index + 1 : index + 2] not in "{}":
            index += 2
            continue
        if char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
            if depth == 0:
                return index
        index += 1
    return -1
