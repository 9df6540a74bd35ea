"""The table of runs: a row per run, every number with its interval and its denominator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from k2eval.errors import ConfigError
from k2eval.leaderboard.averages import add_averages
from k2eval.leaderboard.columns import Benchmark, add_cell, add_standing, benchmark_of, row_of
from k2eval.leaderboard.contamination import Contamination
from k2eval.leaderboard.load import load_runs
from k2eval.leaderboard.published import read_published


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
) -> Leaderboard:
    """Build the leaderboard of run directories.

    Args:
        runs: Run directories; one row each.
        published: CSV file of published figures to show beside the measured ones.
        exclude: File that lists questions to leave out, one per line (id, ``task/id`` or hash).
        split: File that lists questions to score apart from the others, in columns of their own.
        cutoff: ISO date; benchmarks whose questions carry dates get a column for each side of the date.

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
        add_standing(rows, benchmark)
    averages = add_averages(rows, benchmarks)
    names = list(dict.fromkeys(name for row in rows for name in row.record))
    frame = pd.DataFrame({name: _column([row.record.get(name) for row in rows]) for name in names})
    warnings = [warning for run in measured for warning in run.warnings]
    return Leaderboard(
        frame=_sorted(frame, benchmarks, averages),
        benchmarks=benchmarks,
        averages=averages,
        notes=(*notes, *warnings),
        published=read_published(published) if published else None,
    )


def _column(values: Sequence[Any]) -> pd.Series:
    """Return texts with "" for gaps, notes with () for gaps, or numbers with NaN for gaps."""
    for kind in (str, tuple):
        if any(isinstance(value, kind) for value in values):
            return pd.Series([value if isinstance(value, kind) else kind() for value in values], dtype=object)
    return pd.to_numeric(pd.Series(values))


def _sorted(frame: pd.DataFrame, benchmarks: Sequence[Benchmark], averages: Sequence[str]) -> pd.DataFrame:
    """Sort by the first average or, without averages, the first benchmark: best first, rows without a rank last."""
    if not benchmarks:
        return frame
    name = averages[0] if averages else benchmarks[0].name
    if f"{name}_rank" in frame:
        whole = frame[f"{name}_rank"].notna()
    elif averages:
        whole = frame[f"{name}_benchmarks"] == frame[f"{name}_benchmarks"].max()
    else:
        whole = frame[name].notna()
    return (
        frame.assign(_whole=whole)
        .sort_values(["_whole", name], ascending=False, kind="stable")
        .drop(columns="_whole")
        .reset_index(drop=True)
    )
