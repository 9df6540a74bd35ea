"""Reasons for which a grader of another harness and k2eval's disagree about a response."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from k2eval.records import Grade, Outcome, Verdict

Side = Literal["false pass", "false fail"]
"""On which side another grader errs if k2eval is right: it accepts what k2eval refuses, or the reverse."""


class How(StrEnum):
    """The rule by which another grader found or compared an answer, if it is one that explains differences."""

    SECOND_CHANCE = "any number in the box"
    LAST_NUMBER = "last number of the text"
    WHOLE_TEXT = "whole text in place of an answer"
    TOLERANCE = "tolerance between numbers"
    PERCENT = "100 times or a hundredth"
    ANY_LETTER = "any letter in the text"
    FIRST_MATCH = "first of several answers"
    SEVERAL_BOXES = "several boxes read as one answer"
    STRINGS = "strings compared, not values"
    ASKED_AGAIN = "no box: would ask the model again"
    RANDOM = "no answer: would draw a letter"
    FORM = "form of answer that the prompt did not ask for"
    JUDGE = "needs the harness's judge"
    OTHER_BLOCK = "another part of the text is taken for the program"
    OFFICIAL_RUN = "the program is run in another way"
    NO_IMPORTS = "imports of the program are deleted"
    GIVEN_STEP = "a step that is given counts as failed"
    EARLY_END = "an early end of the program counts as passed"
    FIRST_LETTER = "first letter of the text"


class Reason(StrEnum):
    """Reasons that follow from both verdicts, whatever the rule."""

    UNFINISHED = "unfinished thought is graded"
    CUT = "answer cut at the token limit is graded"
    OTHER_ANSWER = "another answer is extracted"
    FOUND = "an answer is taken where k2eval sees none"
    LOOSER = "same answer, looser comparison"
    STRICTER = "same answer, stricter comparison"
    NOT_FOUND = "no answer is found"
    TIME = "comparison or program hits a limit"


LENIENCIES = frozenset(
    {
        *(Reason.UNFINISHED, Reason.CUT, How.SECOND_CHANCE, How.LAST_NUMBER, How.WHOLE_TEXT, How.TOLERANCE),
        *(How.PERCENT, How.ANY_LETTER, How.EARLY_END, How.FIRST_LETTER),
    }
)
"""Reasons that give points to answers that are not there, or not right."""

_ALWAYS = frozenset(
    {How.FORM, How.ASKED_AGAIN, How.RANDOM, How.SEVERAL_BOXES, How.NO_IMPORTS, How.GIVEN_STEP, How.EARLY_END}
)
_PASSES = frozenset(
    {
        How.SECOND_CHANCE,
        How.LAST_NUMBER,
        How.WHOLE_TEXT,
        How.TOLERANCE,
        How.PERCENT,
        How.ANY_LETTER,
        How.FIRST_LETTER,
    }
)
_OTHER_ANSWERS = frozenset({How.LAST_NUMBER, How.WHOLE_TEXT, How.ANY_LETTER, How.FIRST_LETTER})
_LIMITS = frozenset({Outcome.TIMEOUT, Outcome.MEMORY, Outcome.OUTPUT_LIMIT})


def reason(ours: Verdict, theirs: Grade, finished: bool) -> str:
    """Return why two graders disagree about a response.

    Args:
        ours: k2eval's verdict.
        theirs: The other grader's.
        finished: Whether the reasoning of the response ended.
    """
    how = str(theirs.detail.get("how", ""))
    if theirs.outcome is Outcome.CORRECT:
        if not finished:
            return Reason.UNFINISHED
        if how in _PASSES | _ALWAYS:
            return how
        if ours.outcome is Outcome.TRUNCATED:
            return Reason.CUT
        if ours.outcome in _LIMITS:
            return Reason.TIME
    else:
        if theirs.outcome in _LIMITS:
            return Reason.TIME
        if how in _ALWAYS:
            return how
        if theirs.outcome is Outcome.NO_ANSWER:
            return Reason.NOT_FOUND
    if how in (How.OTHER_BLOCK, How.OFFICIAL_RUN, How.FIRST_MATCH):
        return how
    if ours.outcome in (Outcome.NO_ANSWER, Outcome.TRUNCATED):
        return Reason.FOUND
    if not _alike(ours.extracted, theirs.extracted):
        return how if how in _OTHER_ANSWERS else Reason.OTHER_ANSWER
    if theirs.outcome is Outcome.CORRECT:
        return Reason.LOOSER
    return How.STRINGS if how == How.STRINGS else Reason.STRICTER


def _alike(first: str | None, second: str | None) -> bool:
    """Return whether two extracted answers are the same text, white space and dollars aside."""
    bare = ["".join((text or "").replace("$", "").split())[:150] for text in (first, second)]
    return bare[0] == bare[1]
