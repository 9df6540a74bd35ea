"""The table as files: CSV for programs, Markdown and HTML for people."""

from __future__ import annotations

from pathlib import Path

from k2eval.leaderboard import cells
from k2eval.leaderboard.board import Leaderboard
from k2eval.leaderboard.html import to_html
from k2eval.leaderboard.render import to_markdown
from k2eval.system import write_texts


def write(board: Leaderboard, out: Path) -> list[Path]:
    """Write ``OUT.csv``, ``OUT.md`` and ``OUT.html``; return their paths.

    Raises:
        ConfigError: If the files cannot be written.
    """
    name = out.stem if out.suffix in {".csv", ".md", ".html"} else out.name
    return write_texts(
        out, {".csv": to_csv(board), ".md": to_markdown(board, name), ".html": to_html(board, name)}
    )


def to_csv(board: Leaderboard) -> str:
    """Return the table as CSV: one number per cell, percentages in percent, an empty cell for no value."""
    return cells.to_csv(board.frame)
