from . import (
    choice as choice,
)
from .answer import (
    find_answer as find_answer,
    tidy as tidy,
)
from .channel import (
    CREW as CREW,
    Channel as Channel,
)
from .number import (
    within_tolerance as within_tolerance,
)
from .orders import (
    CrewSettings as CrewSettings,
)
from .pool import (
    MOST_OF_A_CREW as MOST_OF_A_CREW,
    GradingJob as GradingJob,
    GradingPool as GradingPool,
    grade_all as grade_all,
)
from .registry import (
    LEFT_TO_JUDGE as LEFT_TO_JUDGE,
    Grader as Grader,
    grader_for as grader_for,
    grader_name as grader_name,
)
from .score import (
    item_of_row as item_of_row,
    score_file as score_file,
)

__all__ = [
    "CREW",
    "LEFT_TO_JUDGE",
    "MOST_OF_A_CREW",
    "Channel",
    "CrewSettings",
    "Grader",
    "GradingJob",
    "GradingPool",
    "choice",
    "find_answer",
    "grade_all",
    "grader_for",
    "grader_name",
    "item_of_row",
    "score_file",
    "tidy",
    "within_tolerance",
]
