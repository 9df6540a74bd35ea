"""The Python API, as ``k2eval`` exports it: evaluate, read runs, compare them, grade a response."""

from k2eval.api.evaluation import evaluate, evaluate_async
from k2eval.api.grading import grade
from k2eval.api.responses import Responses, StoredResponse
from k2eval.api.runs import Run, load_run
from k2eval.api.tables import ComparisonTable, LeaderboardTable, build_leaderboard, compare_runs

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
