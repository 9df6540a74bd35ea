"""The table as files: CSV for programs, Markdown and HTML for people."""

from __future__ import annotations

from pathlib import Path

from k2eval.errors import ConfigError
from k2eval.leaderboard import cells
from k2eval.leaderboard.board import Leaderboard
from k2eval.leaderboard.html import to_html
from k2eval.leaderboard.render import to_markdown
from k2eval.system import write_text


def write(board: Leaderboard, out: Path) -> list[Path]:
    """Write ``OUT.csv``, ``OUT.md`` and ``OUT.html``; return their paths.

    Raises:
        ConfigError: If the files cannot be written.
    """
    base = out.with_suffix("") if out.suffix in {".csv", ".md", ".html"} else out
    texts = {".csv": to_csv(board), ".md": to_markdown(board, base.name), ".html": to_html(board, base.name)}
    paths = []
    try:
        for suffix, text in texts.items():
            paths.append(base.with_name(base.name + suffix))
            write_text(paths[-1], text)
    except OSError as error:
        raise ConfigError(
            f"Cannot write the leaderboard to {base}: {error.strerror}. Choose another --out."
        ) from error
    return paths


def to_csv(board: Leaderboard) -> str:
    """Return the table as CSV: one number per cell, percentages in percent, an empty cell for no value."""
    return cells.to_csv(board.frame)
