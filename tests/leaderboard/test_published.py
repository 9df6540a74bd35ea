from __future__ import annotations

from pathlib import Path

import pytest

from k2eval.errors import DataError
from k2eval.leaderboard.published import read_published

TOLERANCE = 0.02
"""Percentage points: published scores seem to be averages of repeats that were each rounded to two decimals."""

SHIPPED = Path(__file__).parents[2] / "leaderboards" / "published.csv"


def test_the_published_k2_think_row_gives_its_published_micro_average() -> None:
    row = read_published(SHIPPED).set_index("system").loc["K2-Think 32B (plan + best-of-3)"]
    assert round(row["math_micro_computed"], 2) == 67.99
    assert row["math_micro_computed"] == pytest.approx(row["math_micro"], abs=TOLERANCE)
    assert round(row["math_macro_computed"], 2) == 76.64


def test_an_average_is_computed_only_from_all_four_benchmarks() -> None:
    frame = read_published(SHIPPED).set_index("system")
    assert frame["math_micro_computed"].notna().sum() == 1


def test_every_shipped_row_names_its_source() -> None:
    assert read_published(SHIPPED)["source"].str.len().min() > 20


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("system,t\nA,1\n", "missing: note, source"),
        ("system,t,source,note\nA,1,,\n", "expected a source for every row, got none for A"),
        ("system,t,source,note\nA,>71,paper,\n", "column t, got '>71'"),
        ("system,t,source,note\nA,101,paper,\n", "column t, got '101'"),
        ("", "Expected a CSV"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "published.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_published(path)
