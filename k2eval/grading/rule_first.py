"""The grader of questions that a rule decides in part: the rest is left to the answer judge.

Choices, and answers that are whole numbers or fractions, are right or wrong by rule. Of all others a rule can only tell
that an answer is right. If it cannot, the outcome is ``undecided`` and there is no score, until the answer judge has
decided (`k2eval.recipes.judged`).
"""

from __future__ import annotations

from k2eval.grading import choice
from k2eval.grading.answer import tidy
from k2eval.grading.math import grader as mathematics
from k2eval.records import Grade, Outcome, Question

VERSION = 1_000_000 + 1_000 * mathematics.VERSION + choice.VERSION
"""Changes whenever a grade of one of its rules could change."""

JUDGE = "judge"
"""The value of a question's ``metadata["decided_by"]`` if a rule cannot tell that an answer is wrong."""

_LONGEST = 2_000
"""Characters of an answer in words that are kept."""


def grade(question: Question, text: str, truncated: bool) -> Grade:
    """Grade one response by rule, as far as a rule can decide.

    Args:
        question: With ``options``, the gold is a letter. ``metadata["decided_by"]`` is ``"judge"`` if only a judge can
            tell that an answer is wrong.
        text: The response after its reasoning.
        truncated: Whether the engine stopped at its token limit.
    """
    if question.options:
        return choice.grade(question, text, truncated)
    by_rule = mathematics.grade(question, text, truncated)
    if question.metadata.get("decided_by") != JUDGE or by_rule.outcome not in (
        Outcome.WRONG,
        Outcome.NO_ANSWER,
    ):
        return by_rule
    if not text.strip():
        return Grade.of(Outcome.NO_ANSWER)
    said = by_rule.extracted if by_rule.extracted is not None else tidy(text.strip()[-_LONGEST:])
    return Grade.of(Outcome.UNDECIDED, said, reason="a rule cannot decide about this answer: ask a judge")


def prepare() -> None:
    """Import the parser of mathematics, so that no answer is charged for it."""
    mathematics.prepare()
