"""The page on different scores names every harness, reason and column, and its CSV is read."""

from __future__ import annotations

from pathlib import Path

from k2eval.audit import HARNESSES, How, Reason
from k2eval.parity import CAUSES, read_against
from k2eval.parity.published import COLUMNS

PAGE = (Path(__file__).parents[2] / "docs" / "parity.md").read_text()
_ELSEWHERE = {Reason.STRICTER, How.JUDGE}
"""Reasons that the page has in other words: "looser or stricter", and undecided samples."""


def test_the_page_names_each_harness() -> None:
    assert [harness.name for harness in HARNESSES if f"| `{harness.name}` |" not in PAGE] == []


def test_the_page_names_each_reason() -> None:
    assert [
        why for why in (*How, *Reason) if why not in PAGE and why not in _ELSEWHERE and why != Reason.LOOSER
    ] == []


def test_the_page_names_each_cause() -> None:
    assert [cause for cause in CAUSES if f"| {cause} |" not in PAGE] == []


def test_the_csv_of_the_page_is_read(tmp_path: Path) -> None:
    table = PAGE.split("```csv\n")[1].split("```")[0]
    (tmp_path / "figures.csv").write_text(table)
    first, second = read_against(tmp_path / "figures.csv")
    assert (first.score, first.truncated, first.harness) == (0.633, 12, "eval360")
    assert (second.se, second.questions, second.failed) == (0.031, 198, None)


def test_the_page_names_each_column() -> None:
    spoken = {"system": "system_text", "reasoning_effort": "effort"}
    assert [name for name in COLUMNS if f"`{spoken.get(name, name)}`" not in PAGE] == []
