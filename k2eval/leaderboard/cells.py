"""Numbers formatted for people, and footnotes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
ABSENT = "–"


class Footnotes:
    """Distinct notes, numbered in order of first use."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def mark(self, notes: Sequence[str] | None, besides: Sequence[str] = ()) -> str:
        """Return the superscript marks of the notes that are not among ``besides``."""
        own = [note for note in notes or () if note not in besides]
        if not own:
            return ""
        numbers = [self._numbers.setdefault(note, len(self._numbers) + 1) for note in own]
        return " " + "⁾⁽".join(str(number) for number in sorted(numbers)).translate(_SUPERSCRIPTS).join("⁽⁾")

    def lines(self) -> list[str]:
        """Return a line per note, its mark in front."""
        return [
            f"{str(number).translate(_SUPERSCRIPTS).join('⁽⁾')} {note}"
            for note, number in self._numbers.items()
        ]


def shared(frame: pd.DataFrame, name: str = "") -> tuple[str, ...]:
    """Return the notes that all rows with a value of ``name`` share: notes of the column. "" means the run itself."""
    rows = frame[frame[next(key for key in (f"{name}_k", name) if key in frame)].notna()] if name else frame
    notes: list[tuple[str, ...]] = list(rows[f"{name}_notes".lstrip("_")])
    return tuple(note for note in notes[0] if all(note in others for others in notes)) if notes else ()


def to_csv(frame: pd.DataFrame) -> str:
    """Return the table as CSV, numbers to six decimals, the notes of a cell with "; " between them."""
    notes = [name for name in frame.columns if name == "notes" or name.endswith("_notes")]
    joined = {
        name: frame[name].map(lambda texts: "; ".join(text.replace("; ", ", ") for text in texts))
        for name in notes
    }
    return frame.assign(**joined).round(6).to_csv(index=False, lineterminator="\n")


def score(record: pd.Series, name: str) -> str:
    """Format a score with its interval; if the arms differ, give both ends.

    >>> score(pd.Series({"aime": 90.8, "aime_low": 86.7, "aime_high": 94.9}), "aime")
    '90.8 ± 4.1'
    >>> score(pd.Series({"aime": 0.0, "aime_low": 0.0, "aime_high": 11.6}), "aime")
    '0.0 (0.0 – 11.6)'
    """
    value, low, high = (number(record.get(key)) for key in (name, f"{name}_low", f"{name}_high"))
    if not np.isfinite(value):
        return ABSENT
    down, up = value - low, high - value
    if abs(down - up) < 0.05:
        return f"{value:.1f} ± {up:.1f}"
    return f"{value:.1f} ({low:.1f} – {high:.1f})"


def rank(record: pd.Series, name: str) -> str:
    """Format a rank with its interval: ``1 (1 – 3)``."""
    best, low, high = (number(record.get(f"{name}_{key}")) for key in ("rank", "rank_low", "rank_high"))
    return ABSENT if not np.isfinite(best) else f"{best:.0f} ({low:.0f} – {high:.0f})"


def questions(counted: Any, expected: Any) -> str:
    """Format a number of questions, with the whole number if some are missing.

    >>> questions(30, 30), questions(45, 173)
    ('30 questions', '45 of 173 questions')
    """
    some, whole = int(number(counted)), int(number(expected))
    return f"{some} of {whole} questions" if some < whole else f"{some} questions"


def plain(value: Any, form: str = ".1f") -> str:
    """Format a number by ``form``; return a dash for anything else."""
    amount = number(value)
    return format(amount, form) if np.isfinite(amount) else ABSENT


def number(value: Any) -> float:
    """Return the value as a float, NaN for anything that is not a number."""
    return float(value) if isinstance(value, (int, float, np.number)) else np.nan


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table whose first column is aligned to the left, the others to the right."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(
        "| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def verified(record: pd.Series) -> str:
    """Return ", verified" if `k2eval verify` found that the run holds, here and as it stands now."""
    return ", verified" if record.get("verified") is True else ""
