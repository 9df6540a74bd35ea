"""Types of values that people write, and the one reader of JSON that others may have written.

Numbers are finite and no booleans, and texts and paths are such that every system can hold and show them.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from k2eval.texts import as_line, fault_of_line, fault_of_path, fault_of_text

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


LARGEST = 2**63 - 1
"""The largest whole number that tables and other programs can hold."""
_DEEPEST_JSON = DEEPEST + 20
"""Levels of a file that holds settings somewhere in it."""


def read_json(text: str | bytes, *, texts: bool = True, integers: bool = True) -> Any:
    r"""Return the value of a JSON text that anybody may have written.

    Args:
        text: The text.
        texts: Whether its texts must be such that UTF-8 can hold them; those of models need not be.
        integers: Whether whole numbers must fit into 64 bits.

    Raises:
        ValueError: If it is no JSON, a number is not finite or needs more than 64 bits, it has too many levels, or a
            text in it cannot be kept.

    >>> read_json('{"score": 0.5}')
    {'score': 0.5}
    >>> read_json('[1e999]')
    Traceback (most recent call last):
    ...
    ValueError: expected a finite number, got 1e999
    >>> read_json('{"a": {"b": ["\\ud800"]}}')
    Traceback (most recent call last):
    ...
    ValueError: in a.b.0: expected a text that UTF-8 can hold, got an unpaired surrogate
    """
    try:
        decoder = _DECODER if integers else _DECODER_OF_LARGE
        value = decoder.decode(text if isinstance(text, str) else text.decode())
    except RecursionError as error:
        raise ValueError(f"expected at most {_DEEPEST_JSON} levels of lists and mappings") from error
    fault = _fault_of_tree(value, texts)
    if fault:
        raise ValueError(fault)
    return value


def _fault_of_tree(value: Any, texts: bool) -> str | None:
    open_values: list[tuple[Any, tuple[Any, ...]]] = [(value, ())]
    while open_values:
        value, path = open_values.pop()
        if isinstance(value, str):
            fault = fault_of_text(value) if texts else None
        elif isinstance(value, (dict, list)):
            fault = None
            if len(path) >= _DEEPEST_JSON and value:
                return f"expected at most {_DEEPEST_JSON} levels of lists and mappings"
            entries = value.items() if isinstance(value, dict) else enumerate(value)
            open_values += [(entry, (*path, key)) for key, entry in entries]
            if texts and isinstance(value, dict):
                fault = next(filter(None, map(fault_of_text, value)), None)
        else:
            fault = None
        if fault:
            place = as_line(".".join(map(str, path)))[:100]
            return f"in {place}: {fault}" if place else fault
    return None


def _whole(digits: str) -> int:
    value = int(digits) if len(digits) <= len(str(-LARGEST)) else None
    if value is None or not -LARGEST <= value <= LARGEST:
        shown = digits if len(digits) <= 40 else f"one of {len(digits)} digits"
        raise ValueError(f"expected whole numbers of at most 64 bits, got {shown}")
    return value


def _decimal(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"expected a finite number, got {digits[:40]}")
    return value


_DECODER = json.JSONDecoder(parse_int=_whole, parse_float=_decimal, parse_constant=_decimal)
_DECODER_OF_LARGE = json.JSONDecoder(parse_float=_decimal, parse_constant=_decimal)


def as_json(value: Any) -> Any:
    r"""Return a value as `read_json` takes it: a number or a text that it refuses becomes a text that it takes.

    >>> as_json({"limit": float("inf"), "name": "a\ud800"})
    {'limit': 'inf', 'name': 'a?'}
    """
    if isinstance(value, dict):
        return {as_json(str(key)): as_json(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(entry) for entry in value]
    if isinstance(value, str):
        return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, int) and not -LARGEST <= value <= LARGEST:
        return f"{float(value):g}" if abs(value) < 10**300 else "more than 1e300"
    return value


def _no_boolean(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("expected a number")
    return value


def _sound(value: str) -> str:
    fault = fault_of_text(value)
    if fault:
        raise ValueError(fault)
    return value


def _showable(value: str) -> str:
    fault = fault_of_line(value)
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
ShownText = Annotated[str, AfterValidator(as_line)]
"""A text that becomes one line without control characters, whoever wrote it."""
Line = Annotated[str, AfterValidator(_showable)]
"""A text of one line without control characters, which a table can show."""
MOST = 1_000_000_000_000
Amount = Annotated[int, Field(ge=0, le=MOST)]
"""A count of tokens or the like: sums over millions of them fit into 64 bits."""
Duration = Annotated[float, Field(ge=-1e12, le=1e12)]
"""Seconds; two clocks may disagree by a little."""
PathText = Annotated[str, AfterValidator(_sound_path)]
"""A text that can be a path."""
FilePath = Annotated[Path, AfterValidator(_sound_path)]
"""A path that UTF-8 can hold, without NUL characters."""
