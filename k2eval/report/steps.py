"""The training step of a checkpoint."""

from __future__ import annotations

import json
import re
from pathlib import Path

from k2eval.system import open_file

_MOST_DIGITS = 15
_WORD = r"(?:step|checkpoint|ckpt|iter|iteration|epoch)s?[-_.= ]?(\d+)"
_NAMED = re.compile(_WORD, re.IGNORECASE)
"""Matches ``qwen-step-100`` and ``checkpoint_3``, not ``qwen3``."""
_WHOLE = re.compile(rf"^(?:global[-_])?{_WORD}$", re.IGNORECASE)
"""Matches ``global_step_40``, not ``step2-rl``."""
_STATE = "trainer_state.json"
_STATE_BYTES = 1 << 26
"""Most bytes of a trainer's state that are read; it holds a line for each logged step."""


def step_of(folder: Path) -> int | None:
    """Return the step of a checkpoint; None if nothing tells it.

    In this order: a word such as ``step`` or ``checkpoint`` with a number in the name of the folder; such a word and
    number as the whole name of one of the two folders that it lies in; ``global_step`` of trainer_state.json; the last
    number in the name.

    >>> [step_of(Path(name)) for name in ("out/checkpoint-1200", "global_step_40/hf", "qwen3-4b-900", "final")]
    [1200, 40, 900, None]
    """
    numbers = _NAMED.findall(folder.name)
    for parent in (folder.parent.name, folder.parent.parent.name):
        numbers += _WHOLE.findall(parent) if not numbers else []
    if numbers and len(numbers[-1]) <= _MOST_DIGITS:
        return int(numbers[-1])
    state = _step_of_state(folder / _STATE)
    if state is not None:
        return state
    numbers = re.findall(r"\d+", folder.name)
    return int(numbers[-1]) if numbers and len(numbers[-1]) <= _MOST_DIGITS else None


def _step_of_state(path: Path) -> int | None:
    try:
        if path.stat().st_size > _STATE_BYTES:
            return None
        with open_file(path) as file:
            step = json.loads(file.read())["global_step"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return (
        step
        if isinstance(step, int) and not isinstance(step, bool) and 0 <= step < 10**_MOST_DIGITS
        else None
    )
