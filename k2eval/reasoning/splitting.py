"""The one place where a response is split into reasoning and answer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from k2eval.reasoning.formats import ANALYSIS, AUTO, FINAL, MARKS
from k2eval.reasoning.scanner import Scanner
from k2eval.records import Generation, ReasoningFormat, Response

_LAST = 64
"""Characters at the end of a response in which an end token is looked for."""
_END_TOKEN = re.compile(
    # Matches the end tokens that some engines leave: "</s>", "<|im_end|>", "<turn|>"; not "</answer>".
    r"(?:<\|close\|>response<\|sep\|>|</s>|<eos>|<end_of_turn>|<\|[a-z_]{1,20}\|>|<[a-z_]{1,20}\|>|<｜end▁of▁sentence｜>)\s*\Z"
)
_OPENING, _ENDING = (
    sorted({pair[side] for pairs in MARKS.values() for pair in pairs} | {header}, key=len, reverse=True)
    for side, header in enumerate((ANALYSIS, FINAL))
)
_HEADERS = re.compile(r"\s*(?:<\|(?:end|return)\|>\s*)?(?:<\|(?:start|begin)\|>assistant)?\s*\Z")
_RESPONSE = "<|open|>response<|sep|>"
"""The header of Kimi K3's answers."""


@dataclass(frozen=True, slots=True)
class Parts:
    """A response in two parts, without the marks between them."""

    reasoning: str
    """Text before the answer and between its pieces."""
    answer: str
    """Text that may hold the answer; empty if reasoning did not end."""
    complete: bool
    """False if reasoning did not end: the response was cut, and nothing in it is an answer."""

    @classmethod
    def of(cls, written: Generation | Response, form: ReasoningFormat = AUTO) -> Self:
        """Split a generation or a response, by the server's boundary if it has one.

        Args:
            written: What to split.
            form: The format of whoever wrote the generation; a response tells itself.
        """
        if isinstance(written, Response):
            text, form = written.text, written.reasoning
        else:
            text = written.prefill + written.text
        parts = split(text, form, written.answer_start, written.finish_reason == "length")
        return cls(parts.reasoning, parts.answer, parts.complete)


def split(
    text: str, form: ReasoningFormat = AUTO, answer_start: int | None = None, cut: bool = False
) -> Parts:
    r"""Split a response into reasoning and answer.

    The rules, in order:

    1. Reasoning begins with a start mark of the format that opens the response, a line, or a sentence's sequel. An
       end mark that nothing opened ends reasoning as well: then the chat template had opened it.
    2. Reasoning ends with the first end mark that belongs to its start mark. Marks that are only spoken of count for
       nothing: in quotes, in the middle of a phrase, or as a pair on one line within the reasoning.
    3. Nothing before the end of the first reasoning is answer. Later reasoning is left out of the answer.
    4. Reasoning without end leaves no answer at all, whatever stood before it.
    5. If a server split reasoning off, no mark before its boundary counts, and rule 3 holds behind it.

    Args:
        text: The raw response, with the chat template's prefill in front.
        form: The format of whoever wrote it; ``auto`` lets the text tell.
        answer_start: Index of the answer's first character, if a server told it.
        cut: Whether the token limit ended the response. If no answer came then, the server's reasoning did not end.

    >>> split("<think>2 + 2?</think>It is 4.")
    Parts(reasoning='2 + 2?', answer='It is 4.', complete=True)
    >>> split("<think>The answer goes behind </think> tags. Maybe 7")
    Parts(reasoning='The answer goes behind </think> tags. Maybe 7', answer='', complete=False)
    >>> split("<|channel|>analysis<|message|>Add.<|end|><|start|>assistant<|channel|>final<|message|>4").answer
    '4'
    >>> split("<think>Not <think>1</think>2</think>It is 4.", answer_start=36).answer
    'It is 4.'
    """
    if answer_start is not None:
        return _split_at(text, form, answer_start, cut)
    return _split(text, Scanner(form))


def _split_at(text: str, form: ReasoningFormat, answer_start: int, cut: bool) -> Parts:
    before, rest = text[:answer_start].strip(), text[answer_start:]
    starts, ends = [start for start, _ in form.pairs], [end for _, end in form.pairs]
    before = before.removeprefix(next((mark for mark in (*starts, *_OPENING) if before.startswith(mark)), ""))
    before = before.removesuffix(next((mark for mark in (*ends, *_ENDING) if before.endswith(mark)), ""))
    parts = _split(rest, Scanner(form, answers=True), ended=True)
    ended = parts.complete and not (cut and not parts.answer.strip())
    return Parts(_joined([before, parts.reasoning]), parts.answer if ended else "", ended)


def _split(text: str, scanner: Scanner, ended: bool = False) -> Parts:
    pieces: list[str] = []
    reasoning: list[str] = []
    answer: list[str] = []
    position, reasons = 0, False
    for turn in scanner.feed(text, last=True):
        piece = text[position : turn.start]
        pieces.append(piece)
        if turn.opens and ended:
            answer.append(piece)
        else:
            if not reasons:  # what was taken for an answer was reasoning that the template had opened
                reasoning += answer
                answer = []
            reasoning.append(piece)
        position, reasons, ended = turn.end, turn.opens, ended or not turn.opens
    rest = text[position:]
    if reasons:
        return Parts(_joined([*pieces, rest]), "", complete=False)
    answer = [piece for piece in (*answer, rest.removeprefix(_RESPONSE)) if piece.strip()]
    return Parts(_joined(reasoning), _without_end_token("\n".join(answer)), complete=True)


def _joined(pieces: list[str]) -> str:
    bare = (_HEADERS.sub("", piece[-_LAST:]) for piece in pieces)
    whole = (piece[:-_LAST] + end for piece, end in zip(pieces, bare, strict=True))
    return "\n\n".join(stripped for piece in whole if (stripped := piece.strip()))


def _without_end_token(text: str) -> str:
    end = len(text.rstrip())
    start = max(0, end - _LAST)
    return text[:start] + _END_TOKEN.sub("", text[start:end]) if _END_TOKEN.search(text, start) else text
