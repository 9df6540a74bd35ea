"""The charts of a report, each with its values as a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from markupsafe import Markup

from k2eval.leaderboard import OUTCOMES, Leaderboard, RunScores, TaskScores, cells, group_title
from k2eval.pages import Series, curves, svg
from k2eval.records import Outcome
from k2eval.statistics import (
    Estimate,
    Vote,
    average_of,
    dominating,
    majority_at_k,
    pass_at_k,
    supported,
)

Votes = dict[str, list[list[Vote]]]
"""Benchmark -> for each question the votes of its repeats."""
Point = tuple[float, float, float, float]

_BINS = 8
_FAR = 4
"""Factor between the most and the fewest tokens from which their axis is logarithmic."""
KINDS = (
    ("correct", "correct"),
    ("partial", "partly right"),
    ("wrong", "wrong"),
    ("no_answer", "no answer"),
    ("truncated", "truncated"),
    ("program", "program failed"),
    ("infrastructure", "our failure (left out)"),
)
"""Classes of the style sheet with their words, in the order of the bars."""


class Values(NamedTuple):
    """A table: its name, its header, and rows that begin with what they are about."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


class Figure(NamedTuple):
    """A chart with its title and its values."""

    title: str
    chart: Markup
    values: Values | None = None


def forest(board: Leaderboard, runs: Sequence[RunScores]) -> Markup:
    """Draw all averages and benchmarks of all runs with their intervals."""
    colours = {run.info.name: index for index, run in enumerate(runs)}
    titles = {benchmark.name: benchmark.title for benchmark in board.benchmarks if not benchmark.error_unit}
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
    """Draw pass@k and maj@k, each in a chart of its own, of the benchmarks with more than one repeat."""
    figures = []
    for name, title in _benchmarks(runs).items():
        passes, majorities = [], []
        for index, (run, votes_of_run) in enumerate(zip(runs, votes, strict=True)):
            task = run.tasks.get(name)
            if task is None or task.scores.shape[1] < 2:
                continue
            passes.append(Series(run.info.name, _curve(pass_at_k(task.scores)), index))
            if name in votes_of_run:
                majorities.append(Series(run.info.name, _curve(majority_at_k(votes_of_run[name])), index))
        for kind, series in (("pass@k", passes), ("maj@k", majorities)):
            if chart := curves(series, f"{title}: {kind}", "k", named=True):
                figures.append(Figure(f"{title}: {kind}", chart, _by_k(f"{title}: {kind}", series)))
    return figures


def lengths(runs: Sequence[RunScores]) -> list[Figure]:
    """Draw score against output length: samples in bins of equal size by their tokens, one chart per benchmark."""
    figures = []
    for name, title in _benchmarks(runs).items():
        series = [
            Series(run.info.name, _by_length(run.tasks[name]), index)
            for index, run in enumerate(runs)
            if name in run.tasks
        ]
        if chart := curves(series, f"{title}: score by output length", "output tokens", named=True):
            rows = [
                [one.label, f"{tokens:,.0f}", *_in_words(score, low, high)]
                for one in series
                for tokens, score, low, high in one.points
            ]
            header = ("Run", "Median tokens", "Score", "95 % interval")
            figures.append(Figure(title, chart, Values(f"{title}: score by output length", header, rows)))
    return figures


def frontiers(board: Leaderboard, runs: Sequence[RunScores]) -> list[Figure]:
    """Draw score against the tokens of a whole recipe, one point per run, with the runs that none beats in both."""
    colours = {run.info.name: index for index, run in enumerate(runs)}
    titles = {name: group_title(name) for name in board.averages} | {
        benchmark.name: benchmark.title for benchmark in board.benchmarks if not benchmark.error_unit
    }
    figures = []
    for name, title in titles.items():
        frame = board.frame[board.frame[name].notna()]
        own = f"{name}_recipe_tokens"
        tokens = [float(value) for value in frame[own if own in frame else "recipe_tokens"]]
        if len(tokens) < 2 or not min(tokens) > 0:
            continue
        points = [
            (cost, float(row[name]), float(row[f"{name}_low"]), float(row[f"{name}_high"]))
            for cost, (_, row) in zip(tokens, frame.iterrows(), strict=True)
        ]
        names = [str(run) for run in frame["run"]]
        beaten = dominating(tokens, [score for _, score, *_ in points])
        edge = sorted(point for point, better in zip(points, beaten, strict=True) if better is None)
        series = [Series(run, [point], colours[run]) for run, point in zip(names, points, strict=True)]
        frontier = Series("frontier", [(x, y, y, y) for x, y, *_ in edge], 0, dashed=True)
        chart = curves(
            [*series, frontier],
            f"{title}: score against tokens",
            "tokens of a whole recipe",
            linear=max(tokens) <= _FAR * min(tokens),
            named=True,
        )
        rows = [
            [
                run,
                f"{cost:,.0f}",
                *_in_words(*rest),
                "on it" if better is None else f"{names[better]} is better",
            ]
            for run, (cost, *rest), better in zip(names, points, beaten, strict=True)
        ]
        header = ("Run", "Tokens", "Score", "95 % interval", "Frontier")
        figures.append(Figure(title, chart, Values(f"{title}: score against tokens", header, rows)))
    return figures


