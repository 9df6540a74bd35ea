"""SciCode's port to Inspect: as its own harness, but a main problem with a given step is never solved.

It counts the steps that pass, leaves the given ones out, and compares with the number of all steps.
"""

from __future__ import annotations

from k2eval.audit.foreign import scicode_own
from k2eval.audit.reasons import How
from k2eval.records import Grade, Outcome, Question
from k2eval.tasks.scicode import problem_of

VERSION = 1
time_limit = scicode_own.time_limit
prepare = scicode_own.prepare


def grade(question: Question, text: str, truncated: bool) -> Grade:
    """Grade a response: ``text`` holds the content of the response to each step (`k2eval.audit.steps`)."""
    found = scicode_own.grade(question, text, truncated)
    if found.outcome is Outcome.CORRECT and not all(step.graded for step in problem_of(question).sub_steps):
        return Grade.of(Outcome.WRONG, found.extracted, how=How.GIVEN_STEP, steps=found.detail["steps"])
    return found
