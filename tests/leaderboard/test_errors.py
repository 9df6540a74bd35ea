"""Columns of errors: less is better, and no average counts them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from k2eval.compare import compare, to_markdown as compared
from k2eval.leaderboard import board_tables, build, load_run, to_markdown
from k2eval.records import Outcome, Verdict
from tests.leaderboard.synthetic import verdict, write_run

GOLDS = np.linspace(-5, 1, 24)
TOLERANCE = 0.5


def answer(question: int, repeat: int, reading: float | None) -> Verdict:
    name = f"q{question}"
    if reading is None:
        return verdict("esol", name, repeat, Outcome.NO_ANSWER)
    residual = reading - float(GOLDS[question])
    detail = {"reading": reading, "residual": residual}
    return verdict("esol", name, repeat, float(abs(residual) <= TOLERANCE), detail=detail)


def run_of(path: Path, lines: list[Verdict], **more: list[list[float]]) -> Path:
    """A run on numeric answers of 24 questions in 2 repeats, and on other tasks."""
    esol: dict[str, object] = {
        "title": "ESOL",
        "micro": None,
        "questions": 24,
        "repeats": 2,
        "error_unit": "log mol/L",
    }
    others = [
        verdict(task, f"{task}-{row}", 0, scores[0])
        for task, rows in more.items()
        for row, scores in enumerate(rows)
    ]
    infos: dict[str, dict[str, Any]] = {
        "esol": esol,
        **{task: {"title": task, "micro": None} for task in more},
    }
    return write_run(path, {"esol": [[0.0]] * 24, **more}, infos=infos, lines=[*lines, *others])


def noisy(sd: float, seed: int = 0) -> list[Verdict]:
    rng = np.random.default_rng(seed)
    return [
        answer(question, repeat, float(GOLDS[question] + sd * rng.normal()))
        for question in range(24)
        for repeat in range(2)
    ]


def test_a_run_shows_the_share_within_the_tolerance_and_its_errors(tmp_path: Path) -> None:
    run = run_of(tmp_path / "a", noisy(0.8))
    record = build([run]).frame.iloc[0]
    residuals = np.array([line.detail["residual"] for line in noisy(0.8)])
    assert record["esol"] == pytest.approx(100 * (np.abs(residuals) <= TOLERANCE).mean())
    assert record["esol_mae"] == pytest.approx(np.abs(residuals).mean())
    assert record["esol_mae_rmse"] == pytest.approx(np.sqrt((residuals**2).mean()))
    assert record["esol_mae_low"] < record["esol_mae"] < record["esol_mae_high"]
    assert (record["esol_mae_parsed"], record["esol_mae_unit"]) == (100.0, "log mol/L")
    assert 0.8 < record["esol_mae_rank_correlation"] < 1


def test_an_answer_without_a_number_lowers_the_parse_rate_and_is_in_no_error(tmp_path: Path) -> None:
    lines = [answer(q, r, None if q < 6 else float(GOLDS[q]) + 1.0) for q in range(24) for r in range(2)]
    record = build([run_of(tmp_path / "a", lines)]).frame.iloc[0]
    assert (record["esol_mae_parsed"], record["esol_mae"]) == (75.0, pytest.approx(1.0))
    assert "a number was read in 75.0 % of answers" in " ".join(record["esol_mae_notes"])
    assert not any("unfinished" in note for note in record["esol_mae_notes"])


def test_a_run_that_misses_samples_is_not_finished_by_its_errors_either(tmp_path: Path) -> None:
    record = build([run_of(tmp_path / "a", noisy(0.5)[:-3])]).frame.iloc[0]
    assert "unfinished, so not ranked: 45 of 48 samples" in record["esol_mae_notes"]


def test_the_least_error_is_the_best(tmp_path: Path) -> None:
    runs = [run_of(tmp_path / name, noisy(sd)) for name, sd in (("rough", 2.0), ("fine", 0.1))]
    frame = build(runs).frame.set_index("run")
    assert frame["esol_mae_standing"].to_dict() == {"fine": "best", "rough": ""}
    assert frame.loc["rough", "esol_mae_group"] == 2


def test_errors_are_in_no_average_and_a_note_says_so(tmp_path: Path) -> None:
    board = build([run_of(tmp_path / "a", noisy(0.5), t=[[1.0]], u=[[0.0]])])
    assert board.averages == ("macro",)
    assert board.frame.iloc[0]["macro"] == 50.0
    assert any("ESOL" in note and "less is better" in note and "No average" in note for note in board.notes)


def test_errors_are_written_with_their_unit_and_no_bar(tmp_path: Path) -> None:
    board = build([run_of(tmp_path / "a", noisy(0.5))])
    text = to_markdown(board, "x")
    assert "ESOL, MAE (log mol/L) ↓" in text
    cells = [cell for row in board_tables(board).measured.rows for cell in row if cell.text.startswith("0.")]
    mae = next(cell for cell in cells if cell.value == board.frame.iloc[0]["esol_mae"])
    assert mae.bar is None and "±" in mae.text


def test_compare_calls_fewer_errors_better(tmp_path: Path) -> None:
    runs = [run_of(tmp_path / name, noisy(sd, 1)) for name, sd in (("rough", 2.0), ("fine", 0.1))]
    [pair] = compare(runs).pairs
    line = next(line for line in pair.lines if line.name == "esol_mae")
    assert line.verdict == "better" and line.difference.value < -1 and line.flips is None
    assert any(
        "less is better; of answers with a number, 48 of 48 and 48 of 48" in note for note in line.notes
    )
    assert "−" in compared(compare(runs)).split("MAE")[1].split("|")[3]


def test_compare_names_the_error_that_it_would_have_shown(tmp_path: Path) -> None:
    runs = [run_of(tmp_path / name, noisy(0.5, seed)) for name, seed in (("a", 1), ("b", 2))]
    [pair] = compare(runs).pairs
    line = next(line for line in pair.lines if line.name == "esol_mae")
    assert line.verdict.startswith("no difference shown: 24 questions × 2 repeats would show ±0.")
    assert line.verdict.endswith("log mol/L or more")


def test_equal_runs_have_no_difference_in_their_errors(tmp_path: Path) -> None:
    runs = [run_of(tmp_path / name, noisy(0.5)) for name in ("a", "b")]
    [pair] = compare(runs).pairs
    line = next(line for line in pair.lines if line.name == "esol_mae")
    assert line.p == 1.0 and "cannot show any" in line.verdict
    assert "+0.000" in compared(compare(runs))


def test_a_question_that_is_excluded_leaves_its_error(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("q0\nq1\n")
    run = run_of(tmp_path / "a", noisy(0.5))
    board = build([run], exclude=tmp_path / "list")
    assert board.frame.iloc[0]["esol_mae_questions"] == 22


def test_a_judge_has_no_word_on_errors(tmp_path: Path) -> None:
    """Runs of users' own tasks may have one on the share beside."""
    notes = {"answer_judge": {"score": 1.0}}
    lines = [line.model_copy(update={"notes": notes}) for line in noisy(0.5)]
    record = build([run_of(tmp_path / "a", lines)]).frame.iloc[0]
    assert not any("judge" in note for note in record["esol_mae_notes"])


def test_an_infrastructure_failure_is_in_no_figure(tmp_path: Path) -> None:
    lines = [*noisy(0.5)[:-1], verdict("esol", "q23", 1, Outcome.ENGINE_ERROR)]
    task = load_run(run_of(tmp_path / "a", lines)).tasks["esol_mae"]
    assert (task.failed, task.graded, task.missing) == (1, 47, 0)
    record = build([run_of(tmp_path / "b", lines)]).frame.iloc[0]
    assert record["esol_mae_parsed"] == 100.0
