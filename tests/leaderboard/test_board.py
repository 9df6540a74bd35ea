from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from k2eval.errors import ConfigError
from k2eval.leaderboard import Order, build
from k2eval.records import Outcome, Sampling
from k2eval.statistics import average
from tests.leaderboard.synthetic import bernoulli, verdict, write_run

HARD = [[1.0, 0.0]] * 4
EASY = [[1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 0.0]]


def test_a_cell_is_avg_at_k_in_percent_with_its_interval_and_denominators(tmp_path: Path) -> None:
    scores = bernoulli(30, 4, 0.6, seed=1)
    row = build([write_run(tmp_path / "a", {"t": scores})]).frame.iloc[0]
    expected = average(np.array(scores))
    assert row["t"] == pytest.approx(100 * expected.value)
    assert (row["t_low"], row["t_high"]) == pytest.approx((100 * expected.low, 100 * expected.high))
    assert (row["t_k"], row["t_questions"], row["t_samples"]) == (4, 30, 120)


def test_micro_weighs_by_questions_and_macro_does_not(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", {"t": [[1.0]] * 3, "u": [[0.0]] * 9})
    row = build([run]).frame.iloc[0]
    assert (row["math_micro"], row["math_macro"]) == (25, 50)
    assert row["math_micro_questions"] == 12


def test_a_benchmark_outside_the_group_counts_in_the_macro_average_of_all(tmp_path: Path) -> None:
    tasks = {"t": [[1.0]], "u": [[1.0]], "v": [[0.0]]}
    board = build([write_run(tmp_path / "a", tasks, infos={"v": {"micro": None}})])
    assert board.averages == ("math_micro", "math_macro", "macro")
    assert board.frame.iloc[0]["math_macro"] == 100
    assert board.frame.iloc[0]["macro"] == pytest.approx(200 / 3)


def test_one_benchmark_has_no_averages(tmp_path: Path) -> None:
    assert build([write_run(tmp_path / "a", {"t": HARD})]).averages == ()


def test_rows_are_ordered_best_first(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / "low", {"t": HARD}), write_run(tmp_path / "high", {"t": EASY})]
    assert build(runs).frame["run"].tolist() == ["high", "low"]


def test_the_best_and_what_may_be_noise_are_marked(tmp_path: Path) -> None:
    runs = [
        write_run(tmp_path / name, {"t": bernoulli(40, 8, 0.5, seed=1, shift=shift)})
        for name, shift in (("best", 0.02), ("near", 0.0), ("far", -0.3))
    ]
    standing = build(runs).frame.set_index("run")["t_standing"]
    assert standing.to_dict() == {"best": "best", "near": "near", "far": ""}


def test_a_single_row_is_not_the_best_of_anything(tmp_path: Path) -> None:
    assert "t_standing" not in build([write_run(tmp_path / "a", {"t": EASY})]).frame


def test_other_questions_are_marked_and_not_compared(tmp_path: Path) -> None:
    runs = [
        write_run(tmp_path / "a", {"t": HARD}),
        write_run(tmp_path / "b", {"t": HARD}),
        write_run(tmp_path / "c", {"t": EASY}, infos={"t": {"fingerprint": "different"}}),
    ]
    frame = build(runs).frame.set_index("run")
    assert "other questions (fingerprint differen)" in frame["t_notes"]["c"][0]
    assert frame["t_standing"].to_dict() == {"a": "best", "b": "best", "c": ""}


def test_other_settings_are_said_and_still_compared(tmp_path: Path) -> None:
    infos = [{"sampling": Sampling(max_tokens=tokens)} for tokens in (64000, 64000, 4096)]
    runs = [
        write_run(tmp_path / name, {"t": HARD}, infos={"t": info})
        for name, info in zip("abc", infos, strict=True)
    ]
    frame = build(runs).frame.set_index("run")
    assert frame["t_notes"].to_dict() == {
        "a": (),
        "b": (),
        "c": ("max_tokens 4096 instead of 64000",),
    }
    assert frame.loc["c", "t_standing"] == "best"


def test_a_part_of_the_questions_is_marked_and_not_compared(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / "a", {"t": HARD}), write_run(tmp_path / "b", {"t": HARD})]
    limited = {"t": {"fingerprint": "print-4", "expected_questions": 4}}
    runs.append(write_run(tmp_path / "c", {"t": EASY[:2]}, infos=limited))
    row = build(runs).frame.set_index("run").loc["c"]
    assert row["t_standing"] == ""
    assert row["t_notes"] == (
        "2 of 4 questions",
        "2 questions, most rows have 4: not compared with them",
    )


