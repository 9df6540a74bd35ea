"""A grader for tests of the pool that has time limits of its own, as graders that run programs do."""

from k2eval.records import Grade, Question
from tests.grading import rogue

VERSION = 1


def time_limit(question: Question) -> float:
    return float(question.metadata["limit_s"])


def grade(question: Question, text: str, truncated: bool) -> Grade:
    return rogue.grade(question, text, truncated)
