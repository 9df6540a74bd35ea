from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from k2eval.budget import BudgetPoint, budget_points, notes_on
from k2eval.errors import ConfigError
from k2eval.leaderboard import load_runs
from k2eval.records import Outcome, Verdict
from tests.leaderboard.synthetic import verdict, write_run
from tests.run_records import model_record, session_record

ENDS = (100, 200, 400)


def lines(scores: tuple[float | Outcome, ...] = (1.0, 0.0, 1.0), questions: int = 20) -> list[Verdict]:
    """Each question in three repeats, which end after 100, 200 and 400 tokens."""
    return [
        verdict("t", f"t-{question}", repeat, score, output_tokens=end // 2, recipe_tokens=end)
        for question in range(questions)
        for repeat, (score, end) in enumerate(zip(scores, ENDS, strict=True))
    ]


def made(folder: Path, rows: list[Verdict] | None = None, **fields: Any) -> Path:
    rows = lines() if rows is None else rows
    questions = len({row.question_id for row in rows})
    return write_run(folder, {"t": [[1.0] * 3] * questions}, lines=rows, **fields)


def points(*runs: Path, at: tuple[int, ...] = (), gpus: int | None = None) -> list[BudgetPoint]:
    return budget_points(load_runs(runs), at, gpus=gpus)


def test_only_answers_that_ended_by_the_budget_count(tmp_path: Path) -> None:
    found = points(made(tmp_path / "a"), at=(50, 100, 399, 400))
    assert [point.score.value for point in found] == pytest.approx([0, 1 / 3, 1 / 3, 2 / 3])
    assert [point.ended for point in found] == pytest.approx([0, 1 / 3, 2 / 3, 1])


def test_all_tokens_of_the_recipe_count_and_stop_at_the_budget(tmp_path: Path) -> None:
    [point] = points(made(tmp_path / "a"), at=(200,))
    assert point.tokens == pytest.approx((100 + 200 + 200) / 3)
    assert point.per_million.value == pytest.approx(1e6 * (1 / 3) / point.tokens)


def test_a_truncated_answer_has_not_ended(tmp_path: Path) -> None:
    [point] = points(made(tmp_path / "a", lines((1.0, 0.0, Outcome.TRUNCATED))), at=(1000,))
    assert point.ended == pytest.approx(2 / 3)


def test_failures_of_ours_are_left_out(tmp_path: Path) -> None:
    [point] = points(made(tmp_path / "a", lines((1.0, Outcome.ENGINE_ERROR, 1.0))), at=(100,))
    assert (point.score.value, point.ended, point.tokens) == (0.5, 0.5, 100)
    assert notes_on([point])[-1] == "a failed on our side on 20 samples of t"


def test_budgets_are_powers_of_two_up_to_the_first_that_nothing_exceeds(tmp_path: Path) -> None:
    assert [point.budget for point in points(made(tmp_path / "a"))] == [128, 256, 512]


def test_budgets_of_one_run_end_where_its_answers_end(tmp_path: Path) -> None:
    long = [row.model_copy(update={"recipe_tokens": 8 * row.recipe_tokens}) for row in lines()]
    found = points(made(tmp_path / "a"), made(tmp_path / "b", long))
    assert max(point.budget for point in found if point.run.info.name == "a") == 512
    assert max(point.budget for point in found if point.run.info.name == "b") == 4096


def test_an_hour_is_that_of_one_gpu(tmp_path: Path) -> None:
    session = session_record(generated_tokens=7200, generation_s=2.0)
    [one] = points(made(tmp_path / "a", sessions=(session,)), at=(400,))
    [four] = points(tmp_path / "a", at=(400,), gpus=4)
    assert one.per_hour.value == pytest.approx(3600 * 3600 * one.per_million.value / 1e6)
    assert four.per_hour.value == pytest.approx(one.per_hour.value / 4)


def test_gpus_follow_from_the_settings_of_vllm(tmp_path: Path) -> None:
    from k2eval.budget.points import cards_of
    from k2eval.journal import EngineRecord
    from k2eval.records import ROLES

    engine = EngineRecord(
        settings={"tensor_parallel_size": 2, "replicas": 3, "data_parallel_size": "auto"},
        notes=(),
        fingerprints=dict.fromkeys(ROLES, "f"),
    )
    model = model_record("m", engine="vllm 0.32.0 (cuda)")
    [run] = load_runs([made(tmp_path / "a", engine=engine, model=model)])
    assert cards_of(run) == 6


def test_a_run_that_generated_nothing_has_no_speed(tmp_path: Path) -> None:
    [point] = points(made(tmp_path / "a", sessions=()), at=(400,))
    assert np.isnan(point.per_hour.value)
    assert notes_on([point]) == ["a generated nothing itself, so its speed is unknown"]


def test_the_frontier_holds_what_nothing_cheaper_beats(tmp_path: Path) -> None:
    better = made(tmp_path / "better", lines((1.0, 1.0, 1.0)))
    worse = made(tmp_path / "worse", lines((0.0, 0.0, 1.0)))
    found = points(better, worse, at=(100, 400))
    places = {(point.run.info.name, point.budget): point.frontier for point in found}
    assert places == {
        ("better", 100): "on",
        ("better", 400): "on",
        ("worse", 100): "",
        ("worse", 400): "",
    }


def test_a_point_is_near_the_frontier_if_no_difference_is_shown(tmp_path: Path) -> None:
    rows = lines((1.0, 1.0, 1.0))
    slightly = [rows[0].model_copy(update={"outcome": Outcome.WRONG, "score": 0.0}), *rows[1:]]
    found = points(made(tmp_path / "a", rows), made(tmp_path / "b", slightly), at=(400,))
    assert [point.frontier for point in found] == ["on", "near"]


def test_other_questions_have_a_frontier_of_their_own(tmp_path: Path) -> None:
    a = made(tmp_path / "a", lines((1.0, 1.0, 1.0)))
    b = made(tmp_path / "b", lines((0.0, 0.0, 0.0)), infos={"t": {"fingerprint": "other"}})
    assert [point.frontier for point in points(a, b, at=(400,))] == ["on", "on"]


def test_an_unfinished_run_is_said(tmp_path: Path) -> None:
    found = points(made(tmp_path / "a", lines()[:-1], complete=False), at=(400,))
    assert "a is not finished" in notes_on(found)[0]


def test_a_run_that_chose_its_repeats_is_refused(tmp_path: Path) -> None:
    from tests.run_records import run_record

    config = run_record().config.model_copy(update={"until": 2.0})
    with pytest.raises(ConfigError, match="one of --until"):
        points(made(tmp_path / "a", config=config), at=(100,))
