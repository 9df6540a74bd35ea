"""Answers that an engine goes on with: the first tokens of what was written, its reasoning ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from k2eval.reasoning import cut
from k2eval.records import ReasoningFormat, Request


def beginning(
    request: Request,
    form: ReasoningFormat,
    encode: Callable[[str], Sequence[Any]],
    decode: Callable[[Sequence[Any]], str],
) -> str:
    """Return the text from which an answer goes on, the chat template's prefill in front.

    Args:
        request: Says what was written before, and how much of it is kept.
        form: How the checkpoint marks its reasoning.
        encode: Turns text into tokens.
        decode: Turns tokens into text, special tokens included.
    """
    begun = request.begun
    assert begun is not None
    kept = decode(encode(begun.text)[: request.begun_tokens]).rstrip(
        "\ufffd"
    )  # a character that is not whole
    return cut(begun.prefill + begun.text, len(begun.prefill) + len(kept), form)
