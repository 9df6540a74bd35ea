from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from k2eval.compare import compare
from k2eval.leaderboard import build, load_run
from k2eval.records import Outcome, Verdict
from tests.leaderboard.synthetic import verdict, write_run


def problem(question: str, run: int, passed: int | None, total: int, **fields: Any) -> Verdict:
    """A verdict on a problem of ``total`` steps; None: no code at all."""
    detail = (
        {}
        if passed is None
        else {"sub_passed": passed, "sub_total": total, "sub_errors": fields.pop("lost", 0)}
    )
    outcome = fields.pop("outcome", 1.0 if passed == total else 0.0)
    return verdict("scicode", question, run, outcome, tags={"steps": str(total)}, detail=detail, **fields)


def scicode(path: Path, lines: list[Verdict]) -> Path:
    questions = len({line.question_id for line in lines})
    infos = {
        "scicode": {
            "title": "SciCode",
            "micro": None,
            "questions": questions,
            "expected_questions": questions,
        }
    }
    return write_run(path, {"scicode": [[0.0]] * questions}, infos=infos, lines=lines)


def test_steps_count_the_same_whatever_their_problem(tmp_path: Path) -> None:
    run = scicode(tmp_path / "a", [problem("p", 0, 1, 1), problem("q", 0, 3, 9), problem("r", 0, None, 2)])
    row = build([run]).frame.iloc[0]
    assert row["scicode"] == pytest.approx(100 / 3)
    assert row["scicode_sub"] == pytest.approx(100 * 4 / 12)
    assert "12 steps of 3 problems, each step counting the same" in row["scicode_sub_notes"]


def test_the_error_of_steps_is_that_of_a_ratio_over_problems(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    totals, passed = rng.integers(2, 9, 40), np.zeros(40, dtype=int)
    passed[:] = rng.integers(0, totals + 1)
    lines = [problem(f"p{i}", 0, int(passed[i]), int(totals[i])) for i in range(40)]
    row = build([scicode(tmp_path / "a", lines)]).frame.iloc[0]
    ratio = passed.sum() / totals.sum()
    residuals = (passed - ratio * totals) / totals.mean()
    assert row["scicode_sub_se"] == pytest.approx(100 * residuals.std(ddof=1) / np.sqrt(40))


def test_steps_that_our_side_lost_are_left_out(tmp_path: Path) -> None:
    lines = [problem("p", 0, 1, 3, lost=1, outcome=Outcome.GRADER_ERROR), problem("q", 0, 0, 3)]
    task = load_run(scicode(tmp_path / "a", lines)).tasks["scicode_sub"]
    assert task.scores.tolist() == [[0.5], [0.0]]


def test_an_infrastructure_failure_scores_no_steps(tmp_path: Path) -> None:
    lines = [problem("p", 0, None, 3, outcome=Outcome.ENGINE_ERROR), problem("q", 0, 3, 3)]
    task = load_run(scicode(tmp_path / "a", lines)).tasks["scicode_sub"]
    assert np.isnan(task.scores[0, 0])


def test_steps_are_in_no_total_and_no_average(tmp_path: Path) -> None:
    lines = [problem("p", 0, 1, 1), problem("q", 0, 0, 9)]
    board = build([scicode(tmp_path / "a", lines)])
    assert board.averages == ()
    assert board.frame.iloc[0]["samples"] == 2


def test_steps_of_two_runs_are_compared_by_problem(tmp_path: Path) -> None:
    runs = [
        scicode(tmp_path / name, [problem(f"p{i}", 0, i % 3 + gain, 4) for i in range(12)])
        for name, gain in (("a", 0), ("b", 1))
    ]
    line = next(line for line in compare(runs).pairs[0].lines if line.name == "scicode_sub")
    assert line.difference.value == pytest.approx(0.25)
    assert line.verdict == "better"
