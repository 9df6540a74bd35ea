"""Runs -> one table -> CSV, Markdown, HTML and the terminal."""

from k2eval.leaderboard import cells
from k2eval.leaderboard.board import Leaderboard, build
from k2eval.leaderboard.columns import Benchmark, group_title
from k2eval.leaderboard.files import write
from k2eval.leaderboard.load import load_run, load_runs
from k2eval.leaderboard.render import LEGEND, details, grid, to_markdown
from k2eval.leaderboard.scores import RunScores, TaskScores
from k2eval.leaderboard.terminal import print_table

__all__ = [
    "LEGEND",
    "Benchmark",
    "Leaderboard",
    "RunScores",
    "TaskScores",
    "build",
    "cells",
    "details",
    "grid",
    "group_title",
    "load_run",
    "load_runs",
    "print_table",
    "to_markdown",
    "write",
]
