"""Published figures as CSV: a row per system with a column per benchmark, or a row per figure with its settings.

The first form is that of ``leaderboards/published.csv``. The second has the columns ``system``, ``task`` and ``score``
(percent), and any of `COLUMNS`.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from k2eval.errors import DataError, did_you_mean
from k2eval.parity.bounded import count, number, read_whole
from k2eval.parity.side import Facts, Side
from k2eval.texts import as_line

_FIGURES = ("stderr", "questions", "samples", "failed", "truncated")
_SETTINGS = (
    *(
        "prompt",
        "system",
        "shots",
        "template",
        "thinking",
        "reasoning_effort",
        "thinking_budget",
        "temperature",
    ),
    *("top_p", "top_k", "min_p", "repeats", "recipe", "max_tokens", "context", "stop", "grader", "revision"),
)
COLUMNS = (*_FIGURES, *_SETTINGS, "harness", "source", "note")
"""Columns that a row per figure may have."""
_NAMES = {"system_text": "system", "effort": "reasoning_effort"}
_LARGEST = 16 << 20
_OWN = ("system", "source", "note")


def read(path: Path, row: str | None = None) -> list[Side]:
    """Read the figures of one system.

    Args:
        path: The file.
        row: The system, or a part of its name that no other has; None if there is only one.

    Raises:
        DataError: If the file is no such table, names no such system, or several fit.
    """
    rows = _rows(path)
    systems = list(dict.fromkeys(line["system"] for line in rows))
    chosen = _chosen(systems, row, path)
    mine = [line for line in rows if line["system"] == chosen]
    sides = [
        side for line in mine for side in (_figure(line, path) if "task" in line else _figures(line, path))
    ]
    if not sides:
        raise DataError(f"{path}: expected figures for {chosen}, got none.")
    return sides


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        text = read_whole(path, _LARGEST).decode("utf-8-sig")
        reader = csv.DictReader(io.StringIO(text))
        rows = []
        for line in reader:
            if None in line:
                raise DataError(
                    f"{path}, line {reader.line_num}: expected {len(reader.fieldnames or ())} cells, got more. Put a "
                    "cell with a comma into quotation marks."
                )
            rows.append(
                {
                    name.strip(): as_line(value.strip())
                    for name, value in line.items()
                    if isinstance(name, str) and isinstance(value, str)
                }
            )
        names = [name.strip() for name in reader.fieldnames or () if name.strip()]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"Expected a CSV of published figures at {path}, got: {error}.") from error
    twice = [name for name, number in Counter(names).items() if number > 1]
    if twice:
        raise DataError(f"{path}: expected each column once, got {twice[0]!r:.60} twice.")
    if not rows or not rows[0].get("system"):
        raise DataError(
            f"{path}: expected a column system and at least one row. docs/parity.md shows both forms."
        )
    return [line for line in rows if line.get("system")]


def _chosen(systems: list[str], row: str | None, path: Path) -> str:
    fitting = systems if row is None else [name for name in systems if name == row]
    fitting = fitting or [name for name in systems if str(row).casefold() in name.casefold()]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        raise DataError(f"{path} has no system {row!r:.100}. {did_you_mean(str(row), systems)[:400]}")
    listed = "; ".join(fitting[:8])
    raise DataError(f"{path}: expected one system, got {len(fitting)}: {listed:.400}. Name one with --row.")


def _figures(line: dict[str, str], path: Path) -> Iterator[Side]:
    """Yield the figures of a row with a column per benchmark."""
    for name, value in line.items():
        if name not in _OWN and value:
            side = Side(f"{line['system']}", name, _score(value, name, path))
            side.notes += _remarks(line, side.score)
            yield side


def _figure(line: dict[str, str], path: Path) -> Iterator[Side]:
    """Yield the figure of a row that has one, and the settings that it states."""
    if not line["task"] or not line.get("score"):
        raise DataError(f"{path}: expected a task and a score in every row of {line['system']:.100}.")
    unknown = [name for name in line if name and name not in (*COLUMNS, *_NAMES, "system", "task", "score")]
    if unknown:
        raise DataError(
            f"{path}: unknown column {unknown[0]!r:.60}. {did_you_mean(unknown[0], list(COLUMNS))}"
        )
    error = _stated(line, "stderr", path)
    facts: Facts = {}
    for name in (*_SETTINGS, *_NAMES):
        if line.get(name) and name != "system":
            value = number(line[name])
            facts[_NAMES.get(name, name)] = line[name] if value is None else value
    yield Side(
        line["system"],
        line["task"],
        _score(line["score"], line["task"], path),
        se=None if error is None else error / 100,
        questions=_counted(line, "questions", path),
        repeats=_counted(line, "repeats", path),
        samples=_counted(line, "samples", path),
        failed=_counted(line, "failed", path),
        truncated=_counted(line, "truncated", path),
        facts=facts,
        harness=line.get("harness") or None,
        notes=_remarks(line, _score(line["score"], line["task"], path)),
    )


def _stated(line: dict[str, str], name: str, path: Path) -> float | None:
    """Return the number in a cell, None if the cell is empty.

    Raises:
        DataError: If it holds something else, so that no figure is passed over in silence.
    """
    text = line.get(name)
    value = number(text)
    if text and (value is None or value < 0):
        raise DataError(
            f"{path}: expected a number from 0 (such as 1234.5) or nothing as {name} of {line['task']:.60}, got "
            f"{text!r:.60}."
        )
    return value if text else None


def _counted(line: dict[str, str], name: str, path: Path) -> int | None:
    """Return the whole number in a cell, None if the cell is empty.

    Raises:
        DataError: If it holds something else.
    """
    value = _stated(line, name, path)
    whole = count(value)
    if value is not None and whole is None:
        raise DataError(
            f"{path}: expected a whole number as {name} of {line['task']:.60}, got {line[name]!r:.60}."
        )
    return whole


def _remarks(line: dict[str, str], score: float) -> list[str]:
    small = [f"its score is read as {100 * score:g} %, not as a share of 1"] if 0 < score <= 0.01 else []
    return [*small, *(line[key] for key in ("note", "source") if line.get(key))]


def _score(text: str, name: str, path: Path) -> float:
    value = number(text)
    if value is None or not 0 <= value <= 100:
        raise DataError(f"{path}: expected a percentage from 0 to 100 for {name:.60}, got {text!r:.60}.")
    return value / 100
