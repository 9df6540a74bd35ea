"""Verdicts are checked against the run they are in."""

import json
from pathlib import Path
from typing import Any

import pytest

from k2eval.errors import JournalError
from k2eval.journal import VERDICTS, RunRecord, read_verdicts
from k2eval.records import Outcome, Verdict
from tests.run_records import run_record, task_record

RUN = run_record({"t": task_record(questions=2, repeats=3)})
SOUND: dict[str, Any] = {
    "task": "t", "question_id": "q", "repeat_index": 2, "outcome": "wrong", "score": 0.0, "grader": "math/1",
}  # fmt: skip


def read(folder: Path, *lines: dict[str, Any], run: RunRecord | None = RUN) -> list[Verdict]:
    (folder / VERDICTS).write_text("".join(json.dumps(line) + "\n" for line in lines))
    return list(read_verdicts(folder, run))


def refusal(folder: Path, *lines: dict[str, Any], run: RunRecord | None = RUN) -> str:
    with pytest.raises(JournalError) as refused:
        read(folder, *lines, run=run)
    return str(refused.value)


def test_sound_verdicts_are_read_in_order(tmp_path: Path) -> None:
    verdicts = read(tmp_path, SOUND, SOUND | {"repeat_index": 0, "outcome": "correct", "score": 1.0})
    assert [verdict.repeat_index for verdict in verdicts] == [2, 0]


@pytest.mark.parametrize("index", [3, 99_999_999])
def test_a_repeat_that_the_run_does_not_have_is_refused(tmp_path: Path, index: int) -> None:
    words = refusal(tmp_path, SOUND, SOUND | {"repeat_index": index})
    assert f"{VERDICTS}:2: expected a repeat_index from 0 to 2, got {index}" in words


def test_a_question_too_many_is_refused(tmp_path: Path) -> None:
    words = refusal(tmp_path, *(SOUND | {"question_id": name} for name in "abc"))
    assert f"{VERDICTS}:3: expected verdicts on 2 questions, got one on yet another" in words


def test_a_question_that_the_run_does_not_have_is_refused(tmp_path: Path) -> None:
    run = run_record({"t": task_record(questions=2, repeats=3, hashes={"q": "f1", "r": "f2"})})
    assert f"{VERDICTS}:2: expected a question of the run, got one with the id 's'" in refusal(
        tmp_path, SOUND, SOUND | {"question_id": "s"}, run=run
    )
    assert len(read(tmp_path, SOUND, SOUND | {"question_id": "r"}, run=run)) == 2


def test_another_task_is_refused(tmp_path: Path) -> None:
    assert "expected verdicts on t (the tasks of run.json), got one on 'u'" in refusal(
        tmp_path, SOUND | {"task": "u"}
    )


def test_verdicts_without_a_run_are_refused(tmp_path: Path) -> None:
    assert "expected verdicts on no task" in refusal(tmp_path, SOUND, run=None)


@pytest.mark.parametrize(
    ("outcome", "score"),
    [
        ("correct", 0.0),
        ("correct", 0.5),
        ("correct", None),
        ("wrong", 1.0),
        ("wrong", None),
        ("wrong", 7),
        ("wrong", -0.5),
        ("wrong", float("nan")),
        ("wrong", float("inf")),
        ("wrong", "0"),
        ("wrong", True),
        ("engine_error", 0.0),
        ("unheard_of", 0.0),
    ],
)
def test_a_score_that_its_outcome_does_not_allow_is_refused(
    tmp_path: Path, outcome: str, score: float | str | None
) -> None:
    words = refusal(tmp_path, SOUND | {"outcome": outcome, "score": score})
    assert f"{VERDICTS}:1: expected a verdict of k2eval" in words


@pytest.mark.parametrize(
    ("outcome", "score"), [("correct", 1), ("wrong", 0.25), ("truncated", 0), ("grader_error", None)]
)
def test_a_score_that_its_outcome_allows_is_read(tmp_path: Path, outcome: str, score: float | None) -> None:
    [verdict] = read(tmp_path, SOUND | {"outcome": outcome, "score": score})
    assert (verdict.outcome, verdict.score) == (Outcome(outcome), score)


def test_deeply_nested_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / VERDICTS).write_text('{"task": ' + "[" * 100_000 + "\n")
    with pytest.raises(JournalError, match=f"{VERDICTS}:1"):
        list(read_verdicts(tmp_path, RUN))
