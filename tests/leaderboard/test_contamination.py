from __future__ import annotations

from pathlib import Path

import pytest

from k2eval.errors import ConfigError, DataError
from k2eval.leaderboard import build
from tests.leaderboard.synthetic import verdict, write_run

SCORES = [[1.0], [1.0], [0.0], [0.0]]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    infos = {"t": {"title": "Tee", "hashes": {"t-0": "a", "t-1": "abc123", "t-2": "b", "t-3": "c"}}}
    return write_run(tmp_path / "a", {"t": SCORES, "u": SCORES}, infos=infos)


def listed(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "seen.txt"
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", ["t-0", "t/t-0", "abc123"])
def test_a_listed_question_is_left_out_by_id_or_hash(tmp_path: Path, run: Path, name: str) -> None:
    board = build([run], exclude=listed(tmp_path, f"# seen in training\n\n{name}\n"))
    row = board.frame.iloc[0]
    assert row["t"] == pytest.approx(100 / 3)
    assert (row["t_questions"], row["t_expected_questions"]) == (3, 4)
    assert "1 questions left out (listed in seen.txt)" in row["t_notes"]
    assert row["u"] == 50
    assert board.notes == (
        "Questions listed in seen.txt are left out of every score: 1 of its 1 names match.",
    )


def test_a_list_that_matches_nothing_says_so(tmp_path: Path, run: Path) -> None:
    board = build([run], exclude=listed(tmp_path, "nothing\n"))
    assert board.frame.iloc[0]["t"] == 50
    assert "0 of its 1 names match" in board.notes[0]


def test_listed_questions_can_be_scored_apart(tmp_path: Path, run: Path) -> None:
    board = build([run], split=listed(tmp_path, "t-0\nt-2\nt-3\n"))
    row = board.frame.iloc[0]
    assert (row["t"], row["t_unlisted"]) == (50, 100)
    assert row["t_listed"] == pytest.approx(100 / 3)
    assert [benchmark.title for benchmark in board.benchmarks] == ["Tee", "u", "Tee, listed", "Tee, unlisted"]


def test_parts_do_not_count_in_the_micro_average(tmp_path: Path, run: Path) -> None:
    board = build([run], split=listed(tmp_path, "t-0\n"))
    assert board.frame.iloc[0]["math_micro_benchmarks"] == 2


def test_dated_questions_are_scored_before_and_after_a_cut_off(tmp_path: Path) -> None:
    dates = ["2024-07-01", "2024-09-30T12:00:00", "2024-10-01", "2025-01-04"]
    lines = [
        verdict("lcb", f"q{index}", 0, float(index < 2), tags={"date": date})
        for index, date in enumerate(dates)
    ]
    path = write_run(tmp_path / "a", {"lcb": SCORES}, lines=lines)
    row = build([path], cutoff="2024-10-01").frame.iloc[0]
    assert (row["lcb_before_2024-10-01"], row["lcb_from_2024-10-01"]) == (100, 0)


def test_undated_benchmarks_are_not_split(run: Path) -> None:
    assert [benchmark.name for benchmark in build([run], cutoff="2024-10-01").benchmarks] == ["t", "u"]


def test_a_cut_off_must_be_a_date(run: Path) -> None:
    with pytest.raises(ConfigError, match="got 'last summer'"):
        build([run], cutoff="last summer")


def test_an_empty_or_missing_list_is_refused(tmp_path: Path, run: Path) -> None:
    with pytest.raises(DataError, match="at least one question"):
        build([run], exclude=listed(tmp_path, "# nothing\n"))
    with pytest.raises(DataError, match="Expected a list of questions"):
        build([run], exclude=tmp_path / "missing.txt")


def test_months_stand_in_for_dates(tmp_path: Path) -> None:
    lines = [
        verdict("lcb", month, 0, float(month < "2024-10"), tags={"month": month})
        for month in ("2024-09", "2024-10")
    ]
    path = write_run(tmp_path / "a", {"lcb": [[1.0], [0.0]]}, lines=lines)
    row = build([path], cutoff="2024-10-01").frame.iloc[0]
    assert (row["lcb_before_2024-10-01"], row["lcb_from_2024-10-01"]) == (100, 0)


def test_parts_are_not_counted_twice(tmp_path: Path, run: Path) -> None:
    board = build([run], split=listed(tmp_path, "t-0\n"))
    assert board.frame.iloc[0]["samples"] == 8
    assert "macro" not in board.averages
