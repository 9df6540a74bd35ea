"""Find which bracket closes another."""

from __future__ import annotations


def matching(text: str, at: int) -> int:
    """Where the bracket that opens at ``at`` closes; -1 if it does not. Brackets pair by depth, not kind."""
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
