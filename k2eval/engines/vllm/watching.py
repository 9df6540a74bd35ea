"""Answers that are watched while vLLM writes them, since no stop string may end one inside its reasoning."""

from __future__ import annotations

import bisect
import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Any, NamedTuple

from k2eval.engines.vllm.texts import Read, given
from k2eval.reasoning import ANALYSIS, StopWatch, pairs_of
from k2eval.records import ReasoningFormat

INTERVAL = 32
"""Tokens in one piece. Fewer cost more of the event loop, more are generated in vain behind a stop string."""

_WINDOW = 64
"""Tokens that are decoded again at first to find the one that completes a stop string."""

Decode = Callable[[Sequence[int]], str]


class Written(NamedTuple):
    """An answer as far as it counts."""

    text: str
    token_ids: Sequence[int]
    finish_reason: str | None
    """``stop`` for one that was ended at a stop string; otherwise vLLM's own word."""
    last: Any
    """The last output that vLLM gave; None if it gave none."""


async def watched(
    outputs: AsyncGenerator[Any, None], watch: StopWatch, decode: Decode, read: Read = given
) -> Written:
    """Return an answer up to its first stop string behind the reasoning; the request ends there.

    Args:
        outputs: Outputs of vLLM for one request, each with the tokens since the one before.
        watch: Knows the format and the stop strings.
        decode: Turns token ids into text.
        read: Reads the text of an output.
    """
    pieces: list[str] = []
    token_ids: list[int] = []
    output = place = None
    async with contextlib.aclosing(outputs):
        async for output in outputs:
            completion = output.outputs[0]
            pieces.append(read(completion, output.finished))
            token_ids.extend(completion.token_ids)
            place = watch.feed(pieces[-1], last=output.finished)
            if place is not None:
                break
    text = "".join(pieces)
    if place is not None:
        count = tokens_before(token_ids, len(text) - place, decode)
        return Written(text[:place], token_ids[:count], "stop", output)
    return Written(text, token_ids, output.outputs[0].finish_reason if output else None, output)


async def whole(outputs: AsyncGenerator[Any, None], decode: Decode, read: Read = given) -> Written:
    """Return an answer that vLLM gives as a whole.

    Args:
        outputs: Outputs of vLLM for one request.
        decode: Turns token ids into text.
        read: Reads the text of an output.
    """
    last = None
    async for output in outputs:
        last = output
    if last is None:
        return Written("", (), None, None)
    completion = last.outputs[0]
    token_ids = up_to_stop(completion.token_ids, completion.stop_reason, decode)
    return Written(read(completion, True), token_ids, completion.finish_reason, last)


def up_to_stop(token_ids: Sequence[int], stop: str | int | None, decode: Decode) -> Sequence[int]:
    """Leave out the tokens behind a stop string, which vLLM before 0.32 keeps if it speculated them.

    Args:
        token_ids: Tokens of an answer.
        stop: The stop string that ended it, if one did, or the token.
        decode: Turns token ids into text.

    >>> up_to_stop([104, 105, 33, 63, 63, 33, 63], "!", lambda ids: "".join(map(chr, ids)))
    [104, 105, 33]
    """
    if not isinstance(stop, str) or not stop:
        return token_ids
    # A token that has text has at least one byte, so the stop string itself lies within so many.
    window = len(stop.encode()) + _WINDOW
    while stop not in decode(token_ids[-window:]):
        if window >= len(token_ids):
            return token_ids
        window *= 2
    recent = token_ids[-window:]
    count = (
        bisect.bisect_left(range(len(recent)), True, key=lambda last: stop in decode(recent[: last + 1])) + 1
    )
    return token_ids[: len(token_ids) - len(recent) + count]


def tokens_before(token_ids: Sequence[int], surplus: int, decode: Decode) -> int:
    """Return the smallest number of first tokens that hold all but the last ``surplus`` characters of their text.

    >>> tokens_before([104, 105, 33, 33], 1, lambda ids: "".join(map(chr, ids)))
    3
    """
    if not surplus and _decoded(token_ids[-1:], decode):
        return len(token_ids)
    if not surplus and _decoded(token_ids[-2:-1], decode):  # behind it an end token, which has no text
        return len(token_ids) - 1
    window = _WINDOW
    while True:
        recent = token_ids[-window:]
        whole = _decoded(recent, decode)
        if len(whole) > 2 * surplus or len(recent) == len(token_ids):
            break
        window *= 2
    needed = len(whole) - surplus
    low, high = 0, len(recent)
    while low < high:
        middle = (low + high) // 2
        if len(_decoded(recent[:middle], decode)) >= needed:
            high = middle
        else:
            low = middle + 1
    return len(token_ids) - len(recent) + low


def _decoded(token_ids: Sequence[int], decode: Decode) -> str:
    """Decode tokens; a character that is not whole as yet is not there."""
    return decode(token_ids).rstrip("\ufffd")


class Marks(NamedTuple):
    """The special tokens of a checkpoint, as far as texts are concerned."""

    skipped: bool = True
    """Whether special tokens are left out of texts: not if the reasoning is marked by any of them."""
    ends: Mapping[int, str] = {}
    """The tokens that end an answer; they are no part of its text."""

    @classmethod
    def of(cls, tokenizer: Any, model_config: Any, form: ReasoningFormat) -> Marks:
        """Return those of a tokenizer.

        Args:
            tokenizer: The checkpoint's tokenizer.
            model_config: Configuration of vLLM, which knows all end tokens of the checkpoint.
            form: How the checkpoint marks its reasoning.
        """
        added = getattr(tokenizer, "added_tokens_decoder", {})
        special = {str(token) for token in added.values() if getattr(token, "special", False)}
        special |= {str(token) for token in getattr(tokenizer, "all_special_tokens", [])}
        marks = [*(mark for pair in pairs_of(form) for mark in pair)]
        marks += [ANALYSIS] if form.name in ("auto", "harmony") else []
        needed = any(token in mark for mark in marks for token in special)
        listed = model_config.try_get_generation_config().get("eos_token_id")
        ends = {tokenizer.eos_token_id, *(listed if isinstance(listed, list) else [listed])} - {None}
        return cls(not needed, {end: str(tokenizer.decode([end])) for end in sorted(ends)})

    def without_end(self, written: Written) -> str:
        """Return the text of an answer without the token that ended it."""
        last = written.token_ids[-1] if written.token_ids else -1
        return written.text if self.skipped else written.text.removesuffix(self.ends.get(last, ""))
