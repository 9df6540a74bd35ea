"""SciCode: its problems as items, its given steps, its targets."""

from k2eval.tasks.scicode.problems import GIVEN_STEPS, Problem, Step, items, problem_of
from k2eval.tasks.scicode.targets import read_targets

__all__ = ["GIVEN_STEPS", "Problem", "Step", "items", "problem_of", "read_targets"]
