from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from k2eval.decide import amount, benches_of, power_of, power_table
from k2eval.errors import ConfigError
from k2eval.leaderboard import load_runs
from k2eval.statistics import Estimand
from tests.leaderboard.synthetic import write_run


def _run(folder: Path, name: str, chance: float) -> Path:
    rng = np.random.default_rng(len(name))
    return write_run(folder / name, {"t": (rng.random((40, 4)) < chance).astype(float).tolist()}, name=name)


def test_one_run_tells_a_guess_and_two_tell_more(tmp_path: Path) -> None:
    paths = [_run(tmp_path, "a", 0.5), _run(tmp_path, "bb", 0.6)]
    (one,), (two,) = benches_of(load_runs(paths[:1])), benches_of(load_runs(paths))
    assert (one.source, two.source) == ("one run", "two runs")
    assert one.questions == two.questions == 40


def test_more_repeats_show_smaller_differences(tmp_path: Path) -> None:
    (bench,) = benches_of(load_runs([_run(tmp_path, "a", 0.5)]))
    few, many = (power_of(bench, 0.05, repeats) for repeats in (4, 64))
    for estimand in Estimand:
        assert many.detectable[estimand] < few.detectable[estimand]
    assert many.floor == few.floor < many.detectable[Estimand.LIKE_THESE]


def test_the_advice_gives_repeats_tokens_and_hours(tmp_path: Path) -> None:
    (bench,) = benches_of(load_runs([_run(tmp_path, "a", 0.5)]))
    advice = power_of(bench, 0.2, speed=1000).advice
    assert advice.startswith("Ask every question ")
    assert "tokens for both runs" in advice and "minutes" in advice


def test_what_repeats_cannot_show_needs_more_questions(tmp_path: Path) -> None:
    (bench,) = benches_of(load_runs([_run(tmp_path, "a", 0.5)]))
    assert "more than" in power_of(bench, 0.01).advice


def test_the_table_has_a_cell_for_each_column(tmp_path: Path) -> None:
    (bench,) = benches_of(load_runs([_run(tmp_path, "a", 0.5)]))
    header, rows = power_table([power_of(bench, 0.05)])
    assert {len(row) for row in rows} == {len(header)}


@pytest.mark.parametrize("chance", [0.0, 1.0])
def test_runs_without_noise_promise_nothing(tmp_path: Path, chance: float) -> None:
    """All right or all wrong: to see no noise is not to have none."""
    (bench,) = benches_of(load_runs([_run(tmp_path, "a", chance)]))
    line = power_of(bench, 0.05)
    assert "no noise in one run" in line.advice
    assert power_table([line])[1][0][2:7] == ["–"] * 5


def test_an_unknown_benchmark_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="got u"):
        benches_of(load_runs([_run(tmp_path, "a", 0.5)]), ["u"])


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0"), (999, "999"), (1_000, "1 k"), (1_500_000, "1.5 M"), (2e9, "2 G")]
)
def test_amounts(number: float, text: str) -> None:
    assert amount(number) == text


def test_runs_that_share_no_question_are_refused(tmp_path: Path) -> None:
    one, other = _run(tmp_path, "a", 0.5), _run(tmp_path, "bb", 0.5)
    text = (other / "verdicts.jsonl").read_text()
    (other / "verdicts.jsonl").write_text(text.replace('"t-', '"other-'))
    with pytest.raises(ConfigError, match="expected runs that share questions"):
        benches_of(load_runs([one, other]))


def test_tokens_are_those_of_both_runs(tmp_path: Path) -> None:
    one, other = _run(tmp_path, "a", 0.5), _run(tmp_path, "bb", 0.5)
    text = (other / "verdicts.jsonl").read_text()
    (other / "verdicts.jsonl").write_text(text.replace('"recipe_tokens": 300', '"recipe_tokens": 900'))
    (bench,) = benches_of(load_runs([one, other]))
    assert power_of(bench, 0.05).tokens(4) == 40 * 4 * (300 + 900)


def test_a_pilot_of_one_repeat_tells_something(tmp_path: Path) -> None:
    path = write_run(tmp_path / "a", {"t": [[1.0]] * 20 + [[0.0]] * 20})
    (bench,) = benches_of(load_runs([path]))
    assert bench.has_noise
    assert bench.source == "one run of one repeat, and a guess"


def test_no_difference_is_larger_than_the_scale(tmp_path: Path) -> None:
    paths = [write_run(tmp_path / name, {"t": [[score]]}) for name, score in (("a", 0.0), ("b", 1.0))]
    _, [row] = power_table([power_of(bench, 0.05) for bench in benches_of(load_runs(paths))])
    assert row[2:4] == ["none", "none"]
