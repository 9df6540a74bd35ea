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


LONGEST_NAME = 255
"""Bytes of the longest name of a file or folder that common file systems take."""


def fault_of_path(path: str | Path) -> str | None:
    r"""Return why a text cannot be a path, or None if it can.

    >>> fault_of_path("runs/one")
    >>> fault_of_path("runs/" + "x" * 300)
    'expected names of at most 255 bytes, got one of 300'
    """
    longest = max((len(name.encode(errors="replace")) for name in str(path).split("/")), default=0)
    if longest > LONGEST_NAME:
        return f"expected names of at most {LONGEST_NAME} bytes, got one of {longest}"
    return fault_of_text(str(path))


DEEPEST = 40
"""Most levels of lists and mappings in a setting; YAML's anchors can make one that contains itself."""


def fault_of_setting(value: Any, *, finite: bool = True, levels: int = DEEPEST) -> str | None:
    r"""Return why a value from YAML or JSON cannot be a setting, or None if it can.

    Args:
        value: The value.
        finite: Whether its numbers must be finite.
        levels: How many levels of lists and mappings it may have.

    >>> fault_of_setting({"a": [1, "x", None]})
    >>> fault_of_setting({"a": ["\ud800"]})
    "in 'a': in entry 1: expected a text that UTF-8 can hold, got an unpaired surrogate"
    >>> fault_of_setting(float("nan"))
    'expected a finite number, got nan'
    """
    if isinstance(value, str):
        return fault_of_text(value)
    if finite and isinstance(value, float) and not math.isfinite(value):
        return f"expected a finite number, got {value}"
    if isinstance(value, (bytes, set)):
        return f"expected texts, numbers, lists and mappings, got {type(value).__name__}"
    if not isinstance(value, (dict, list, tuple)):
        return None
    if not levels:
        return f"expected at most {DEEPEST} levels of lists and mappings"
    entries = value.items() if isinstance(value, dict) else enumerate(value, start=1)
    for key, entry in entries:
        fault = fault_of_setting(entry, finite=finite, levels=levels - 1)
        if isinstance(value, dict) and isinstance(key, str):
            fault = fault_of_text(key) or fault
        if fault:
            place = repr(key)[:50] if isinstance(value, dict) else f"entry {key}"
            return fault if levels < DEEPEST - 3 else f"in {place}: {fault}"
    return None


def _no_boolean(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("expected a number")
    return value


def _sound(value: str) -> str:
    fault = fault_of_text(value)
    if fault:
        raise ValueError(fault)
    return value


def _sound_path(value: str | Path) -> str | Path:
    fault = fault_of_path(value)
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
PathText = Annotated[str, AfterValidator(_sound_path)]
"""A text that can be a path."""
FilePath = Annotated[Path, AfterValidator(_sound_path)]
"""A path that UTF-8 can hold, without NUL characters."""
