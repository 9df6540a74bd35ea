"""Graders: pure functions from a question and a response to a grade, and the processes they run in."""

from k2eval.grading.pool import GradingPool, Item, grade_all
from k2eval.grading.registry import Grader, grader_for, grader_name

__all__ = ["Grader", "GradingPool", "Item", "grade_all", "grader_for", "grader_name"]
