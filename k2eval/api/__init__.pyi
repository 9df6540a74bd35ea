from .evaluation import (
    evaluate as evaluate,
    evaluate_async as evaluate_async,
)
from .grading import (
    grade as grade,
)
from .responses import (
    Responses as Responses,
    StoredResponse as StoredResponse,
)
from .runs import (
    Run as Run,
    load_run as load_run,
)
from .tables import (
    ComparisonTable as ComparisonTable,
    LeaderboardTable as LeaderboardTable,
    build_leaderboard as build_leaderboard,
    compare_runs as compare_runs,
)

__all__ = [
    "ComparisonTable",
    "LeaderboardTable",
    "Responses",
    "Run",
    "StoredResponse",
    "build_leaderboard",
    "compare_runs",
    "evaluate",
    "evaluate_async",
    "grade",
    "load_run",
]
