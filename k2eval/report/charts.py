"""The charts of a report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from markupsafe import Markup

from k2eval.leaderboard import OUTCOMES, Leaderboard, RunScores, TaskScores, group_title
from k2eval.pages import svg
from k2eval.records import Outcome
from k2eval.statistics import Estimate, Vote, average_of, majority_at_k, pass_at_k, supported

Votes = dict[str, list[list[Vote]]]
"""Benchmark -> for each question the votes of its repeats."""

_BINS = 8
_SHOWN = ("correct", "partial", "wrong", "no_answer", "truncated", "program", "infrastructure")
"""Classes of the style sheet, in the order of the bars."""


class Figure(NamedTuple):
    """A chart with its title."""

    title: str
    chart: Markup


def forest(board: Leaderboard, runs: Sequence[RunScores]) -> Markup:
    """Draw all averages and benchmarks of all runs with their intervals."""
    colours = {run.info.name: index for index, run in enumerate(runs)}
    titles = {benchmark.name: benchmark.title for benchmark in board.benchmarks}
    groups = []
    for name in (*board.averages, *titles):
        frame = board.frame[board.frame[name].notna()]
        marks = [
            svg.Mark(row["run"], row[name], row[f"{name}_low"], row[f"{name}_high"], colours[row["run"]])
            for _, row in frame.iterrows()
        ]
        groups.append((titles.get(name) or group_title(name), marks))
    return svg.for_screens(lambda narrow: svg.forest(groups, "Scores with 95 % intervals", narrow))


def attempts(runs: Sequence[RunScores], votes: Sequence[Votes]) -> list[Figure]:
    """Draw pass@k (solid, with bands) and maj@k (dashed), one chart per benchmark with more than one repeat."""
    figures = []
    for name, title in _benchmarks(runs).items():
        series = []
        for index, (run, votes_of_run) in enumerate(zip(runs, votes, strict=True)):
            task = run.tasks.get(name)
            if task is None or task.scores.shape[1] < 2:
                continue
            series.append(svg.Series(run.info.name, _curve(pass_at_k(task.scores)), index))
            if name in votes_of_run:
                curve = _curve(majority_at_k(votes_of_run[name]))
                series.append(svg.Series(f"{run.info.name}, majority", curve, index, dashed=True))
        if series:
            figures.append(Figure(title, svg.curves(series, f"{title}: pass@k and maj@k", "k")))
    return figures


def lengths(runs: Sequence[RunScores]) -> list[Figure]:
    """Draw score against output length: samples in bins of equal size by their tokens, one chart per benchmark."""
    figures = []
    for name, title in _benchmarks(runs).items():
        series = [
            svg.Series(run.info.name, _by_length(run.tasks[name]), index)
            for index, run in enumerate(runs)
            if name in run.tasks
        ]
        chart = svg.curves(series, f"{title}: score by output length", "output tokens")
        if chart:
            figures.append(Figure(title, chart))
    return figures


def outcomes(runs: Sequence[RunScores]) -> Markup:
    """Draw the outcomes of all samples, one bar per benchmark and run."""
    rows = []
    for name, title in _benchmarks(runs).items():
        for run in runs:
            if name in run.tasks:
                counts = _kinds(run.tasks[name])
                rows.append((f"{title}, {run.info.name}" if len(runs) > 1 else title, counts))
    return svg.for_screens(lambda narrow: svg.stacks(rows, "Outcomes", narrow))


def kind_of(outcome: Outcome, score: float | None) -> str:
    """Return the class of the style sheet for a sample's outcome."""
    if outcome.is_infrastructure:
        return "infrastructure"
    if outcome.value in ("no_answer", "truncated"):
        return outcome.value
    if score is not None and 0 < score < 1:
        return "partial"
    if outcome is Outcome.CORRECT:
        return "correct"
    return "wrong" if outcome is Outcome.WRONG else "program"


def _benchmarks(runs: Sequence[RunScores]) -> dict[str, str]:
    return {name: task.info.title or name for run in reversed(runs) for name, task in run.benchmarks.items()}


def _curve(estimates: Sequence[Estimate]) -> list[tuple[float, float, float, float]]:
    return [
        (float(k), 100 * estimate.value, 100 * estimate.low, 100 * estimate.high)
        for k, estimate in enumerate(supported(estimates), start=1)
        if estimate.questions
    ]


def _by_length(task: TaskScores) -> list[tuple[float, float, float, float]]:
    """Return (median tokens, mean score, interval) of each bin; samples in a bin count as independent."""
    known = np.isfinite(task.scores) & (task.output_tokens > 0)
    tokens, scores = task.output_tokens[known], task.scores[known]
    order = np.argsort(tokens, kind="stable")
    points = []
    for chunk in np.array_split(order, min(_BINS, max(1, len(order) // 10))):
        if len(chunk):
            estimate = average_of(scores[chunk])
            middle = float(np.median(tokens[chunk]))
            points.append((middle, 100 * estimate.value, 100 * estimate.low, 100 * estimate.high))
    return points


def _kinds(task: TaskScores) -> list[tuple[str, int]]:
    counts = dict.fromkeys(_SHOWN, 0)
    present = task.outcomes >= 0
    for code, score in zip(task.outcomes[present], task.scores[present], strict=True):
        counts[kind_of(OUTCOMES[code], float(score))] += 1
    return list(counts.items())
