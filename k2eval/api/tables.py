"""Leaderboards and comparisons that show themselves in a notebook and in a terminal."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from k2eval import compare, leaderboard
from k2eval.api.runs import Run
from k2eval.pages import table_fragment
from k2eval.system import shipped_path

_WIDTH = 160


class LeaderboardTable(leaderboard.Leaderboard):
    """A table with a row for each run. A notebook shows it as a table; ``frame`` holds its numbers."""

    __slots__ = ()

    def to_markdown(self, name: str = "runs") -> str:
        """Return the leaderboard as a Markdown page with this name in its title."""
        return leaderboard.to_markdown(self, name)

    def write(self, out: str | Path) -> list[Path]:
        """Write ``OUT.csv``, ``OUT.md`` and ``OUT.html``, and return their paths.

        Raises:
            ConfigError: If the files cannot be written.
        """
        return leaderboard.write(self, Path(out))

    def __repr__(self) -> str:
        return _as_text(lambda console: leaderboard.print_table(self, console))

    def _repr_html_(self) -> str:
        notes = leaderboard.cells.Footnotes()
        header, rows = leaderboard.grid(self, notes, "\n")
        return table_fragment(header, rows, notes=(leaderboard.LEGEND, *self.notes, *notes.lines()))


class ComparisonTable(compare.Comparison):
    """The first run against each of the others. A notebook shows it as tables."""

    __slots__ = ()

    @property
    def frame(self) -> pd.DataFrame:
        """A row for each pair of runs and benchmark or average: scores and difference by unit, p-value, verdict."""
        rows: list[dict[str, Any]] = []
        for pair in self.pairs:
            for line in pair.lines:
                difference = line.difference
                rows.append(
                    {
                        "first": pair.first.info.name,
                        "second": pair.second.info.name,
                        "benchmark": line.name,
                        "average": line.average,
                        "first_score": line.scale * line.first.value,
                        "second_score": line.scale * line.second.value,
                        "difference": line.scale * difference.value,
                        "low": line.scale * difference.low,
                        "high": line.scale * difference.high,
                        "unit": line.error_unit or "%",
                        "p": line.p,
                        "verdict": line.verdict,
                        "questions": difference.questions,
                        "paired": difference.paired,
                    }
                )
        return pd.DataFrame(rows)

    def to_markdown(self) -> str:
        """Return the comparison as a Markdown page."""
        return compare.to_markdown(self)

    def __repr__(self) -> str:
        return _as_text(lambda console: compare.print_comparison(self, console))

    def _repr_html_(self) -> str:
        return "\n".join(
            table_fragment(
                *compare.score_table(pair),
                title=f"{compare.name_of(pair.second)} against {compare.name_of(pair.first)}",
                notes=[
                    *([pair.quantisation.sentence] if pair.quantisation else []),
                    *compare.remarks(pair),
                    *(self.notes if pair is self.pairs[-1] else ()),
                ],
            )
            for pair in self.pairs
        )


def build_leaderboard(
    runs: Sequence[str | Path | Run],
    *,
    published: bool | str | Path = False,
    exclude: str | Path | None = None,
    split: str | Path | None = None,
    cutoff: str | None = None,
    order: leaderboard.Order = "score",
) -> LeaderboardTable:
    """Build one table of runs, every number with its interval and its denominator.

    Args:
        runs: Run directories, or runs; one row each.
        published: Whether to show published figures beside; or a CSV of your own with such figures.
        exclude: File that lists questions to leave out, one per line (id, ``task/id`` or hash).
        split: File that lists questions to score apart from the others, in columns of their own.
        cutoff: ISO date; benchmarks whose questions carry dates get a column for each side of the date.
        order: Whether rows stand in the order of their scores, or of the lower ends of the scores' intervals.

    Raises:
        ConfigError: If no run is given, or a list or date cannot be used.
        JournalError: If a run directory cannot be read.
    """
    figures = shipped_path("leaderboards", "published.csv") if published is True else published
    board = leaderboard.build(
        _folders(runs),
        published=Path(figures) if figures else None,
        exclude=_path(exclude),
        split=_path(split),
        cutoff=cutoff,
        order=order,
    )
    return LeaderboardTable(**_fields(board))


def compare_runs(
    first: str | Path | Run, *others: str | Path | Run, exclude: str | Path | None = None
) -> ComparisonTable:
    """Compare the first run with each of the others, question by question, and say which differences are real.

    Args:
        first: Run directory or run.
        others: One or more further run directories or runs.
        exclude: File that lists questions to leave out, as for `build_leaderboard`.

    Raises:
        ConfigError: If there is no other run, or the runs have no benchmark in common.
        JournalError: If a run directory cannot be read.
    """
    comparison = compare.compare(_folders([first, *others]), exclude=_path(exclude))
    return ComparisonTable(**_fields(comparison))


def _folders(runs: Sequence[str | Path | Run]) -> list[Path]:
    return [run.folder if isinstance(run, Run) else Path(run) for run in runs]


def _path(path: str | Path | None) -> Path | None:
    return None if path is None else Path(path)


def _fields(table: Any) -> dict[str, Any]:
    return {field.name: getattr(table, field.name) for field in fields(table)}


def _as_text(show: Callable[[Console], None]) -> str:
    text = io.StringIO()
    show(Console(file=text, width=_WIDTH, force_terminal=False, force_jupyter=False))
    return text.getvalue().rstrip("\n")
