"""Texts of answers from their tokens, decoded by k2eval in long pieces rather than by vLLM token by token.

Decoding is a quarter of what the process of vLLM's requests does for a token. It takes less if a whole answer, or a
piece of many tokens, is decoded at once. vLLM decodes where it must look for stop strings, and where a tokenizer is
none of the library ``tokenizers``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Read = Callable[[Any, bool], str]
"""Returns the text that an output of vLLM adds to an answer, and is told whether the output is the last one."""

_CONTEXT = 8
"""Tokens before a piece that are decoded again with it, since the text of a token may depend on those before."""
_OF_PROMPT = 32
"""The same, of the prompt: its last tokens may be special ones, which have no text."""
_MOST = 256
"""Tokens of that context at most, and tokens behind which a character that is not whole never will be."""
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
    """The text of one answer, piece by piece, as vLLM gives it: without a last character that is not whole.

    An answer with bytes that are no text goes on token by token.

    Args:
        tokenizer: The tokenizer of the library ``tokenizers``.
        skipped: Whether special tokens are left out.
        prompt: The token ids of the prompt.

    >>> from tokenizers import Tokenizer, models
    >>> stream = TextStream(Tokenizer(models.WordLevel({"so": 0, "it": 1, "is": 2})), True, prompt=[0])
    >>> [stream.feed([1]), stream.feed([2, 1], last=True)]
    [' it', ' is it']
    """

    def __init__(self, tokenizer: Tokenizer, skipped: bool, prompt: Sequence[int]) -> None:
        self._tokenizer = tokenizer
        self._skipped = skipped
        self._context = self._last_of(prompt, _OF_PROMPT)
        self._known = len(self._decode(self._context))
        self._pending: list[int] = []
        """The tokens of a character that is not whole as yet."""
        self._single: _SingleTokens | None = None

    def read(self, completion: Any, last: bool) -> str:
        """Return the text that the tokens of an output add."""
        return self.feed(completion.token_ids, last=last)

    def feed(self, token_ids: Sequence[int], *, last: bool = False) -> str:
        """Return the text that these tokens add; a character that is not whole as yet comes with the next ones."""
        if self._single:
            return self._single.feed(token_ids)
        tokens = [*self._pending, *token_ids]
        for held in range(min(_LONGEST, len(tokens) + 1)):
            whole = tokens[: len(tokens) - held]
            added = self._decode([*self._context, *whole])[self._known :]
            if _NO_CHARACTER not in added and (not held or self._is_begun(tokens[-held:])):
                break
        else:
            self._single = _SingleTokens(self._tokenizer, self._skipped, self._context)
            return self._single.feed(tokens)
        self._pending = tokens[len(whole) :]
        if whole and not last:
            self._context = self._last_of([*self._context, *whole], _CONTEXT)
            self._known = len(self._decode(self._context))
        return added

    def _is_begun(self, token_ids: Sequence[int]) -> bool:
        return self._decode(token_ids).endswith(_NO_CHARACTER)

    def _decode(self, token_ids: Sequence[int]) -> str:
        return str(self._tokenizer.decode(list(token_ids), skip_special_tokens=self._skipped))

    def _last_of(self, token_ids: Sequence[int], count: int) -> list[int]:
        """Return the last tokens, from where a character begins, and so many that they have a text."""
        while True:
            last = list(token_ids[-count:])
            text = self._decode(last)
            if count >= min(len(token_ids), _MOST) or (text and not text.startswith(_NO_CHARACTER)):
                return last
            count *= 2


class _SingleTokens:
    """The text of an answer token by token."""

    def __init__(self, tokenizer: Tokenizer, skipped: bool, context: Sequence[int]) -> None:
        self._tokenizer = tokenizer
        self._skipped = skipped
        self._held = 0
        self._begin(context)

    def _begin(self, context: Sequence[int] = ()) -> None:
        from tokenizers.decoders import DecodeStream

        self._stream = DecodeStream(ids=list(context), skip_special_tokens=self._skipped)

    def feed(self, token_ids: Sequence[int]) -> str:
        """Return the text that these tokens add."""
        return "".join(map(self._step, token_ids))

    def _step(self, token: int) -> str:
        try:
            text = self._stream.step(self._tokenizer, token)
        except Exception:  # bytes that change the text before them, see vllm-project/vllm#17448
            self._begin()
            text = self._stream.step(self._tokenizer, token)
        self._held = 0 if text else self._held + 1
        if self._held > _MOST:  # each token is decoded with all that are held
            self._held = 0
            self._begin()
        return text or ""
