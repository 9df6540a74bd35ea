"""Numbers formatted for people, and footnotes."""

from __future__ import annotations

import re
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
    column = frame[f"{name}_notes".lstrip("_")]
    if name:
        column = column[frame[next(key for key in (f"{name}_k", name) if key in frame)].notna()]
    notes: list[tuple[str, ...]] = list(column)
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
    >>> score(pd.Series({"esol": 0.874, "esol_low": 0.824, "esol_high": 0.924, "esol_unit": "log"}), "esol")
    '0.874 ± 0.050'
    """
    digits = 3 if record.get(f"{name}_unit") else 1
    value, low, high = (number(record.get(key)) for key in (name, f"{name}_low", f"{name}_high"))
    if not np.isfinite(value):
        return ABSENT
    if not np.isfinite(high - low):
        return f"{value:.{digits}f}"
    down, up = value - low, high - value
    if abs(down - up) < 0.5 * 10**-digits:
        return f"{value:.{digits}f} ± {up:.{digits}f}"
    return f"{value:.{digits}f} ({low:.{digits}f} – {high:.{digits}f})"


def rank(record: pd.Series, name: str) -> str:
    """Format the places that a row shares with the others of its group.

    >>> rank(pd.Series({"a_rank_low": 1, "a_rank_high": 3}), "a")
    '1 – 3'
    >>> rank(pd.Series({"a_rank_low": 4, "a_rank_high": 4}), "a")
    '4'
    """
    low, high = (number(record.get(f"{name}_rank_{end}")) for end in ("low", "high"))
    if not np.isfinite(low):
        return ABSENT
    return f"{low:.0f}" if low == high else f"{low:.0f} – {high:.0f}"


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
    """Return a Markdown table whose first column is aligned to the left, the others to the right.

    Of the markup in cells, ``**bold**`` and ``<br>`` are kept; links, pictures and other tags become text.
    """
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(
        "| " + " | ".join(in_markdown(str(cell)).replace("|", "\\|") for cell in line) + " |"
        for line in lines
    )


_TAG_OR_LINK = re.compile(r"<(?!br>)(?=[A-Za-z/!?])|\[")


def in_markdown(text: str) -> str:
    r"""Return a text, such as a name of somebody else's, that makes no link, picture or tag in Markdown.

    >>> in_markdown("<img src=x> ![x](http://host) < 0.001")
    '&lt;img src=x> !\\[x](http://host) < 0.001'
    """
    return _TAG_OR_LINK.sub(lambda found: "&lt;" if found[0] == "<" else "\\[", text)


def protocol(record: pd.Series) -> str:
    """Return ", protocol NAME" if a run was asked under a protocol of others.

    >>> protocol(pd.Series({"protocol": "aa/1"})), protocol(pd.Series({"run": "r"}))
    (', protocol aa/1', '')
    """
    name = record.get("protocol")
    return f", protocol {name}" if isinstance(name, str) and name else ""


def verified(record: pd.Series) -> str:
    """Return ", verified" if `k2eval verify` found that the run holds, here and as it stands now.

    A run that calls itself so is contradicted.

    >>> verified(pd.Series({"model": "m", "verified": True})), verified(pd.Series({"model": "m, Verified"}))
    (', verified', ', not verified')
    """
    if record.get("verified") is True:
        return ", verified"
    claims = any("verified" in str(record.get(name, "")).casefold() for name in ("run", "model", "recipe"))
    return ", not verified" if claims else ""
