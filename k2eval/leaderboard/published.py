"""Figures that others published: data with a source, never mixed with measured ones."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from k2eval.errors import DataError
from k2eval.system import open_file

MATHS_QUESTIONS = {"aime24": 30, "aime25": 30, "hmmt25": 30, "omni_math_hard": 173}
"""Questions of the benchmarks behind the mathematics averages of the K2-Think report (arXiv 2509.07604)."""

TITLES = {
    "aime24": "AIME 2024", "aime25": "AIME 2025", "hmmt25": "HMMT 2025", "omni_math_hard": "Omni-MATH-HARD",
    "livecodebench_v5": "LiveCodeBench v5", "scicode": "SciCode", "scicode_sub": "SciCode, steps",
    "gpqa_diamond": "GPQA-Diamond", "hle": "HLE", "imo_answerbench": "IMO-AnswerBench",
    "livecodebench_v6": "LiveCodeBench v6", "hle_text": "HLE, text only",
}  # fmt: skip
"""Titles of columns of the shipped file if no measured run has the benchmark."""

ELSEWHERE = {
    "hle_text_tools": "HLE, text only, with tools", "browsecomp": "BrowseComp", "tau2_bench": "τ²-Bench",
    "tau2_telecom": "τ²-Bench, Telecom", "terminal_bench": "Terminal-Bench 1", "terminal_bench_2": "Terminal-Bench 2.0",
}  # fmt: skip
"""Benchmarks that k2eval does not run, since they need tools, the web or a simulated user, and their titles."""


def read_published(path: Path) -> pd.DataFrame:
    """Read a table of published figures and add the mathematics averages that follow from them.

    The file has the columns ``system``, ``source`` and ``note``; every other column is a benchmark with
    scores in percent, empty if nothing was published. If all four mathematics benchmarks are given,
    ``math_micro_computed`` (weighted by questions) and ``math_macro_computed`` are added.

    Raises:
        DataError: If the file is missing, is no such table, has a row without source or a score outside 0 … 100.
    """
    try:
        with open_file(path) as file:
            frame = pd.read_csv(file, dtype=str)
    except (OSError, ValueError) as error:
        raise DataError(f"Expected a CSV of published figures at {path}, got: {error}.") from error
    missing = sorted({"system", "source", "note"} - set(frame.columns))
    if missing:
        raise DataError(
            f"{path}: expected the columns system, source and note; missing: {', '.join(missing)}."
        )
    for name in frame.columns.difference(["system", "source", "note"], sort=False):
        frame[name] = _percentages(frame[name], path)
    nameless = frame["source"].fillna("").str.strip() == ""
    if nameless.any():
        system = frame["system"][nameless].iloc[0]
        raise DataError(
            f"{path}: expected a source for every row, got none for {system}. Say where it was published."
        )
    if set(MATHS_QUESTIONS) <= set(frame.columns):
        weights = pd.Series(MATHS_QUESTIONS)
        maths = frame[list(MATHS_QUESTIONS)]
        frame["math_micro_computed"] = (maths * weights).sum(axis=1, skipna=False) / weights.sum()
        frame["math_macro_computed"] = maths.mean(axis=1, skipna=False)
    return frame


def _percentages(column: pd.Series, path: Path) -> pd.Series:
    numbers = pd.to_numeric(column, errors="coerce")
    wrong = column.notna() & ~numbers.between(0, 100)
    if wrong.any():
        raise DataError(
            f"{path}: expected percentages from 0 to 100 in column {column.name}, "
            f"got {column[wrong].iloc[0]!r}."
        )
    return numbers