def test_rows_that_lack_a_benchmark_are_not_ranked(tmp_path: Path) -> None:
    both = [write_run(tmp_path / name, {"t": HARD, "u": HARD}) for name in "ab"]
    frame = build([*both, write_run(tmp_path / "c", {"t": EASY})]).frame.set_index("run")
    assert np.isnan(frame["math_micro_group"]["c"])
    assert "over 1 of 2 benchmarks: not ranked" in frame["math_micro_notes"]["c"]
    assert frame.index[-1] == "c"


def test_rows_that_cannot_be_told_apart_share_their_places(tmp_path: Path) -> None:
    shifts = {"a": 0.3, "b": 0.01, "c": 0.0}
    runs = [
        write_run(
            tmp_path / name, {task: bernoulli(30, 8, 0.5, seed, shift) for seed, task in enumerate("tu")}
        )
        for name, shift in shifts.items()
    ]
    frame = build(runs).frame.set_index("run")
    columns = [f"math_micro_{end}" for end in ("group", "rank_low", "rank_high")]
    assert [tuple(frame.loc[name, columns]) for name in shifts] == [(1, 1, 1), (2, 2, 3), (2, 2, 3)]
    assert frame["math_micro_standing"].to_dict() == {"a": "best", "b": "", "c": ""}


def test_benchmarks_have_groups_of_their_own(tmp_path: Path) -> None:
    runs = [
        write_run(tmp_path / name, {"t": [[score]] * 40, "u": [[1.0], [0.0]] * 20})
        for name, score in (("a", 1.0), ("b", 0.0))
    ]
    frame = build(runs).frame.set_index("run")
    assert frame["t_group"].to_dict() == {"a": 1, "b": 2}
    assert frame["u_group"].to_dict() == {"a": 1, "b": 1}


def test_more_rows_need_a_larger_difference(tmp_path: Path) -> None:
    """All pairs of rows share the level, so that a table of many rows does not part equal ones."""
    old, new = bernoulli(60, 8, 0.5, 1), bernoulli(60, 8, 0.5, 1, 0.08)
    runs = [write_run(tmp_path / name, {"t": table}) for name, table in (("old", old), ("new", new))]
    many = [write_run(tmp_path / f"other-{number}", {"t": old}) for number in range(40)]
    assert build(runs).frame.set_index("run")["t_group"]["old"] == 2
    assert build([*runs, *many]).frame.set_index("run")["t_group"]["old"] == 1


def test_rows_may_be_ordered_by_the_lower_ends_of_their_intervals(tmp_path: Path) -> None:
    few = write_run(tmp_path / "few", {"t": [[1.0]] * 9 + [[0.0]]}, infos={"t": {"fingerprint": "f"}})
    many = write_run(tmp_path / "many", {"t": [[1.0]] * 85 + [[0.0]] * 15}, infos={"t": {"fingerprint": "g"}})
    assert build([many, few]).frame["run"].tolist() == ["few", "many"]
    assert build([many, few], order="lower").frame["run"].tolist() == ["many", "few"]


@pytest.mark.parametrize("order", ["score", "lower"])
def test_a_row_that_lacks_a_benchmark_stands_below_the_ranked_ones_and_says_so(
    tmp_path: Path, order: Order
) -> None:
    """Nothing stands for the missing score: no zero, no mean of others, and no rank by the rest."""
    both = [write_run(tmp_path / name, {"t": HARD, "u": HARD}) for name in "ab"]
    board = build([write_run(tmp_path / "c", {"t": [[1.0, 1.0]] * 4}), *both], order=order)
    row = board.frame.set_index("run").loc["c"]
    assert board.frame["run"].tolist()[-1] == "c"
    for name in board.averages:
        assert (row[name], row[f"{name}_benchmarks"]) == (100, 1)
        assert row[f"{name}_notes"] == ("over 1 of 2 benchmarks: not ranked",)
        assert row[[f"{name}_group", f"{name}_rank_low", f"{name}_rank_high"]].isna().all()
        assert row[f"{name}_standing"] == ""
    assert np.isnan(row["u"])


