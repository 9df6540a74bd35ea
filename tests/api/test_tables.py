"""Leaderboards and comparisons that show themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

import k2eval

NANO = Path(__file__).parents[2] / "leaderboards" / "nano"


@pytest.fixture(scope="module")
def board() -> k2eval.LeaderboardTable:
    return k2eval.build_leaderboard([NANO / "rl-plain", k2eval.load_run(NANO / "sft-plain")])


@pytest.fixture(scope="module")
def comparison() -> k2eval.ComparisonTable:
    return k2eval.compare_runs(NANO / "sft-plain", str(NANO / "rl-plain"))


def test_a_leaderboard_has_a_row_for_each_run(board: k2eval.LeaderboardTable) -> None:
    assert list(board.frame["run"]) == ["rl-plain", "sft-plain"]


def test_a_leaderboard_shows_itself_in_a_notebook(board: k2eval.LeaderboardTable) -> None:
    page = board._repr_html_()
    assert "rl-plain<br>models/nano/rl, plain" in page
    assert "<b>74.5 ± 7.4</b>" in page


def test_a_leaderboard_shows_itself_in_a_terminal(board: k2eval.LeaderboardTable) -> None:
    assert "avg@2, 100 questions" in repr(board)


def test_a_leaderboard_becomes_markdown_and_files(board: k2eval.LeaderboardTable, tmp_path: Path) -> None:
    assert board.to_markdown("mine").startswith("# Leaderboard: mine\n")
    assert [path.name for path in board.write(tmp_path / "mine")] == ["mine.csv", "mine.md", "mine.html"]


def test_published_figures_are_shown_if_they_are_asked_for(board: k2eval.LeaderboardTable) -> None:
    assert board.published is None
    shipped = k2eval.build_leaderboard([NANO / "rl-plain"], published=True).published
    assert shipped is not None
    assert len(shipped) > 0


def test_a_comparison_has_a_row_for_each_benchmark(comparison: k2eval.ComparisonTable) -> None:
    row = comparison.frame.set_index("benchmark").loc["nano_math"]
    assert (row["first"], row["second"], row["verdict"]) == ("sft-plain", "rl-plain", "better")
    assert row["difference"] == pytest.approx(row["second_score"] - row["first_score"])
    assert row["low"] < row["difference"] < row["high"]


def test_a_comparison_shows_itself_in_a_notebook(comparison: k2eval.ComparisonTable) -> None:
    page = comparison._repr_html_()
    assert "rl-plain (models/nano/rl, recipe plain) against sft-plain" in page
    assert "+34.5 ± 8.1" in page


def test_a_comparison_shows_itself_in_a_terminal_and_as_markdown(comparison: k2eval.ComparisonTable) -> None:
    assert "Nano mathematics" in repr(comparison)
    assert comparison.to_markdown().startswith("# Comparison\n")


def test_a_single_run_cannot_be_compared() -> None:
    with pytest.raises(k2eval.ConfigError, match="at least two run directories"):
        k2eval.compare_runs(NANO / "rl-plain")
