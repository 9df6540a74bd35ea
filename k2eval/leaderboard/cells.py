"""Numbers as people read them, and footnotes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
ABSENT = "–"


class Footnotes:
    """Numbers each distinct note once, in order of first use."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def mark(self, notes: Sequence[str] | None, besides: Sequence[str] = ()) -> str:
        """Return the superscript marks of notes, without those among ``besides``; or nothing."""
        own = [note for note in notes or () if note not in besides]
        if not own:
            return ""
        numbers = [self._numbers.setdefault(note, len(self._numbers) + 1) for note in own]
        return " " + "⁾⁽".join(str(number) for number in sorted(numbers)).translate(_SUPERSCRIPTS).join("⁽⁾")

    def lines(self) -> list[str]:
        """Each mark with its note."""
        return [
            f"{str(number).translate(_SUPERSCRIPTS).join('⁽⁾')} {note}"
            for note, number in self._numbers.items()
        ]


def shared(frame: pd.DataFrame, name: str = "") -> tuple[str, ...]:
    """Return the notes that all rows with a value of ``name`` have: they belong to the column. "" is the run itself."""
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
    """``90.8 ± 4.1``, or the interval's ends where its arms differ: ``0.0 (0.0 – 11.6)``."""
    value, low, high = (number(record.get(key)) for key in (name, f"{name}_low", f"{name}_high"))
    if not np.isfinite(value):
        return ABSENT
    down, up = value - low, high - value
    if abs(down - up) < 0.05:
        return f"{value:.1f} ± {up:.1f}"
    return f"{value:.1f} ({low:.1f} – {high:.1f})"


def rank(record: pd.Series, name: str) -> str:
    """``1 (1 – 3)``: the rank and its interval."""
    best, low, high = (number(record.get(f"{name}_{key}")) for key in ("rank", "rank_low", "rank_high"))
    return ABSENT if not np.isfinite(best) else f"{best:.0f} ({low:.0f} – {high:.0f})"


def questions(counted: Any, expected: Any) -> str:
    """``30 questions`` or ``45 of 173 questions``."""
    some, whole = int(number(counted)), int(number(expected))
    return f"{some} of {whole} questions" if some < whole else f"{some} questions"


def plain(value: Any, form: str = ".1f") -> str:
    """A number in format ``form``, or a dash where there is none."""
    amount = number(value)
    return format(amount, form) if np.isfinite(amount) else ABSENT


def number(value: Any) -> float:
    """The value as a float, NaN for anything that is none."""
    return float(value) if isinstance(value, (int, float, np.number)) else np.nan


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, its first column to the left."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(
        "| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines
    )
