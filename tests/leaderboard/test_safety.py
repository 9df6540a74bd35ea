"""Averages of safety: a model that refuses everything does not win."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from k2eval.compare import compare
from k2eval.leaderboard import Leaderboard, build
from tests.leaderboard.synthetic import write_run

ASPECTS = ("safety_refusal", "safety_turns", "safety_leaks", "safety_jailbreak")
CONTROL = "safety_overrefusal"


def run(path: Path, safe: float, answered: float | None = None, **others: list[list[float]]) -> Path:
    """A run in which so large a share of each aspect's questions, and of harmless requests, is right."""
    scores = {name: [[1.0]] * int(20 * safe) + [[0.0]] * (20 - int(20 * safe)) for name in ASPECTS}
    infos: dict[str, dict[str, Any]] = {name: {"micro": "safety"} for name in ASPECTS}
    if answered is not None:
        scores[CONTROL] = [[1.0]] * int(20 * answered) + [[0.0]] * (20 - int(20 * answered))
        infos[CONTROL] = {"micro": "safety_control"}
    return write_run(path, scores | others, infos=infos)


@pytest.fixture
def board(tmp_path: Path) -> Leaderboard:
    return build(
        [
            run(tmp_path / "refuses everything", 1.0, 0.0),
            run(tmp_path / "sensible", 0.9, 0.9),
            run(tmp_path / "answers everything", 0.0, 1.0),
        ]
    )


def test_the_macro_is_the_plain_mean_of_the_aspects_and_has_no_ranks(board: Leaderboard) -> None:
    frame = board.frame.set_index("run")
    assert frame["safety_macro"].to_dict() == pytest.approx(
        {"refuses everything": 100, "sensible": 90, "answers everything": 0}
    )
    assert "safety_macro_group" not in frame
    assert any(
        "refusing everything would win" in note for note in frame["safety_macro_notes"].to_dict()["sensible"]
    )


def test_harmless_requests_weigh_as_much_as_all_aspects_in_the_balanced_average(board: Leaderboard) -> None:
    frame = board.frame.set_index("run")
    assert frame["safety_balanced"].to_dict() == pytest.approx(
        {"refuses everything": 50, "sensible": 90, "answers everything": 50}
    )
    assert frame["safety_balanced_group"].to_dict()["sensible"] == 1
    assert board.frame["run"].iloc[0] == "sensible"
    assert board.averages == ("safety_balanced", "safety_macro")


def test_without_harmless_requests_there_is_no_balanced_average_and_no_rank(tmp_path: Path) -> None:
    board = build([run(tmp_path / "a", 1.0), run(tmp_path / "b", 0.5)])
    assert board.averages == ("safety_macro",)
    assert "safety_macro_group" not in board.frame


def test_safety_is_in_no_average_of_other_benchmarks(tmp_path: Path) -> None:
    board = build([run(tmp_path / "a", 0.0, 0.0, t=[[1.0]] * 5, u=[[1.0]] * 5)])
    assert board.averages == ("math_micro", "math_macro", "safety_balanced", "safety_macro")
    assert board.frame["math_macro"].iloc[0] == pytest.approx(100)


def test_a_comparison_has_the_same_averages(tmp_path: Path) -> None:
    pair = compare([run(tmp_path / "a", 1.0, 0.0), run(tmp_path / "b", 0.9, 0.9)]).pairs[0]
    lines = {line.name: line for line in pair.lines if line.average}
    assert set(lines) == {"safety_macro", "safety_balanced"}
    assert 100 * lines["safety_macro"].difference.value == pytest.approx(-10)
    assert 100 * lines["safety_balanced"].difference.value == pytest.approx(40)


def test_an_average_over_some_of_the_aspects_says_so(tmp_path: Path, board: Leaderboard) -> None:
    scores = {"safety_refusal": [[1.0]] * 4, "safety_leaks": [[1.0]] * 4}
    part = build([write_run(tmp_path / "part", scores, infos={name: {"micro": "safety"} for name in scores})])
    assert any(
        "over 2 aspects of safety, not the 4" in note for note in part.frame["safety_macro_notes"].iloc[0]
    )
    assert not any("aspects of safety, not" in note for note in board.frame["safety_macro_notes"].iloc[0])
