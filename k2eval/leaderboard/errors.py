"""The figures of a benchmark of numeric answers, beside its mean absolute error."""

from __future__ import annotations

import numpy as np

from k2eval.leaderboard.scores import TaskScores
from k2eval.statistics import Estimate, average, rank_correlation, root_mean_square_error


def estimates(task: TaskScores) -> dict[str, Estimate]:
    """Return RMSE, parse rate and rank correlation; nothing if the scores are no sizes of errors."""
    if task.error_unit is None or task.readings is None or task.golds is None:
        return {}
    known = (task.outcomes >= 0) & ~task.lost
    return {
        "rmse": root_mean_square_error(task.scores),
        "parsed": average(np.where(known, np.isfinite(task.readings), np.nan).astype(np.float64)),
        "rank_correlation": rank_correlation(task.readings, task.golds),
    }


def figures(task: TaskScores) -> dict[str, float | str]:
    """Return the columns of the CSV: RMSE in its unit, parse rate in percent, rank correlation from -1 to 1."""
    columns: dict[str, float | str] = {}
    for name, estimate in estimates(task).items():
        scale = 100 if name == "parsed" else 1
        ends = {"": estimate.value, "_low": estimate.low, "_high": estimate.high}
        columns |= {f"{name}{end}": scale * value for end, value in ends.items()}
    return columns | ({"unit": task.error_unit} if task.error_unit else {})


def notes(task: TaskScores) -> list[str]:
    """Return a sentence with the figures for people, and one on the tolerance of the share that stands beside."""
    found = estimates(task)
    if not found:
        return []
    rmse, parsed, order = found["rmse"], found["parsed"], found["rank_correlation"]
    return [
        f"RMSE {_with_interval(rmse)} {task.error_unit}; rank correlation {_with_interval(order)}; a number was read "
        f"in {100 * parsed.value:.1f} % of answers ({100 * parsed.low:.1f} – {100 * parsed.high:.1f}), and errors are "
        "those of these answers"
    ]


def _with_interval(estimate: Estimate) -> str:
    if not np.isfinite(estimate.value):
        return "–"
    if not np.isfinite(estimate.low):
        return f"{estimate.value:.2f}"
    return f"{estimate.value:.2f} ({estimate.low:.2f} – {estimate.high:.2f})"
