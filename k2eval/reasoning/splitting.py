"""The one place where a response is split into reasoning and answer."""

from __future__ import annotations

import re
from dataclasses import dataclass

from k2eval.reasoning.formats import AUTO
from k2eval.reasoning.scanner import Scanner
from k2eval.records import ReasoningFormat

_LAST = 64
"""Characters at the end of a response in which an end token is looked for."""
_END_TOKEN = re.compile(
    # Matches the end tokens that some engines leave: "</s>", "<|im_end|>", "<turn|>"; not "</answer>".
    r"(?:</s>|<eos>|<end_of_turn>|<\|[a-z_]{1,20}\|>|<[a-z_]{1,20}\|>|<｜end▁of▁sentence｜>)\s*\Z"
)
_HEADERS = re.compile(r"\s*(?:<\|(?:end|return)\|>\s*)?(?:<\|start\|>assistant)?\s*\Z")


@dataclass(frozen=True, slots=True)
class Parts:
    """A response in two parts, without the marks between them."""

    reasoning: str
    """Text before the answer and between its pieces."""
    answer: str
    """Text that may hold the answer; empty if reasoning did not end."""
    complete: bool
    """False if reasoning did not end: the response was cut, and nothing in it is an answer."""


def split(text: str, form: ReasoningFormat = AUTO) -> Parts:
    r"""Split a response into reasoning and answer.

    The rules, in order:

    1. Reasoning begins with a start mark of the format that opens the response, a line, or a sentence's sequel. An
       end mark that nothing opened ends reasoning as well: then the chat template had opened it.
    2. Reasoning ends with the first end mark that belongs to its start mark. Marks that are only spoken of count for
       nothing: in quotes, in the middle of a phrase, or as a pair on one line within the reasoning.
    3. Nothing before the end of the first reasoning is answer. Later reasoning is left out of the answer.
    4. Reasoning without end leaves no answer at all, whatever stood before it.

    Args:
        text: The raw response, with the chat template's prefill in front.
        form: The format of whoever wrote it; ``auto`` lets the text tell.

    >>> split("<think>2 + 2?</think>It is 4.")
    Parts(reasoning='2 + 2?', answer='It is 4.', complete=True)
    >>> split("<think>The answer goes behind </think> tags. Maybe 7")
    Parts(reasoning='The answer goes behind </think> tags. Maybe 7', answer='', complete=False)
    >>> split("<|channel|>analysis<|message|>Add.<|end|><|start|>assistant<|channel|>final<|message|>4").answer
    '4'
    """
    pieces: list[str] = []
    reasoning: list[str] = []
    answer: list[str] = []
    position, reasons, ended = 0, False, False
    for turn in Scanner(form).feed(text, last=True):
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
    answer = [piece for piece in (*answer, rest) if piece.strip()]
    return Parts(_joined(reasoning), _without_end_token("\n".join(answer)), complete=True)


def _joined(pieces: list[str]) -> str:
    bare = (_HEADERS.sub("", piece[-_LAST:]) for piece in pieces)
    whole = (piece[:-_LAST] + end for piece, end in zip(pieces, bare, strict=True))
    return "\n\n".join(stripped for piece in whole if (stripped := piece.strip()))


def _without_end_token(text: str) -> str:
    end = len(text.rstrip())
    start = max(0, end - _LAST)
    return text[:start] + _END_TOKEN.sub("", text[start:end]) if _END_TOKEN.search(text, start) else text