def test_a_smaller_find_is_said(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", {"t": HARD, "u": HARD}, infos={"t": {"expected_questions": 173}})
    row = build([run]).frame.iloc[0]
    assert row["t_expected_questions"] == 173
    assert row["t_notes"] == ("4 of 173 questions",)
    assert row["math_micro_notes"] == ("t weighs 4 questions, not its 173",)


def test_infrastructure_failures_are_counted_and_said(tmp_path: Path) -> None:
    row = build([write_run(tmp_path / "a", {"t": [[1, Outcome.ENGINE_ERROR], [0, 1]]})]).frame.iloc[0]
    assert (row["failed"], row["t_failed"], row["t"]) == (1, 1, 75)
    assert row["t_notes"] == ("infrastructure failures, left out: 1 of 4 samples",)


def test_marks_of_the_recipe_are_counted_and_said(tmp_path: Path) -> None:
    lines = [
        verdict("t", "q", 0, 1.0),
        verdict("t", "q", 1, 1.0, notes={"marks": ["a plan was lost"], "selected": 1}),
    ]
    row = build([write_run(tmp_path / "a", {"t": [[1, 1]]}, lines=lines)]).frame.iloc[0]
    assert row["t_marked"] == 1
    assert row["t_notes"] == ("samples whose recipe lost a candidate, a plan or a judgement: 1",)


def test_an_unfinished_run_is_said(tmp_path: Path) -> None:
    row = build([write_run(tmp_path / "a", {"t": [[1, 0], [1]]}, complete=False)]).frame.iloc[0]
    assert row["notes"] == ("the run is not finished",)
    assert row["t_notes"] == ("unfinished, so not ranked: 3 of 4 samples",)


def test_an_unfinished_row_is_never_the_best(tmp_path: Path) -> None:
    whole = {name: [[1.0, 0.0]] * 6 for name in "tu"}
    easy_ones_first = {name: [[1.0, 1.0]] * 2 for name in "tu"}
    infos = {name: {"questions": 6, "expected_questions": 6, "fingerprint": "print-6"} for name in "tu"}
    runs = [write_run(tmp_path / "a", whole), write_run(tmp_path / "b", whole)]
    runs.append(write_run(tmp_path / "c", easy_ones_first, infos=infos, complete=False))
    frame = build(runs).frame.set_index("run")
    assert list(frame.index) == ["a", "b", "c"]
    assert frame["t_standing"].to_dict() == {"a": "best", "b": "best", "c": ""}
    assert frame["math_micro_group"].isna().to_dict() == {"a": False, "b": False, "c": True}


def test_truncation_missing_answers_tokens_and_speed_are_columns(tmp_path: Path) -> None:
    scores: list[list[float | Outcome]] = [[Outcome.TRUNCATED, Outcome.NO_ANSWER, Outcome.NO_ANSWER, 1]]
    row = build([write_run(tmp_path / "a", {"t": scores})]).frame.iloc[0]
    assert (row["truncated"], row["no_answer"]) == (25, 50)
    assert (row["tokens"], row["recipe_tokens"], row["tokens_per_s"]) == (100, 300, 500)


def test_a_run_that_only_failed_has_no_score(tmp_path: Path) -> None:
    runs = [
        write_run(tmp_path / "a", {"t": [[Outcome.ENGINE_ERROR]]}),
        write_run(tmp_path / "b", {"t": [[1.0]]}),
    ]
    frame = build(runs).frame.set_index("run")
    assert np.isnan(frame["t"]["a"])
    assert frame.index.tolist() == ["b", "a"]


def test_no_run_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least one run directory"):
        build([])


def test_a_wide_table_is_made_without_warnings(tmp_path: Path) -> None:
    tasks = {f"t{number}": [[1.0], [0.0]] for number in range(12)}
    frame = build([write_run(tmp_path / name, tasks) for name in "ab"]).frame
    assert len(frame.columns) > 200


def test_the_answer_judge_stands_beside_the_rule(tmp_path: Path) -> None:
    lines = [
        verdict("t", "q", 0, 1.0, notes={"answer_judge": {"score": 1.0, "asked": 1}}),
        verdict("t", "q", 1, 0.0, notes={"answer_judge": {"score": 1.0, "asked": 1}}),
        verdict("t", "q", 2, 0.0, notes={"answer_judge": {"score": None, "failed": "down"}}),
    ]
    row = build([write_run(tmp_path / "a", {"t": [[1, 0, 0]]}, lines=lines)]).frame.iloc[0]
    assert (row["t_judge"], row["t_judge_rule"], row["t_judge_differs"]) == (100, 50, 50)
    words = "100.0 by the answer judge, 50.0 by rule on the same 2 samples, which differ on 50.0%"
    assert row["t_notes"] == ("samples on which the answer judge failed: 1", words)
