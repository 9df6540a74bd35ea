"""Averages of a comparison are those of the leaderboard: a question that several benchmarks ask counts once."""

from __future__ import annotations

from pathlib import Path

import pytest

from k2eval.compare import Line, compare
from k2eval.leaderboard import build
from tests.leaderboard.synthetic import write_run
from tests.leaderboard.test_once import LARGE, SMALL, run_of

BETTER = ([[0.0], [1.0], [1.0], [1.0]], LARGE[1])
OTHER = ([[1.0], [0.0]], ["z", "y"])


def lines(first: Path, second: Path) -> dict[str, Line]:
    return {line.name: line for line in compare([first, second]).pairs[0].lines}


def board(*runs: Path, name: str) -> list[float]:
    return [float(value) for value in build(list(runs)).frame[name] / 100]


def test_a_shared_question_counts_once_as_on_the_leaderboard(tmp_path: Path) -> None:
    runs = [
        run_of(tmp_path / "a", large=LARGE, small=SMALL),
        run_of(tmp_path / "b", large=BETTER, small=SMALL),
    ]
    line = lines(*runs)["macro"]
    assert [line.first.value, line.second.value] == pytest.approx([(1 / 3 + 1 / 2) / 2, (1 + 1 / 2) / 2])
    assert sorted([line.first.value, line.second.value]) == pytest.approx(sorted(board(*runs, name="macro")))
    assert line.difference.questions == 5
    assert "1 question of LARGE is also in SMALL, and counted there alone" in line.notes


def test_each_benchmark_keeps_all_of_its_questions(tmp_path: Path) -> None:
    runs = [run_of(tmp_path / name, large=LARGE, small=SMALL) for name in "ab"]
    found = lines(*runs)
    assert (found["large"].difference.questions, found["small"].difference.questions) == (4, 2)


def test_near_duplicates_that_one_run_tells_count_once(tmp_path: Path) -> None:
    runs = [
        run_of(tmp_path / "a", {"small-1": "h3"}, large=LARGE, small=SMALL),
        run_of(tmp_path / "b", large=LARGE, small=SMALL),
    ]
    assert lines(*runs)["macro"].difference.questions == 4


def test_a_benchmark_within_another_that_is_as_large_leaves_one(tmp_path: Path) -> None:
    twice = ([[0.0], [0.0], [0.0], [0.0]], LARGE[1])
    runs = [run_of(tmp_path / name, large=LARGE, twice=twice, other=OTHER) for name in "ab"]
    line = lines(*runs)["macro"]
    assert line.first.value == pytest.approx(board(*runs, name="macro")[0])
    assert line.difference.questions == 6
    assert not any("benchmarks that both have" in note for note in line.notes)


def test_the_micro_average_weighs_the_questions_that_count(tmp_path: Path) -> None:
    def run(name: str, scores: list[list[float]]) -> Path:
        infos = {
            "large": {"micro": "math", "hashes": {f"large-{at}": f"h{at}" for at in range(4)}},
            "small": {"micro": "math", "hashes": {"small-0": "h0", "small-1": "s1"}},
        }
        return write_run(tmp_path / name, {"large": scores, "small": SMALL[0]}, infos=infos)

    runs = [run("a", [[1.0], [1.0], [0.0], [0.0]]), run("b", [[0.0], [1.0], [1.0], [1.0]])]
    found = lines(*runs)
    for kind in ("math_micro", "math_macro"):
        ours = [found[kind].first.value, found[kind].second.value]
        assert sorted(ours) == pytest.approx(sorted(board(*runs, name=kind)))
    assert found["math_micro"].first.value == pytest.approx(2 / 5)
    assert "macro" not in found


def test_other_benchmarks_beside_a_group_have_an_average_of_all(tmp_path: Path) -> None:
    def run(name: str) -> Path:
        infos = {task: {"micro": "math" if task != "w" else None} for task in "uvw"}
        return write_run(tmp_path / name, {task: SMALL[0] for task in "uvw"}, infos=infos)

    runs = [run("a"), run("b")]
    assert lines(*runs)["macro"].first.value == pytest.approx(board(*runs, name="macro")[0])
