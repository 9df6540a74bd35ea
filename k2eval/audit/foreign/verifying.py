"""math-verify as other harnesses call it: with its own time limits, in a process that may be killed."""

from __future__ import annotations

import logging
from typing import Any


def prepare() -> None:
    """Import math-verify, which takes a second, and keep its warnings to itself."""
    import math_verify

    logging.getLogger(math_verify.__name__).setLevel(logging.CRITICAL)


def parsed(text: str) -> list[Any]:
    """Return what math-verify reads in a text: an expression and its text; empty if nothing."""
    from math_verify import parse

    prepare()
    found: list[Any] = parse(text)
    return found


def same(gold: Any, answer: Any) -> bool:
    """Return whether math-verify takes an answer for the gold; the order of the two matters to it."""
    from math_verify import verify

    prepare()
    return bool(verify(gold, answer))


def text_of(found: list[Any]) -> str | None:
    """Return the text that math-verify read; None if it read nothing."""
    return str(found[-1]) if found else None
