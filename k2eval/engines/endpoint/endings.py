"""The end of an answer as servers show it that leave special tokens in the text."""

from __future__ import annotations

import re

_END_OF_TURN = re.compile(r"(?:<\|[\w .-]{1,30}\|>|<｜[^<>]{1,40}｜>|</s>|<end_of_turn>|<eos>)\s*\Z")
"""Special tokens that end a turn, as servers show them if they were asked to leave special tokens in the text."""


def without_end_of_turn(text: str, kept: tuple[str, ...] = ()) -> str:
    """Return ``text`` without the special token that ends its turn.

    Args:
        text: An answer.
        kept: Tokens that end its reasoning and no turn.

    >>> without_end_of_turn("42<|im_end|>"), without_end_of_turn("42?<|inner_suffix|>", ("<|inner_suffix|>",))
    ('42', '42?<|inner_suffix|>')
    """
    if not text.endswith((">", "\n", " ")) or text[-64:].rstrip().endswith(kept):
        return text
    return text[:-64] + _END_OF_TURN.sub("", text[-64:])
