from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from k2eval.cli.racing import race_command
from k2eval.decide import Rules, race_of_runs, race_table, race_words
from k2eval.errors import ConfigError
from k2eval.leaderboard import load_runs
from k2eval.records import Outcome
from tests.leaderboard.synthetic import write_run

IDS = {f"t-{number}": f"hash-{number}" for number in range(30)}


def _run(folder: Path, name: str, chance: float, repeats: int = 4) -> Path:
    rng = np.random.default_rng(len(name))
    scores = (rng.random((30, repeats)) < chance).astype(float).tolist()
    return write_run(folder / name, {"t": scores}, name=name, infos={"t": {"hashes": IDS, "title": "T"}})


def test_a_clear_winner_takes_a_part_of_the_tokens(tmp_path: Path) -> None:
    runs = load_runs([_run(tmp_path, "low", 0.1), _run(tmp_path, "higher", 0.9)])
    result = race_of_runs(runs, Rules())
    assert result.contest.standings[0].decision == "better"
    assert result.share < 0.5
    header, rows = race_table(result)
    assert len(header) == len(rows[0])
    assert rows[0][:2] == ["higher against low", "T"]


def test_the_words_say_what_is_estimated(tmp_path: Path) -> None:
    runs = load_runs([_run(tmp_path, "low", 0.5), _run(tmp_path, "higher", 0.5)])
    first, second = race_words(race_of_runs(runs, Rules()))
    assert "on questions like these" in first
    assert "100 % of the fixed evaluation" in second


def test_runs_with_different_numbers_of_repeats_race_over_the_smaller_one(tmp_path: Path) -> None:
    runs = load_runs([_run(tmp_path, "low", 0.5, 2), _run(tmp_path, "higher", 0.5, 4)])
    assert race_of_runs(runs, Rules()).contest.entries[0].repeats == 2


def test_other_questions_are_refused(tmp_path: Path) -> None:
    one = _run(tmp_path, "low", 0.5)
    other = write_run(
        tmp_path / "other", {"t": [[1.0]] * 30}, infos={"t": {"hashes": {f"t-{n}": "x" for n in range(30)}}}
    )
    with pytest.raises(ConfigError, match="same questions"):
        race_of_runs(load_runs([one, other]), Rules())


def test_a_run_that_is_not_finished_is_refused(tmp_path: Path) -> None:
    scores = [[1.0, 1.0]] * 29 + [[1.0]]
    half = write_run(tmp_path / "half", {"t": scores}, infos={"t": {"hashes": IDS, "title": "T"}})
    with pytest.raises(ConfigError, match="got 59 of 60 samples of t"):
        race_of_runs(load_runs([_run(tmp_path, "low", 0.5), half]), Rules())


def test_samples_that_failed_on_our_side_are_there(tmp_path: Path) -> None:
    scores: list[list[float | Outcome]] = [[1.0, 1.0] for _ in range(29)]
    scores.append([1.0, Outcome.ENGINE_ERROR])
    failed = write_run(tmp_path / "failed", {"t": scores}, infos={"t": {"hashes": IDS, "title": "T"}})
    result = race_of_runs(load_runs([_run(tmp_path, "low", 0.9), failed]), Rules())
    assert result.contest.standings[0].pairs == 59


def test_settings_that_differ_and_samples_that_failed_are_notes(tmp_path: Path) -> None:
    scores: list[list[float | Outcome]] = [[1.0, 1.0] for _ in range(29)]
    scores.append([1.0, Outcome.ENGINE_ERROR])
    info = {"hashes": IDS, "title": "T", "grader": "math/9"}
    other = write_run(tmp_path / "other", {"t": scores}, infos={"t": info})
    words = race_words(race_of_runs(load_runs([_run(tmp_path, "low", 0.9), other]), Rules()))
    grader, failed = words[2:]
    assert grader == "Note: T: low has grader math/1 instead of math/9 in other."
    assert failed == "Note: T: samples are left out with their pairs, since 1 of other failed on our side."


def test_what_rounds_to_zero_has_no_sign(tmp_path: Path) -> None:
    runs = load_runs([_run(tmp_path, "low", 1.0), _run(tmp_path, "higher", 1.0)])
    _, rows = race_table(race_of_runs(runs, Rules()))
    assert rows[0][2] == "0.0"


def test_runs_without_a_common_benchmark_are_refused(tmp_path: Path) -> None:
    other = write_run(tmp_path / "other", {"u": [[1.0]]})
    with pytest.raises(ConfigError, match="share"):
        race_of_runs(load_runs([_run(tmp_path, "low", 0.5), other]), Rules())


def test_settings_of_a_generation_are_refused_for_finished_runs(tmp_path: Path) -> None:
    """A race that took --limit 10 and drew from all questions would answer another question."""
    runs = [str(_run(tmp_path, name, 0.5)) for name in ("a", "b")]
    flags: dict[str, object] = {"tasks": None, "seed": 1, "limit": 10}
    with pytest.raises(ConfigError, match="--limit: expected a contestant that generates"):
        race_command(runs, Rules(), None, None, flags, None, [])


def test_runs_that_name_no_questions_are_raced_on_those_they_answered(tmp_path: Path) -> None:
    paths = [write_run(tmp_path / name, {"t": [[float(name == "b")]] * 30}) for name in "ab"]
    result = race_of_runs(load_runs(paths), Rules())
    assert result.contest.standings[0].decision == "better"


def test_a_run_that_lacks_questions_is_not_finished(tmp_path: Path) -> None:
    whole = write_run(tmp_path / "a", {"t": [[1.0]] * 30})
    info = {"questions": 60, "fingerprint": "print-30"}
    part = write_run(tmp_path / "b", {"t": [[1.0]] * 30}, infos={"t": info}, complete=False)
    with pytest.raises(ConfigError, match="got 30 of 60 samples"):
        race_of_runs(load_runs([whole, part]), Rules())


def test_too_small_a_level_is_bad_input(tmp_path: Path) -> None:
    paths = [write_run(tmp_path / f"r{n}", {"t": [[1.0]] * 5}) for n in range(25)]
    with pytest.raises(ConfigError, match="--alpha: expected a larger level or fewer hypotheses"):
        race_of_runs(load_runs(paths), Rules(alpha=0.0001, all_pairs=True))
