"""Runs that differ in one quantity, as tables and curves, with the steps at which scores change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from markupsafe import Markup

from k2eval.errors import ConfigError
from k2eval.leaderboard import Leaderboard, RunScores, board_tables, build, cells, group_title, load_runs
from k2eval.pages import CHARTS, Series, curves, render
from k2eval.report.charts import Figure, Values
from k2eval.statistics import Array, ChangePoint, change_points, question_means
from k2eval.system import write_text

_FAR = 4
"""Factor between the most and the fewest tokens from which their axis is logarithmic."""


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a series: a run, and the value in which it differs from the others."""

    value: Path | str
    """The checkpoint, or a value of a switch."""
    name: str
    """The name of the run directory."""
    place: float | str
    """Position on the axis: a step, or the value of a switch."""


@dataclass(frozen=True, slots=True)
class Axis:
    """Quantity in which the runs of a series differ."""

    column: str
    """Name of the column of the table."""
    title: str
    against_tokens: bool = False
    """True if charts show scores against the tokens of the answers."""

    @property
    def x_title(self) -> str:
        """Title of the axis against which scores are drawn."""
        return "tokens of an answer" if self.against_tokens else self.column


STEPS = Axis("step", "Step")


def _in_words(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


@dataclass(frozen=True, slots=True)
class RunSeries:
    """The runs of a series, as tables and curves."""

    axis: Axis
    board: Leaderboard
    frame: pd.DataFrame
    """The table of the leaderboard in order of points, with the axis' column in front."""
    changes: dict[str, list[tuple[float | str, ChangePoint]]] = field(default_factory=dict)
    """Of each benchmark the places at which its score changes; none if points have no order."""

    @property
    def titles(self) -> dict[str, str]:
        """Titles of the averages and benchmarks by their columns."""
        return {name: group_title(name) for name in self.board.averages} | {
            benchmark.name: benchmark.title for benchmark in self.board.benchmarks
        }

    def figures(self) -> list[Figure]:
        """Return the curve of each average and benchmark."""
        errors = {benchmark.name for benchmark in self.board.benchmarks if benchmark.error_unit}
        drawn = [
            Figure(title, _chart(self, column, title), _values(self, column, title))
            for column, title in self.titles.items()
            if column not in errors
        ]
        return [figure for figure in drawn if figure.chart]

    def sentences(self) -> list[str]:
        """Return a sentence for each change of a benchmark."""
        return [
            f"{self.titles.get(name, name)} changes at {self.axis.column} {place}: {100 * change.before:.1f} % before, "
            f"{100 * change.after:.1f} % from there on ({100 * change.difference:+.1f}; {_in_words(change.p)})."
            for name, changes in self.changes.items()
            for place, change in changes
        ]


def series_of(axis: Axis, evaluated: Sequence[tuple[Point, Path]]) -> RunSeries:
    """Return the series of the points that have been evaluated, each with its run directory."""
    board = build([run for _, run in evaluated])
    # A run is called what its run.json says, which need not be its folder's name.
    runs = load_runs([run for _, run in evaluated])
    names = [run.info.name for run in runs]
    order = {name: number for number, name in enumerate(names)}
    places = {name: point.place for name, (point, _) in zip(names, evaluated, strict=True)}
    frame = board.frame.sort_values("run", key=lambda column: column.map(order), kind="stable")
    frame = frame.drop(columns=axis.column, errors="ignore")
    frame.insert(0, axis.column, frame["run"].map(places))
    changes = {} if axis.against_tokens else _changes(evaluated, runs)
    for name, found in changes.items():
        at = {place: round(100 * change.difference, 4) for place, change in found}
        frame[f"{name}_change"] = frame[axis.column].map(at)
    return RunSeries(axis, board, frame.reset_index(drop=True), changes)


def _changes(
    evaluated: Sequence[tuple[Point, Path]], runs: Sequence[RunScores]
) -> dict[str, list[tuple[float | str, ChangePoint]]]:
    names = dict.fromkeys(name for run in runs for name in run.benchmarks)
    changes = {}
    for name in names:
        with_task = [
            (point.place, run) for (point, _), run in zip(evaluated, runs, strict=True) if name in run.tasks
        ]
        found = change_points(_means([run for _, run in with_task], name))
        changes[name] = [(with_task[change.index][0], change) for change in found]
    return changes


def _means(runs: Sequence[RunScores], name: str) -> Array:
    """Return the means of all questions of a benchmark; shape (runs, questions)."""
    rows = []
    for run in runs:
        task = run.tasks[name]
        rows.append(dict(zip(task.questions, question_means(task.values), strict=True)))
    questions = dict.fromkeys(question for row in rows for question in row)
    return np.array([[row.get(question, np.nan) for question in questions] for row in rows])


def write_series(axis: Axis, evaluated: Sequence[tuple[Point, Path]], out: Path, name: str) -> RunSeries:
    """Write ``NAME.csv``, ``NAME.md`` and ``NAME.html`` of the points evaluated so far, and return the series.

    Raises:
        ConfigError: If the files cannot be written.
    """
    series = series_of(axis, evaluated)
    texts = {
        f"{name}.csv": cells.to_csv(series.frame),
        f"{name}.md": _markdown(series),
        f"{name}.html": _html(series, f"{name.capitalize()}: {out.name}"),
    }
    try:
        for file, text in texts.items():
            write_text(out / file, text)
    except OSError as error:
        raise ConfigError(
            f"Cannot write the tables to {out}: {error.strerror}. Choose another --out."
        ) from error
    return series


def _markdown(series: RunSeries) -> str:
    notes = cells.Footnotes()
    axis, titles = series.axis, series.titles
    rows = []
    for _, record in series.frame.iterrows():
        scores = [cells.score(record, name) + notes.mark(record.get(f"{name}_notes")) for name in titles]
        costs = [cells.plain(record["truncated"]), cells.plain(record["tokens"], ",.0f")]
        rows.append([f"{record[axis.column]}", *scores, *costs])
    header = [axis.title, *titles.values(), "Truncated %", "Tokens"]
    parts = [f"# Score against {axis.x_title}", cells.markdown_table(header, rows)]
    parts.append(
        "\n".join(f"- {line}" for line in (*series.sentences(), *series.board.notes, *notes.lines()))
    )
    return "\n\n".join(part for part in parts if part) + "\n"


def _html(series: RunSeries, title: str) -> str:
    return render(
        "sweep.html",
        scripts=CHARTS,
        styles=("charts.css", "report.css"),
        title=title,
        axis=series.axis,
        figures=series.figures(),
        changes=series.sentences(),
        tables=board_tables(series.board),
    )


def _chart(runs: RunSeries, name: str, title: str) -> Markup:
    axis, frame = runs.axis, runs.frame
    known = frame[frame[name].notna()]
    x = _tokens_of(known, name) if axis.against_tokens else known[axis.column].astype(float)
    known = known.assign(_x=x).sort_values("_x", kind="stable")
    points = [
        (float(row["_x"]), float(row[name]), float(row[f"{name}_low"]), float(row[f"{name}_high"]))
        for _, row in known.iterrows()
    ]
    labels = [f"{place}" for place in known[axis.column]] if axis.against_tokens else []
    series = [Series("score", points, 0, labels=labels)]
    if f"{name}_truncated" in frame:
        cut = [(float(row["_x"]), float(row[f"{name}_truncated"])) for _, row in known.iterrows()]
        series.append(Series("truncated", [(at, share, share, share) for at, share in cut], 1, dashed=True))
    apart = axis.against_tokens and bool(points) and points[-1][0] > _FAR * max(points[0][0], 1.0)
    marks = [
        (float(place), f"{100 * change.difference:+.1f}") for place, change in runs.changes.get(name, [])
    ]
    return curves(series, f"{title} against {axis.x_title}", axis.x_title, linear=not apart, marks=marks)


def _values(runs: RunSeries, name: str, title: str) -> Values:
    axis, cut = runs.axis, f"{name}_truncated"
    known = runs.frame[runs.frame[name].notna()]
    rows = [
        [
            f"{row[axis.column]}",
            cells.score(row, name),
            *([cells.plain(row[cut])] if cut in known else []),
            cells.plain(tokens, ",.0f"),
        ]
        for (_, row), tokens in zip(known.iterrows(), _tokens_of(known, name), strict=True)
    ]
    header = [axis.title, "Score", *(["Truncated %"] if cut in known else []), "Tokens, whole recipe"]
    return Values(f"{title} against {axis.x_title}", header, rows)


def _tokens_of(frame: pd.DataFrame, name: str) -> pd.Series:
    """Return the mean tokens of all that a recipe wrote: on one benchmark, or on all for an average."""
    own = f"{name}_recipe_tokens"
    return frame[own] if own in frame else frame["recipe_tokens"]
