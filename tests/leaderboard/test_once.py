"""Questions that several benchmarks ask count once in averages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from k2eval.leaderboard import build
from tests.leaderboard.synthetic import Scores, write_run


def run_of(path: Path, twins: dict[str, str] | None = None, **tasks: tuple[Scores, list[str]]) -> Path:
    """A run on tasks, each with the scores and the hashes of its questions."""
    infos: dict[str, dict[str, Any]] = {
        name: {
            "title": name.upper(),
            "micro": None,
            "hashes": {f"{name}-{number}": text for number, text in enumerate(hashes)},
            "twins": {key: value for key, value in (twins or {}).items() if key.startswith(f"{name}-")},
        }
        for name, (_, hashes) in tasks.items()
    }
    return write_run(path, {name: scores for name, (scores, _) in tasks.items()}, infos=infos)


LARGE: tuple[Scores, list[str]] = ([[1.0], [1.0], [0.0], [0.0]], ["h0", "h1", "h2", "h3"])
SMALL: tuple[Scores, list[str]] = ([[1.0], [0.0]], ["h0", "s1"])


def test_a_shared_question_counts_in_the_smaller_benchmark_alone(tmp_path: Path) -> None:
    record = build([run_of(tmp_path / "a", large=LARGE, small=SMALL)]).frame.iloc[0]
    assert (record["large"], record["small"]) == (50.0, 50.0)
    assert record["macro"] == pytest.approx(100 * (1 / 3 + 1 / 2) / 2)
    assert record["macro_questions"] == 5
    assert "1 question of LARGE is also in SMALL, and counted there alone" in record["macro_notes"]


def test_benchmarks_without_a_common_question_are_averaged_as_they_are(tmp_path: Path) -> None:
    record = build([run_of(tmp_path / "a", large=LARGE, other=([[1.0]], ["z"]))]).frame.iloc[0]
    assert (record["macro"], record["macro_notes"]) == (75.0, ())


def test_a_benchmark_within_another_takes_its_questions_from_it(tmp_path: Path) -> None:
    inner: tuple[Scores, list[str]] = ([[0.0], [0.0]], ["h2", "h3"])
    record = build([run_of(tmp_path / "a", large=LARGE, inner=inner)]).frame.iloc[0]
    assert record["macro"] == 50.0


def test_two_benchmarks_with_the_same_questions_are_one(tmp_path: Path) -> None:
    twice: tuple[Scores, list[str]] = ([[0.0], [0.0], [0.0], [0.0]], LARGE[1])
    record = build([run_of(tmp_path / "a", large=LARGE, twice=twice)]).frame.iloc[0]
    assert (record["macro"], record["macro_benchmarks"]) == (50.0, 1)
    assert "4 questions of TWICE are also in LARGE, and counted there alone" in record["macro_notes"]


def test_near_duplicates_count_once(tmp_path: Path) -> None:
    run = run_of(tmp_path / "a", {"small-1": "h3"}, large=LARGE, small=SMALL)
    assert build([run]).frame.iloc[0]["macro_questions"] == 4


def test_what_one_run_tells_of_near_duplicates_holds_for_the_others(tmp_path: Path) -> None:
    told = run_of(tmp_path / "a", {"small-1": "h3"}, large=LARGE, small=SMALL)
    frame = build([told, run_of(tmp_path / "b", large=LARGE, small=SMALL)]).frame
    assert list(frame["macro_questions"]) == [4, 4]


def test_rows_are_ranked_on_the_questions_that_count(tmp_path: Path) -> None:
    better: tuple[Scores, list[str]] = ([[0.0], [1.0], [1.0], [1.0]], LARGE[1])
    runs = [
        run_of(tmp_path / "a", large=LARGE, small=SMALL),
        run_of(tmp_path / "b", large=better, small=SMALL),
    ]
    frame = build(runs).frame.set_index("run")
    assert frame.loc["b", "macro"] == 75.0 and frame.loc["b", "macro_standing"] == "best"


def test_choices_are_not_taken_for_each_other_by_their_stem(tmp_path: Path) -> None:
    run = run_of(tmp_path / "a", large=LARGE, small=SMALL)
    text = (run / "run.json").read_text().replace("math/1", "choice/1")
    (run / "run.json").write_text(text)
    assert build([run]).frame.iloc[0]["macro_questions"] == 6
