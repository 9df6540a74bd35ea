from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from k2eval.errors import DataError
from k2eval.grading import grader_for, score_file
from k2eval.grading.number import read
from k2eval.reasoning import AUTO
from k2eval.records import Grade, Outcome, Question


def graded(text: str, gold: Any = -3.2, *, truncated: bool = False, **metadata: Any) -> Grade:
    question = Question(task="t", id="1", grader="number", messages=(), gold=gold, metadata=metadata)
    return grader_for("number").grade_response(question, text, truncated, AUTO)


@pytest.mark.parametrize(
    ("answer", "number"),
    [
        ("-3.2", -3.2),
        ("−3.2", -3.2),
        ("$2.34$", 2.34),
        (".5", 0.5),
        ("1,234.5", 1234.5),
        ("-3.2e-1", -0.32),
        (r"3.1 \times 10^{-2}", 0.031),
        (r"-\frac{5}{2}", -2.5),
        ("5/2", 2.5),
        ("logS = -3.2", -3.2),
        (r"\log_{10} S \approx -3.2", -3.2),
        (r"-3.2 \pm 0.4\ \text{kcal/mol}", -3.2),
        (r"-3.2\, \mathrm{kcal\, mol^{-1}}", -3.2),
        ("-3.2 (log mol/L)", -3.2),
        ("-3.2 log_{10} units", -3.2),
        (r"\mathbf{-3.2}", -3.2),
    ],
)
def test_one_number_is_read(answer: str, number: float) -> None:
    assert read(answer) == pytest.approx(number, abs=1e-12)


@pytest.mark.parametrize(
    "answer",
    ["", "unknown", "-3 to -4", "0.5–1", "-3.2, -4", "3 or 4", "-3.2 or so", "1,5", "12 345", "1.2.3", "< 3", "2.5%",
     "2 * 3", "--3", "2.5 at pH = 7.4", "log S = -3, S = 6e-4", ">= 3", "3:2", r"3\pi", "5!", "2x", "3 million", "-3 (or -4)", "10^{-3.2}", "10^-3", "1e999", "1/0", "log P of 2.5", "9" * 400],
)  # fmt: skip
def test_a_range_a_choice_or_a_formula_is_not_one_number(answer: str) -> None:
    assert read(answer) is None


def test_another_unit_is_converted() -> None:
    assert read(r"-12.6\ \text{kJ/mol}", {"kJ": 0.239}) == pytest.approx(-3.0114)
    assert read("-12.6 kcal/mol", {"kJ": 0.239}) == -12.6


@pytest.mark.parametrize(
    ("answer", "number"),
    [("-3 kcal/mol", -3.0), ("-3", -3.0), ("-3 (kcal/mol)", -3.0), ("-4 kJ/mol", -1.0), ("-4 (kJ/mol)", -1.0),
     (r"-4 \pm 1\ \text{kJ/mol}", -1.0), ("-3 (estimated)", -3.0), ("-4 kJ/mol = -1 kcal/mol", -1.0),
     ("-0.13 eV", None), ("-3000 cal/mol", None), ("-3 (cal/mol)", None)],
)  # fmt: skip
def test_a_number_in_a_unit_that_is_not_asked_for_is_no_reading(answer: str, number: float | None) -> None:
    assert read(answer, {"kJ": 0.25}, ["kcal"]) == number


@pytest.mark.parametrize("answer", ["2.1 (pH = 7.4)", "log D (pH = 7.4) = 2.1", "2.1 (at pH = 7.4, 25 °C)"])
def test_a_condition_is_not_the_answer(answer: str) -> None:
    assert read(answer) == 2.1


def test_the_verdict_keeps_the_reading_and_how_far_it_is_from_the_gold() -> None:
    grade = graded(r"\boxed{-3.0}", tolerance=0.5)
    assert (grade.outcome, grade.score, grade.extracted) == (Outcome.CORRECT, 1.0, "-3")
    assert grade.detail == {"reading": -3.0, "residual": pytest.approx(0.2)}


def test_an_error_beyond_the_tolerance_is_wrong_and_still_measured() -> None:
    grade = graded(r"\boxed{-1.0}", tolerance=0.5)
    assert (grade.outcome, grade.score) == (Outcome.WRONG, 0.0)
    assert grade.detail["residual"] == pytest.approx(2.2)


def test_an_error_as_large_as_the_tolerance_passes() -> None:
    assert graded(r"\boxed{-2.7}", tolerance=0.5).outcome is Outcome.CORRECT


@pytest.mark.parametrize("text", ["I do not know.", r"\boxed{-3 or -4}", "There are 3 rings."])
def test_an_answer_without_a_number_has_no_reading(text: str) -> None:
    grade = graded(text, tolerance=0.5)
    assert grade.outcome is Outcome.NO_ANSWER and "reading" not in grade.detail


def test_a_number_outside_of_the_quantitys_range_is_no_reading() -> None:
    grade = graded(r"\boxed{-300}", min=-20, max=5)
    assert (grade.outcome, grade.detail) == (Outcome.NO_ANSWER, {"reason": "outside of -20 to 5"})


def test_a_number_beyond_all_quantities_is_no_reading() -> None:
    assert graded(r"\boxed{1e150}").outcome is Outcome.NO_ANSWER


def test_an_estimate_may_be_called_one() -> None:
    text = "So log S is approximately -3.1 log mol/L."
    assert graded(text, tolerance=0.5).detail["reading"] == -3.1


def test_a_response_that_was_cut_is_truncated() -> None:
    assert graded("<think>It is -3.2, so \\boxed{-3.2}", truncated=True).outcome is Outcome.TRUNCATED


def test_a_gold_that_is_no_number_is_an_error() -> None:
    with pytest.raises(DataError, match="expected a finite number as gold of '1', got 'high'"):
        graded(r"\boxed{1}", gold="high")


def test_rows_with_a_tolerance_are_scored(tmp_path: Path) -> None:
    rows = [
        {"response": r"\boxed{2.4}", "gold": 2, "tolerance": 0.5},
        {"response": r"\boxed{2.4}", "gold": 2},
    ]
    bad = {"response": "1", "gold": "x"}
    source = tmp_path / "rows.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in [*rows, bad]))
    summary = score_file(source, tmp_path / "out.jsonl", grader="number", workers=1)
    scored = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["correct"] for row in scored] == [True, False]
    assert summary.unreadable == ['line 3: expected "gold" to be a finite number, got "x"']


def test_two_boxes_are_no_number() -> None:
    assert graded(r"$\boxed{-3.2}$ or $\boxed{-3.4}$").outcome is Outcome.NO_ANSWER
