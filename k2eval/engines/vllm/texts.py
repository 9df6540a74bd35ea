"""Texts of answers from their tokens, decoded by k2eval in long pieces rather than by vLLM token by token.

Decoding is a quarter of what the process of vLLM's requests does for a token. It takes less if a whole answer, or a
piece of many tokens, is decoded at once. vLLM decodes where it must look for stop strings, and where a tokenizer is
none of the library ``tokenizers``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Read = Callable[[Any, bool], str]
"""Returns the text that an output of vLLM adds to an answer, and is told whether the output is the last one."""

_CONTEXT = 8
"""Tokens before a piece that are decoded again with it, since the text of a token may depend on those before."""
_OF_PROMPT = 32
"""The same, of the prompt: its last tokens may be special ones, which have no text."""
_UNFINISHED = 256
"""Tokens behind which a character that is not whole never will be."""
_LONGEST = 4
"""Bytes of the longest character."""
_NO_CHARACTER = "\ufffd"


def is_fast(tokenizer: Any) -> bool:
    """Tell whether a tokenizer is one of the library ``tokenizers``, whose decoder needs nothing beside the tokens."""
    from tokenizers import Tokenizer

    return isinstance(getattr(tokenizer, "_tokenizer", None), Tokenizer)


def given(completion: Any, last: bool) -> str:
    """Return the text that vLLM gives."""
    return str(completion.text)


class TextStream:
    """The text of one answer, piece by piece.

    The text is that of all tokens, but for a last character that is not whole.

    Args:
        decode: Turns token ids into text.
        prompt: The token ids of the prompt.

    >>> stream = TextStream(lambda ids: bytes(ids).decode(errors="replace"), [62])
    >>> [stream.feed([104, 0xC3]), stream.feed([0xA9]), stream.feed([33, 0xC3], last=True)]
    ['h', 'é', '!']
    """

    def __init__(self, decode: Callable[[Sequence[int]], str], prompt: Sequence[int]) -> None:
        self._decode = decode
        self._recent, self._known = self._last_of(prompt, _OF_PROMPT)

    def read(self, completion: Any, last: bool) -> str:
        """Return the text that the tokens of an output add."""
        return self.feed(completion.token_ids, last=last)

    def feed(self, token_ids: Sequence[int], *, last: bool = False) -> str:
        """Return the text that these tokens add; a character that is not whole as yet comes with the next ones."""
        self._recent.extend(token_ids)
        text = self._decode(self._recent)
        if last and text.endswith(_NO_CHARACTER):
            # Where bytes are tokens, one that is none makes none of all bytes in front of it.
            shorter = (self._decode(self._recent[:-count]) for count in range(1, _LONGEST))
            return max((one.rstrip(_NO_CHARACTER)[self._known :] for one in (text, *shorter)), key=len)
        too_late = len(self._recent) > _UNFINISHED
        whole = text if too_late else text.rstrip(_NO_CHARACTER)
        added = whole[self._known :]
        if len(whole) < len(text):
            self._known = max(self._known, len(whole))
        else:
            self._recent, self._known = self._last_of(self._recent, _CONTEXT)
        return added

    def _last_of(self, token_ids: Sequence[int], count: int) -> tuple[list[int], int]:
        """Return the last tokens, from where a character begins, and the length of their text."""
        size = count
        while True:
            last = list(token_ids[-size:])
            text = self._decode(last)
            if not text.startswith(_NO_CHARACTER):
                return last, len(text)
            if size >= min(len(token_ids), _UNFINISHED):
                break
            size *= 2
        last = list(token_ids[-count:])
        return last, len(self._decode(last))
