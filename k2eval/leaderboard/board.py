"""The table of runs: a row per run, every number with its interval and its denominator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from k2eval.errors import ConfigError
from k2eval.leaderboard.averages import add_averages, mark_beside_published
from k2eval.leaderboard.columns import Benchmark, add_cell, benchmark_of, row_of
from k2eval.leaderboard.contamination import Contamination
from k2eval.leaderboard.groups import add_groups_of
from k2eval.leaderboard.load import load_runs
from k2eval.leaderboard.published import read_published

Order = Literal["score", "lower"]
"""The order of rows: by score, or by the lower end of its interval."""


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """Measured runs as a table, with notes for its readers."""

    frame: pd.DataFrame
    """One row per run; percentages in percent. docs/leaderboard.md names the columns."""
    benchmarks: tuple[Benchmark, ...]
    averages: tuple[str, ...]
    """Names of the columns that average over benchmarks, such as ``math_micro``."""
    notes: tuple[str, ...]
    """Notes on the whole table."""
    published: pd.DataFrame | None = None
    """Figures from publications: shown apart, never ranked."""


def build(
    runs: Sequence[Path],
    *,
    published: Path | None = None,
    exclude: Path | None = None,
    split: Path | None = None,
    cutoff: str | None = None,
    order: Order = "score",
) -> Leaderboard:
    """Build the leaderboard of run directories.

    Args:
        runs: Run directories; one row each.
        published: CSV file of published figures to show beside the measured ones.
        exclude: File that lists questions to leave out, one per line (id, ``task/id`` or hash).
        split: File that lists questions to score apart from the others, in columns of their own.
        cutoff: ISO date; benchmarks whose questions carry dates get a column for each side of the date.
        order: Whether rows stand in the order of their scores, or of the lower ends of the scores' intervals.

    Raises:
        ConfigError: If no run is given, or a list or date cannot be used.
        JournalError: If a run directory cannot be read.
    """
    if not runs:
        raise ConfigError("Expected at least one run directory, got none. Make one with `k2eval run`.")
    contamination = Contamination.of(exclude=exclude, split=split, cutoff=cutoff)
    measured, notes = contamination.apply(load_runs(runs))
    tasks = dict.fromkeys(name for run in measured for name in run.tasks)
    benchmarks = tuple(benchmark_of(name, measured) for name in tasks)
    rows = [row_of(run) for run in measured]
    for benchmark in benchmarks:
        for row in rows:
            add_cell(row, benchmark)
        add_groups_of(rows, benchmark)
    averages = add_averages(rows, benchmarks)
    figures = read_published(published) if published else None
    mark_beside_published(rows, benchmarks, [name for name in averages if _is_published(figures, name)])
    names = list(dict.fromkeys(name for row in rows for name in row.record))
    frame = pd.DataFrame({name: _column([row.record.get(name) for row in rows]) for name in names})
    notes += _on_errors(benchmarks)
    warnings = [warning for run in measured for warning in run.warnings]
    return Leaderboard(
        frame=_sorted(frame, benchmarks, averages, order),
        benchmarks=benchmarks,
        averages=averages,
        notes=(*notes, *warnings),
        published=figures,
    )


def _is_published(figures: pd.DataFrame | None, average: str) -> bool:
    """Return whether published figures have an average of mathematics, as printed or computed."""
    if figures is None or not average.startswith("math_"):
        return False
    return any(name in figures and figures[name].notna().any() for name in (average, f"{average}_computed"))


def _on_errors(benchmarks: Sequence[Benchmark]) -> list[str]:
    titles = [benchmark.title for benchmark in benchmarks if benchmark.numeric and not benchmark.part]
    if not titles:
        return []
    return [
        f"{', '.join(titles)}: answers are numbers. ↓ marks mean absolute errors in their unit: less is better, and "
        "the least is bold. The column beside is the share of errors within the tolerance. No average counts either."
    ]


def _column(values: Sequence[Any]) -> pd.Series:
    """Return texts with "" for gaps, notes with () for gaps, or numbers with NaN for gaps."""
    for kind in (str, tuple):
        if any(isinstance(value, kind) for value in values):
            return pd.Series([value if isinstance(value, kind) else kind() for value in values], dtype=object)
    return pd.to_numeric(pd.Series(values))


def _sorted(
    frame: pd.DataFrame, benchmarks: Sequence[Benchmark], averages: Sequence[str], order: Order
) -> pd.DataFrame:
    """Sort by the first average or, without averages, the first benchmark: best first, rows without a rank last."""
    if not benchmarks:
        return frame
    name = averages[0] if averages else benchmarks[0].name
    if f"{name}_group" in frame:
        whole = frame[f"{name}_group"].notna()
    elif averages:
        whole = frame[f"{name}_benchmarks"] == frame[f"{name}_benchmarks"].max()
    else:
        whole = frame[name].notna()
    by = [f"{name}_low", name] if order == "lower" else [name]
    return (
        frame.assign(_whole=whole)
        .sort_values(["_whole", *by], ascending=False, kind="stable")
        .drop(columns="_whole")
        .reset_index(drop=True)
    )
