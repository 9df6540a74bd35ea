import json
from pathlib import Path
from typing import Any

import pytest

from k2eval.errors import ConfigError, DataError
from k2eval.grading.score import ScoreSummary, score_file
from k2eval.records import Outcome, Question
from tests.grading.conftest import make_question


def score(folder: Path, lines: list[Any], **how: Any) -> tuple[ScoreSummary, list[dict[str, Any]]]:
    """Grade ``lines``, JSON values or raw text, with one worker."""
    responses = folder / "responses.jsonl"
    responses.write_text(
        "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    )
    summary = score_file(responses, folder / "out" / "verdicts.jsonl", workers=1, **how)
    return summary, [json.loads(line) for line in summary.out.read_text().splitlines()]


def questions(question_id: str, repeat_index: int = 0) -> Question:
    if question_id != "q1":
        raise DataError(f"there is no question {question_id!r}")
    return make_question("AB"[repeat_index], options=("x", "y"))


def test_rows_with_their_gold_are_graded_in_order(tmp_path: Path) -> None:
    rows = [{"gold": str(index), "response": rf"\boxed{{{index % 5}}}", "tag": index} for index in range(50)]
    summary, verdicts = score(tmp_path, rows, grader="math")
    assert [verdict["tag"] for verdict in verdicts] == list(range(50))
    assert [verdict["correct"] for verdict in verdicts] == [index < 5 for index in range(50)]
    assert (summary.graded, summary.correct, summary.unreadable) == (50, 5, [])


def test_a_row_gains_its_verdict_and_keeps_its_fields(tmp_path: Path) -> None:
    _, [verdict] = score(
        tmp_path, [{"gold": "7", "response": r"\boxed{7.0}", "model": "a", "n": [1]}], grader="math"
    )
    assert verdict == {"gold": "7", "response": r"\boxed{7.0}", "model": "a", "n": [1],
                       "correct": True, "outcome": "correct", "extracted": "7.0"}  # fmt: skip


@pytest.mark.parametrize("gold", ["B", "b", 1, "two", "2"])
def test_the_gold_of_a_choice_is_a_letter_an_index_or_a_text(gold: str | int, tmp_path: Path) -> None:
    options = ["one", "two", "three"] if gold != "2" else ["1", "2", "3"]
    _, [verdict] = score(
        tmp_path, [{"gold": gold, "response": "Answer: B", "options": options}], grader="choice"
    )
    assert verdict["correct"] is True


@pytest.mark.parametrize("gold", ["E", 3, "four", -1, None, True])
def test_a_gold_that_is_no_option_is_reported(gold: Any, tmp_path: Path) -> None:
    row = {"gold": gold, "response": "Answer: B", "options": ["one", "two", "three"]}
    summary, verdicts = score(tmp_path, [row], grader="choice")
    assert verdicts == [] and "line 1" in summary.unreadable[0] and "gold" in summary.unreadable[0]


def test_rows_of_a_task_are_graded_by_question_and_run_index(tmp_path: Path) -> None:
    rows = [
        {"question_id": "q1", "response": "Answer: A"},
        {"question_id": "q1", "repeat_index": 1, "response": "Answer: A"},
    ]
    _, verdicts = score(tmp_path, rows, questions=questions)
    assert [verdict["correct"] for verdict in verdicts] == [True, False]


def test_an_unknown_grader_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="math"):
        score_file(tmp_path / "none", tmp_path / "out", grader="mth")


@pytest.mark.parametrize(
    "line",
    ["{torn", "[1]", '"text"', '{"response": "x"}', '{"gold": "7"}', '{"gold": "7", "response": null}',
     '{"gold": "", "response": "x"}',
     '{"gold": {}, "response": "x"}', '{"gold": NaN, "response": "x"}', "[" * 100_000],
)  # fmt: skip
def test_an_unreadable_row_is_reported_by_line_and_the_others_kept(line: str, tmp_path: Path) -> None:
    good = {"gold": "7", "response": r"\boxed{7}"}
    summary, verdicts = score(tmp_path, [good, "", line, good], grader="math")
    assert len(summary.unreadable) == 1 and summary.unreadable[0].startswith("line 3: ")
    assert [verdict["correct"] for verdict in verdicts] == [True, True]


def test_an_unknown_question_is_reported_by_line(tmp_path: Path) -> None:
    summary, _ = score(tmp_path, [{"question_id": "q2", "response": "x"}], questions=questions)
    assert summary.unreadable == ["line 1: there is no question 'q2'"]


def test_a_row_in_another_encoding_is_reported(tmp_path: Path) -> None:
    responses = tmp_path / "responses.jsonl"
    responses.write_bytes(b'{"gold": "7", "response": "\xff"}\n')
    assert (
        score_file(responses, tmp_path / "out", grader="math", workers=1).unreadable[0].startswith("line 1")
    )


def test_surrogates_and_nul_bytes_survive(tmp_path: Path) -> None:
    row = {"gold": "7", "response": "\ud800\0 \\boxed{7}"}
    _, [verdict] = score(tmp_path, [row], grader="math")
    assert verdict["response"] == row["response"] and verdict["correct"]


def test_a_cut_response_is_truncated(tmp_path: Path) -> None:
    row = {"gold": "7", "response": "The answer is 7", "finish_reason": "length"}
    _, [verdict] = score(tmp_path, [row], grader="math")
    assert (verdict["correct"], verdict["outcome"]) == (False, "truncated")


def test_what_we_fail_to_grade_is_not_wrong(tmp_path: Path) -> None:
    def unknown(question_id: str, repeat_index: int) -> Question:
        return make_question("x", grader="tests.grading.rogue")

    rows = [{"question_id": "q1", "response": "raise"}, {"question_id": "q1", "response": "x"}]
    summary, verdicts = score(tmp_path, rows, questions=unknown)
    assert (verdicts[0]["correct"], verdicts[0]["outcome"]) == (None, Outcome.GRADER_ERROR)
    assert (summary.graded, summary.correct, summary.infrastructure) == (1, 1, 1)
    assert "not counted as wrong" in str(summary)


def test_code_is_graded_as_it_is(tmp_path: Path) -> None:
    def echo(question_id: str, repeat_index: int) -> Question:
        return make_question("print(1)", grader="tests.grading.rogue")

    _, [verdict] = score(tmp_path, [{"question_id": "q1", "code": "print(1)"}], questions=echo)
    assert verdict["correct"] is True


def test_a_missing_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.jsonl"):
        score_file(tmp_path / "none.jsonl", tmp_path / "out", grader="math", workers=1)


def test_an_output_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "responses.jsonl").write_text("")
    with pytest.raises(DataError, match="Cannot write"):
        score_file(tmp_path / "responses.jsonl", tmp_path / "file" / "out", grader="math", workers=1)


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "out").mkdir()
    out = tmp_path / "out" / "verdicts.jsonl"
    out.write_text("before\n")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DataError, match="No space left"):
        score(tmp_path, [{"gold": "7", "response": "x"}], grader="math")
    assert out.read_text() == "before\n" and list(out.parent.iterdir()) == [out]


def test_neither_grader_nor_questions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="either"):
        score_file(tmp_path, tmp_path)


def test_the_file_of_responses_is_never_its_own_output(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"gold": "1", "response": "1"}\n')
    (tmp_path / "link.jsonl").symlink_to(path)
    with pytest.raises(ConfigError, match="nothing was changed"):
        score_file(path, tmp_path / "link.jsonl", grader="math")
    assert path.read_text() == '{"gold": "1", "response": "1"}\n'
