"""The table as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from markupsafe import Markup

from k2eval.leaderboard import cells
from k2eval.leaderboard.board import Leaderboard
from k2eval.leaderboard.columns import group_title
from k2eval.leaderboard.render import details, header_of, published_tables, size_of
from k2eval.pages import render

LEGEND = (
    "Scores are avg@k in percent, averaged over questions, with 95 % intervals on questions like these, "
    "clustered by question. "
    "Bold on green: the best of the column; ≈ on pale green: in its group, since no difference from it is shown."
)


_LONG = 60
"""Number of characters above which a cell of text may be wide."""


class Heading(NamedTuple):
    """The head of a column."""

    title: str
    under: str = ""
    marks: str = ""
    kind: str = ""


class Cell(NamedTuple):
    """One cell: its text, and the value to sort by (None: the text; "": no value)."""

    text: str
    value: float | str | None = None
    kind: str = ""
    marks: str = ""
    small: str = ""
    bar: Markup | None = None


class Grid(NamedTuple):
    """A table of the page."""

    label: str
    headings: Sequence[Heading]
    rows: Sequence[Sequence[Cell]]


def to_html(board: Leaderboard, name: str) -> str:
    """Render the leaderboard as a page that needs no network: sortable, light or dark."""
    return render("leaderboard.html", title=f"Leaderboard: {name}", tables=board_tables(board), served=None)


class Tables(NamedTuple):
    """The leaderboard as the templates show it."""

    legend: str
    measured: Grid
    notes: Sequence[str]
    details: Grid
    published: Sequence[tuple[str, str, Grid]]
    """Title, remark and table of published figures, apart from the measured ones."""


def board_tables(board: Leaderboard) -> Tables:
    """Return the tables of a leaderboard, with their marks and notes."""
    notes = cells.Footnotes()
    measured = _measured(board, notes)
    return Tables(
        legend=LEGEND,
        measured=measured,
        notes=[*board.notes, *notes.lines()],
        details=plain_grid("Scores by benchmark and run", *details(board)),
        published=[
            (table.title, table.remark, plain_grid(table.title, table.header, table.rows))
            for table in published_tables(board)
        ],
    )


def _measured(board: Leaderboard, notes: cells.Footnotes) -> Grid:
    frame = board.frame
    under = {benchmark.name: header_of(frame, benchmark) for benchmark in board.benchmarks}
    shared = {name: cells.shared(frame, name) for name in ("", *board.averages, *under)}
    headings = [Heading("Run", marks=notes.mark(shared[""]))]
    headings += [
        Heading(group_title(name), "rank" if f"{name}_group" in frame else "", notes.mark(shared[name]))
        for name in board.averages
    ]
    headings += [
        Heading(benchmark.title, under[benchmark.name][0], notes.mark(shared[benchmark.name]))
        for benchmark in board.benchmarks
    ]
    costs = [
        ("Truncated", "%", "truncated", ".1f"),
        ("No answer", "%", "no_answer", ".1f"),
        ("Tokens", "selected answer", "tokens", ",.0f"),
        ("Tokens", "whole recipe", "recipe_tokens", ",.0f"),
        ("Tokens/s", "", "tokens_per_s", ",.0f"),
        ("Acceptance length", "", "acceptance_length", ".2f"),
    ]
    costs = [cost for cost in costs if frame[cost[2]].notna().any()]
    with_thinking = "thinking" in frame
    headings += [Heading("Thinking")] if with_thinking else []
    headings += [Heading(title, small) for title, small, _, _ in costs]
    rows = []
    for _, record in frame.iterrows():
        row = [_run(record, notes, shared[""])]
        for name in board.averages:
            place = cells.rank(record, name) if f"{name}_group" in frame else ""
            place = "not ranked" if place == cells.ABSENT else f"rank {place}" if place else ""
            row.append(_score(record, name, notes, shared[name], place))
        for benchmark in board.benchmarks:
            size = "" if under[benchmark.name][1] else size_of(record, benchmark)
            row.append(_score(record, benchmark.name, notes, shared[benchmark.name], size))
        row += [Cell(record["thinking"] or cells.ABSENT, record["thinking"])] if with_thinking else []
        row += [_number(record[name], form) for _, _, name, form in costs]
        rows.append(row)
    return Grid("Measured runs", headings, rows)


def _run(record: pd.Series, notes: cells.Footnotes, shared: Sequence[str]) -> Cell:
    small = f"{record['model']}, {record['recipe']}{cells.protocol(record)}{cells.verified(record)}"
    return Cell(record["run"], marks=notes.mark(record["notes"], shared), small=small)


def _score(record: pd.Series, name: str, notes: cells.Footnotes, shared: Sequence[str], small: str) -> Cell:
    value, low, high = (cells.number(record.get(key)) for key in (name, f"{name}_low", f"{name}_high"))
    standing = record.get(f"{name}_standing") or ""
    failed = " ⚠" if cells.number(record.get(f"{name}_failed")) > 0 else ""
    return Cell(
        text=cells.score(record, name) + (" ≈" if standing == "near" else ""),
        value=value if np.isfinite(value) else "",
        kind=f"number {standing}".strip(),
        marks=failed + notes.mark(record.get(f"{name}_notes"), shared),
        small=small,
        bar=_bar(value, low, high) if np.isfinite(value) and not record.get(f"{name}_unit") else None,
    )


def _bar(value: float, low: float, high: float) -> Markup:
    """Draw the interval on a line from 0 to 100 %."""
    return Markup(
        '<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        '<line x1="0" x2="100" y1="4" y2="4"/><line class="reach" x1="{low}" x2="{high}" y1="4" y2="4"/>'
        '<line class="value" x1="{value}" x2="{value}" y1="0" y2="8"/></svg>'
    ).format(low=round(low, 2), high=round(high, 2), value=round(value, 2))


def _number(value: float, form: str) -> Cell:
    amount = cells.number(value)
    return Cell(cells.plain(amount, form), amount if np.isfinite(amount) else "", "number")


def plain_grid(label: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> Grid:
    """Return a table of plain cells for the page; columns can be sorted by the numbers at their start."""
    cells_of_rows = [[_text(text) for text in row] for row in rows]
    headings = []
    for number, title in enumerate(header):
        words = all(row[number].kind.startswith("left") for row in cells_of_rows)
        headings.append(Heading(title, kind="left" if words else ""))
    return Grid(label, headings, cells_of_rows)


def _text(text: str) -> Cell:
    """Return a cell that is sorted by the number at its start, or without one by its text."""
    if text == cells.ABSENT:
        return Cell(text, "", "number")
    start = text.split(" ")[0].replace(",", "")
    try:
        return Cell(text, float(start), "number")
    except ValueError:
        return Cell(text, kind="left long" if len(text) > _LONG else "left")
