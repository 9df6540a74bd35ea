from .problems import (
    GIVEN_STEPS as GIVEN_STEPS,
    Problem as Problem,
    Step as Step,
    items as items,
    problem_of as problem_of,
)
from .targets import (
    read_targets as read_targets,
)

__all__ = [
    "GIVEN_STEPS",
    "Problem",
    "Step",
    "items",
    "problem_of",
    "read_targets",
]