def outcomes(runs: Sequence[RunScores]) -> Markup:
    """Draw the outcomes of all samples, one bar per benchmark and run."""
    rows = []
    for name, title in _benchmarks(runs).items():
        for run in runs:
            if name in run.tasks:
                counts = _kinds(run.tasks[name])
                total = sum(count for _, count in counts) or 1
                cut = f"{100 * dict(counts)['truncated'] / total:.1f} % truncated"
                rows.append(svg.Stack(f"{title}, {run.info.name}" if len(runs) > 1 else title, counts, cut))
    return svg.for_screens(lambda narrow: svg.stacks(rows, "Outcomes", narrow))


def costs(runs: Sequence[RunScores]) -> Values:
    """Return the tokens of selected answers and the shares of outcomes, a row per benchmark and run."""
    rows = []
    for name, title in _benchmarks(runs).items():
        for run in runs:
            task = run.tasks.get(name)
            if task is None or not (task.outcomes >= 0).any():
                continue
            tokens = task.output_tokens[task.outcomes >= 0]
            counts = _kinds(task)
            total = sum(count for _, count in counts)
            quantiles = [f"{value:,.0f}" for value in np.quantile(tokens, (0.1, 0.5, 0.9, 1.0))]
            shares = [f"{100 * count / total:.1f}" for _, count in counts]
            rows.append([title, run.info.name, f"{total:,}", f"{tokens.mean():,.0f}", *quantiles, *shares])
    header = ["Benchmark", "Run", "Samples", "Tokens, mean", "10 %", "median", "90 %", "most"]
    return Values("Tokens and outcomes", [*header, *(f"{words}, %" for _, words in KINDS)], rows)


def by_tags(
    parts: Iterable[tuple[str, Sequence[str], Sequence[Sequence[str]], pd.DataFrame]],
    runs: Sequence[RunScores],
) -> list[Figure]:
    """Draw the average of each value of a tag with its interval.

    Args:
        parts: As `breakdown.by_tag` yields them.
        runs: The runs, for their colours.
    """
    colours = {run.info.name: index for index, run in enumerate(runs)}
    figures = []
    for title, header, rows, frame in parts:
        groups = [
            (
                f"{value}, questions: {part['questions'].max()}",
                [
                    svg.Mark(row["run"], row["avg"], row["avg_low"], row["avg_high"], colours[row["run"]])
                    for _, row in part[part["avg"].notna()].iterrows()
                ],
            )
            for value, part in frame.groupby("value", sort=False)
        ]
        label = f"{title}: avg@k with 95 % intervals"
        chart = svg.for_screens(partial(svg.forest, groups, label))
        figures.append(Figure(title, chart, Values(title, header, rows)))
    return figures


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


def _curve(estimates: Sequence[Estimate]) -> list[Point]:
    return [
        (float(k), 100 * estimate.value, 100 * estimate.low, 100 * estimate.high)
        for k, estimate in enumerate(supported(estimates), start=1)
        if estimate.questions
    ]


def _by_k(title: str, series: Sequence[Series]) -> Values:
    """Return the curves at powers of two and at their ends."""
    every = {int(k) for one in series for k, *_ in one.points}
    ends = {int(one.points[-1][0]) for one in series if one.points}
    shown = sorted(k for k in every if k & (k - 1) == 0 or k in ends)
    rows = []
    for one in series:
        at = {int(k): " ".join(_in_words(*rest)) for k, *rest in one.points}
        rows.append([one.label, *(at.get(k, cells.ABSENT) for k in shown)])
    return Values(title, ["Run", *(f"k = {k}" for k in shown)], rows)


def _in_words(value: float, low: float, high: float) -> tuple[str, str]:
    return f"{value:.1f}", f"({low:.1f} – {high:.1f})" if np.isfinite(low + high) else cells.ABSENT


def _by_length(task: TaskScores) -> list[Point]:
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
    counts = dict.fromkeys((kind for kind, _ in KINDS), 0)
    present = task.outcomes >= 0
    for code, score in zip(task.outcomes[present], task.scores[present], strict=True):
        counts[kind_of(OUTCOMES[code], float(score))] += 1
    return list(counts.items())
