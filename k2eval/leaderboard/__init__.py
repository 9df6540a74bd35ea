"""Runs -> one table -> CSV, Markdown and the terminal."""

from k2eval.leaderboard.board import Leaderboard, build
from k2eval.leaderboard.columns import Benchmark
from k2eval.leaderboard.load import RunScores, TaskScores, load_run, load_runs
from k2eval.leaderboard.render import print_table, write

__all__ = [
    "Benchmark",
    "Leaderboard",
    "RunScores",
    "TaskScores",
    "build",
    "load_run",
    "load_runs",
    "print_table",
    "write",
]
