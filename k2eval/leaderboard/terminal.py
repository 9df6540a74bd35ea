"""The table on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from k2eval.leaderboard import cells
from k2eval.leaderboard.board import Leaderboard
from k2eval.leaderboard.render import grid, of_one_run

_NAMES, _EACH = 31, 18
"""Width, in characters, of the names and of each run when runs stand side by side."""
_SHOWN = 12
"""Number of runs shown on a terminal; the files have all of them."""


def print_table(board: Leaderboard, console: Console) -> None:
    """Print the leaderboard: one run with all denominators, several runs side by side, best first."""
    notes = cells.Footnotes()
    if len(board.frame) == 1:
        record = board.frame.iloc[0]
        title = f"{record['run']}: {record['model']}, recipe {record['recipe']}"
        title += cells.protocol(record) + cells.verified(record) + _speed(record)
        _say(title, console, "italic")
        console.print(_table(*of_one_run(board, record, notes)))
    else:
        _say(
            "avg@k in percent, 95 % interval on questions like these; bold: best; ≈: not shown to differ from it",
            console,
            "italic",
        )
        header, rows = grid(board, notes, "\n", only=_SHOWN)
        at_once = max(1, (console.width - _NAMES) // _EACH)
        for start in range(0, len(rows), at_once):
            console.print(_table(*_turned(header, rows[start : start + at_once])))
    if len(board.frame) > _SHOWN:
        _say(f"… and {len(board.frame) - _SHOWN} more runs, in the files.", console)
    for line in (*board.notes, *notes.lines()):
        _say(line, console)


def _say(line: str, console: Console, style: str | None = None) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True, style=style)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for index, name in enumerate(header):
        table.add_column(Text(name), justify="left" if index == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*(_terminal(cell) for cell in row))
    return table


def _turned(header: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[list[str], list[list[str]]]:
    """Turn rows into columns: one column per run, its first cell the header."""
    lines = [[name, *column] for name, column in zip(header, zip(*rows, strict=True), strict=True)]
    return lines[0], lines[1:]


def _speed(record: pd.Series) -> str:
    """Format switches of thinking, tokens per second and acceptance length, if known."""
    speed = cells.plain(record["tokens_per_s"], ",.0f")
    drafts = cells.plain(record["acceptance_length"], ".2f")
    thinking = record.get("thinking")
    words = [f"thinking {thinking}"] if thinking else []
    words += [f"{speed} tokens/s"] if speed != cells.ABSENT else []
    words += [f"acceptance length {drafts}"] if drafts != cells.ABSENT else []
    return "".join(f"; {word}" for word in words)


def _terminal(cell: str) -> Text:
    """Return the cell, the parts that ``**`` encloses in bold; brackets in names stay as they are."""
    text = Text()
    for index, part in enumerate(cell.split("**")):
        text.append(part, style="bold" if index % 2 else None)
    return text
