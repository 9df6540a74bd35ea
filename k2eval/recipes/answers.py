"""What a candidate answers, so far as a recipe must know: to vote, and to see that two candidates agree.

No gold answer and no computer algebra come near this: it runs in the process that feeds the engine. Two
answers count as the same when they are the same number, or equal once notation is made plain.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from k2eval.grading import choice, find_answer, grader_name, tidy
from k2eval.grading.math import exact, normalise, squeezed
from k2eval.reasoning import split
from k2eval.records import Question, Response, digest

_LONG = 2_000
"""Characters; a longer answer is compared as it is written."""


_GROUPED = re.compile(r"[-+]?[1-9]\d{0,2}(?:,\d{3})+")


@dataclass(frozen=True, slots=True)
class Said:
    """A response's answer."""

    answer: str | None
    """As written, capped in length; None where the response has none."""
    vote: str | None
    """Equal for equal answers; None where there is no answer to vote for."""


def said(question: Question, response: Response) -> Said:
    """What ``response`` answers to ``question``, by the extraction rules of the question's grader."""
    grader, truncated = question.grader or grader_name(question), response.finish_reason == "length"
    parts = split(response.text, response.reasoning)
    if not parts.complete:
        return Said(None, None)
    if grader == "choice":
        # Without the options' texts, letters are read off and nothing is computed.
        bare = question.model_copy(update={"options": ()})
        letter = choice.grade(bare, parts.answer, truncated).extracted
        return Said(letter, letter.strip().casefold() if letter else None)
    if grader == "math":
        found = find_answer(parts.answer, truncated)
        return Said(tidy(found.text), None if found.text is None else _number_or_text(found.text))
    text = _program(parts.answer) if grader in ("code", "humaneval") else parts.answer.strip()
    return Said(tidy(text), digest(text)) if text else Said(None, None)


def _number_or_text(answer: str) -> str:
    if len(answer) > _LONG:
        return squeezed(answer)
    plain = normalise(answer)
    value = exact(plain.replace(",", "") if _GROUPED.fullmatch(plain) else plain)
    return squeezed(plain) if value is None else str(value)


def _program(text: str) -> str | None:
    from k2eval.grading.code import extract_code

    code = extract_code(text)
    return code.strip() or None if code else None
