"""A run directory as an object."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import k2eval
from tests.api.support import settings

NANO = Path(__file__).parents[2] / "leaderboards" / "nano"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> k2eval.Run:
    return k2eval.evaluate(**settings(tmp_path_factory.mktemp("runs") / "run"))


def test_a_score_has_its_interval_and_its_denominators(run: k2eval.Run) -> None:
    [row] = run.scores.to_dict("records")
    assert row["score"] == pytest.approx(100 / 3)
    assert 0 <= row["low"] < row["score"] < row["high"] <= 100
    assert (row["questions"], row["expected_questions"], row["k"], row["samples"]) == (3, 52, 2, 6)


def test_the_columns_of_a_task_are_not_those_of_its_steps() -> None:
    scores = k2eval.load_run(NANO / "rl-plain").scores
    assert {"nano_math", "nano_science", "nano_science_sub"} <= set(scores.index)
    assert not [column for column in scores.columns if column.startswith(("sub", "nano"))]
    assert scores["score"]["nano_science_sub"] > scores["score"]["nano_science"]


def test_a_verdict_is_a_row(run: k2eval.Run) -> None:
    verdicts = run.verdicts()
    assert list(verdicts.columns) == list(k2eval.Verdict.model_fields)
    assert verdicts.groupby("outcome").size().to_dict() == {"correct": 2, "wrong": 4}


def test_the_last_verdict_on_a_sample_counts(run: k2eval.Run, tmp_path: Path) -> None:
    shutil.copytree(run.folder, tmp_path / "run")
    with (tmp_path / "run" / "verdicts.jsonl").open("r+") as file:
        changed = {**json.loads(file.readline()), "outcome": "no_answer"}
        file.seek(0, 2)
        file.write(json.dumps(changed) + "\n")
    verdicts = k2eval.load_run(tmp_path / "run").verdicts()
    assert len(verdicts) == 6
    assert (verdicts.outcome == "no_answer").sum() == 1


def test_a_response_is_found_by_its_sample(run: k2eval.Run) -> None:
    response = run.responses["smoke", "smoke-02", 1]
    assert response.text == r"\boxed{3}"
    assert response.verdict.outcome == "correct"
    assert len(run.responses) == 6


def test_a_sample_that_was_not_made_is_a_key_error(run: k2eval.Run) -> None:
    with pytest.raises(KeyError):
        run.responses["smoke", "smoke-02", 2]


def generation(stage: str, text: str, key: str) -> k2eval.Generation:
    return k2eval.Generation(
        key=key, task="t", question_id="q", repeat_index=0, stage=stage, text=text, finish_reason="stop",
        prefill="<think>", prompt_tokens=1, output_tokens=1, duration_s=0.1, seed=0,
    )  # fmt: skip


def test_the_text_of_a_response_in_steps_is_that_of_all_its_steps() -> None:
    verdict = k2eval.Verdict(
        task="t", question_id="q", repeat_index=0, outcome=k2eval.Outcome.CORRECT, score=1.0, grader="scicode/1",
        selected="b", generations=("a", "b", "c"), notes={"steps": [1, 2]},
    )  # fmt: skip
    generations = (
        generation("solve.10", "last", "a"),
        generation("solve.2", "first", "b"),
        generation("solve-1.2", "of another candidate", "c"),
    )
    response = k2eval.StoredResponse(verdict, generations)
    assert response.text == "<think>first\n\n<think>last"


def test_a_response_without_generations_has_no_text() -> None:
    run = k2eval.load_run(NANO / "rl-plain")  # committed without its generations
    assert {run.responses[key].text for key in list(run.responses)[:3]} == {""}


def test_the_record_is_typed(run: k2eval.Run) -> None:
    assert isinstance(run.record, k2eval.RunRecord)
    assert run.record.tasks["smoke"].repeats == 2


def test_a_run_shows_itself_in_a_terminal(run: k2eval.Run) -> None:
    assert "run: knows-one, recipe plain, seed 0\n" in repr(run)
    assert "33.3" in repr(run)


def test_a_run_shows_itself_in_a_notebook(run: k2eval.Run) -> None:
    page = run._repr_html_()
    assert "<b>run: knows-one, recipe plain, seed 0</b>" in page
    assert "3 of 52" in page
    assert ">Run<" not in page  # the column with its name says nothing more


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(k2eval.JournalError, match="is not a run directory"):
        k2eval.load_run(tmp_path)
