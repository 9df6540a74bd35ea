"""Where an answer ends: behind its first stop string, though not inside its reasoning."""

from __future__ import annotations

import re

from k2eval.engines.endpoint.answers import THINK

_END_OF_TURN = re.compile(r"(?:<\|[\w .-]{1,30}\|>|<｜[^<>]{1,40}｜>|</s>|<end_of_turn>|<eos>)\s*\Z")
"""Special tokens that end a turn, as servers show them if they were asked to leave special tokens in the text."""


def start_of_answer(text: str, opened: bool) -> int | None:
    """Return where the reasoning of ``text`` ends and its answer begins; None if the reasoning has no end.

    Args:
        text: What the model wrote.
        opened: Whether the prompt had opened the reasoning.

    >>> start_of_answer("<think>so</think>42", opened=False)
    17
    """
    if not opened and not text.lstrip().startswith(THINK[0]):
        return 0
    end = text.find(THINK[1])
    return None if end < 0 else end + len(THINK[1])


def cut_behind_stop(text: str, stops: tuple[str, ...], opened: bool) -> str | None:
    """Return ``text`` up to and with the first stop string in its answer; None if it has none there.

    >>> cut_behind_stop("<think>not </answer> yet</think><answer>42</answer> And so on", ("</answer>",), False)
    '<think>not </answer> yet</think><answer>42</answer>'
    """
    start = start_of_answer(text, opened)
    if start is None:
        return None
    ends = [(place, place + len(stop)) for stop in stops if stop and (place := text.find(stop, start)) >= 0]
    return text[: min(ends)[1]] if ends else None


def without_end_of_turn(text: str) -> str:
    """Return ``text`` without the special token that ends its turn.

    >>> without_end_of_turn("42<|im_end|>")
    '42'
    """
    if not text.endswith((">", "\n", " ")):
        return text
    return text[:-64] + _END_OF_TURN.sub("", text[-64:])
