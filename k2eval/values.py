"""Types of values that people write: numbers that are no booleans, and texts and paths that every system can hold."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field


def fault_of_text(text: str) -> str | None:
    r"""Return why a text cannot be a name, a path or a prompt, or None if it can.

    >>> fault_of_text("café")
    >>> fault_of_text("\ud800")
    'expected a text that UTF-8 can hold, got an unpaired surrogate'
    """
    if "\0" in text:
        return "expected a text without NUL characters"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "expected a text that UTF-8 can hold, got an unpaired surrogate"
    return None


def _no_boolean(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("expected a number")
    return value


def _sound(value: str | Path) -> str | Path:
    fault = fault_of_text(str(value))
    if fault:
        raise ValueError(fault)
    return value


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("expected a finite number")
    return value


Integer = Annotated[int, BeforeValidator(_no_boolean)]
"""A whole number; ``true`` is none."""
Number = Annotated[float, BeforeValidator(_no_boolean), AfterValidator(_finite)]
"""A finite number; ``true`` is none."""
Count = Annotated[int, BeforeValidator(_no_boolean), Field(ge=1, le=1_000_000_000)]
"""How many of a thing, at least one."""
Text = Annotated[str, AfterValidator(_sound)]
"""A text that UTF-8 can hold, without NUL characters."""
FilePath = Annotated[Path, AfterValidator(_sound)]
"""A path that UTF-8 can hold, without NUL characters."""
