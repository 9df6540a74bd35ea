"""Answers of candidates, for votes and to see whether two candidates agree.

This code uses no gold answer and no computer algebra, as it runs in the process that feeds the engine. Two answers
are the same if they are the same number, or equal texts in plain notation.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from k2eval.grading import choice, find_answer, grader_for, grader_name, tidy
from k2eval.grading.math import exact, normalise, squeezed
from k2eval.reasoning import Parts
from k2eval.records import Question, Response, digest

_LONG = 2_000
"""Number of characters above which an answer is compared as it is written."""


_GROUPED = re.compile(r"[-+]?[1-9]\d{0,2}(?:,\d{3})+")


@dataclass(frozen=True, slots=True)
class Answer:
    """A response's answer."""

    text: str | None
    """The answer as written, limited in length; None if the response has none."""
    vote: str | None
    """Equal for equal answers; None if there is no answer to vote for."""


def answer_of(question: Question, response: Response) -> Answer:
    """Extract the answer of ``response`` to ``question``, by the rules of the question's grader."""
    grader, truncated = question.grader or grader_name(question), response.finish_reason == "length"
    parts = Parts.of(response)
    if not parts.complete:
        return Answer(None, None)
    if grader == "choice":
        # Without the options' texts the grader only reads letters and computes nothing.
        bare = question.model_copy(update={"options": ()})
        letter = choice.grade(bare, parts.answer, truncated).extracted
        return Answer(letter, letter.strip().casefold() if letter else None)
    if grader == "math":
        found = find_answer(parts.answer, truncated)
        text = found.joined or found.text
        return Answer(tidy(text), None if text is None else _number_or_text(text))
    if grader in ("refusal", "leaks"):
        word = grader_for(grader).grade(question, parts.answer, truncated).extracted
        return Answer(word, word)
    text = _program(parts.answer) if grader in ("code", "humaneval") else parts.answer.strip()
    return Answer(tidy(text), digest(text)) if text else Answer(None, None)


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
