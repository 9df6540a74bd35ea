from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from k2eval.errors import JournalError
from k2eval.journal import read_run, read_verdicts
from k2eval.leaderboard import load_run, load_runs
from k2eval.records import Outcome
from tests.leaderboard.synthetic import verdict, verdicts, write_run


def test_scores_stand_by_question_and_run(tmp_path: Path) -> None:
    run = load_run(write_run(tmp_path / "a", {"t": [[1, 0], [0.5, 1]]}))
    assert run.tasks["t"].questions == ("t-0", "t-1")
    assert run.tasks["t"].scores.tolist() == [[1, 0], [0.5, 1]]
    assert run.tasks["t"].output_tokens.tolist() == [[100, 100], [100, 100]]


def test_the_last_verdict_on_a_sample_counts(tmp_path: Path) -> None:
    lines = [verdict("t", "q", 0, Outcome.ENGINE_ERROR), verdict("t", "q", 0, 1.0)]
    task = load_run(write_run(tmp_path / "a", {"t": [[1]]}, lines=lines)).tasks["t"]
    assert task.scores.tolist() == [[1.0]]
    assert task.failed == 0


def test_infrastructure_failures_have_no_score(tmp_path: Path) -> None:
    task = load_run(write_run(tmp_path / "a", {"t": [[1, Outcome.GRADER_ERROR]]})).tasks["t"]
    assert np.isnan(task.scores[0, 1])
    assert (task.failed, task.graded) == (1, 1)


def test_truncated_and_missing_answers_are_wrong_and_counted(tmp_path: Path) -> None:
    task = load_run(write_run(tmp_path / "a", {"t": [[Outcome.TRUNCATED, Outcome.NO_ANSWER, 1]]})).tasks["t"]
    assert task.scores.tolist() == [[0, 0, 1]]
    assert (task.count(Outcome.TRUNCATED), task.count(Outcome.NO_ANSWER)) == (1, 1)


def test_samples_without_verdict_are_neither_scored_nor_failed(tmp_path: Path) -> None:
    lines = verdicts({"t": [[1, 1], [0, 1]]})[:3]
    task = load_run(write_run(tmp_path / "a", {"t": [[1, 1], [0, 1]]}, lines=lines)).tasks["t"]
    assert (task.graded, task.failed) == (3, 0)


def test_a_torn_last_line_is_left_out_with_a_warning(tmp_path: Path) -> None:
    path = write_run(tmp_path / "a", {"t": [[1, 0]]}) / "verdicts.jsonl"
    path.write_bytes(path.read_bytes() + b'{"task": "t", "quest')
    run = load_run(path.parent)
    assert run.tasks["t"].graded == 2
    assert "torn" in run.warnings[0]


@pytest.mark.parametrize("change", [{"unknown": 1}, {"finish_reason": "nonsense"}, {"notes": 3}])
def test_a_last_line_counts_for_tables_if_it_counts_for_every_reader(
    tmp_path: Path, change: dict[str, object]
) -> None:
    folder = write_run(tmp_path / "a", {"t": [[1, 0]]})
    path = folder / "verdicts.jsonl"
    forged = json.loads(path.read_text().splitlines()[1]) | {"outcome": "correct", "score": 1.0} | change
    path.write_text(path.read_text() + json.dumps(forged))
    assert len(list(read_verdicts(folder, read_run(folder)))) == 2
    run = load_run(folder)
    assert run.tasks["t"].scores.tolist() == [[1, 0]]
    assert "torn" in run.warnings[0]


@pytest.mark.parametrize("content", ["null\n", "null\nnull\n", "1\n", '"a"\n', "{}\n"])
def test_a_journal_without_any_verdict_is_an_error_and_not_the_end_of_the_process(
    tmp_path: Path, content: str
) -> None:
    folder = write_run(tmp_path / "a", {"t": [[1, 0]]})
    (folder / "verdicts.jsonl").write_text(content)
    code = (
        f"from pathlib import Path; from k2eval.leaderboard import load_run; load_run(Path({str(folder)!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "JournalError" in done.stderr, done


@pytest.mark.parametrize("between", ["\r", " ", ""])
def test_two_verdicts_on_one_line_are_refused(tmp_path: Path, between: str) -> None:
    path = write_run(tmp_path / "a", {"t": [[1, 0]]}) / "verdicts.jsonl"
    first, second = path.read_text().splitlines()
    path.write_text(first + between + second + "\n")
    with pytest.raises(JournalError, match=r"verdicts\.jsonl:1"):
        load_run(path.parent)


def test_a_last_line_without_newline_counts_if_it_is_whole(tmp_path: Path) -> None:
    path = write_run(tmp_path / "a", {"t": [[1, 0]]}) / "verdicts.jsonl"
    path.write_bytes(path.read_bytes().rstrip())
    run = load_run(path.parent)
    assert run.tasks["t"].graded == 2
    assert not run.warnings


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        "7",
        '{"task": "t"}',
        '{"task": "t", "question_id": "q", "repeat_index": "0", "outcome": "correct", "score": 1.0}',
        '{"task": "t", "question_id": "q", "repeat_index": 0, "outcome": "splendid", "score": 1.0}',
        '{"task": "t", "question_id": "q", "repeat_index": -1, "outcome": "correct", "score": 1.0}',
        '{"task": "t", "question_id": "q", "repeat_index": 0, "outcome": "correct", "score": "1"}',
    ],
)
def test_a_bad_line_is_an_error_with_its_number(tmp_path: Path, line: str) -> None:
    path = write_run(tmp_path / "a", {"t": [[1, 0]]}) / "verdicts.jsonl"
    good = path.read_text().splitlines()
    path.write_text("\n".join([good[0], "", line, good[1]]) + "\n")
    with pytest.raises(JournalError, match=r"verdicts\.jsonl:3: expected a verdict"):
        load_run(path.parent)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"weight": 2}, r"unknown field weight; if a newer k2eval wrote it, update k2eval, which is 0\."),
        ({"run_index": 0}, "unknown field run_index"),
        ({"grader": None}, "grader"),
    ],
)
@pytest.mark.parametrize("text", ["7", "\ud800"], ids=["plain", "surrogate"])
def test_a_line_with_other_fields_than_a_verdict_is_refused_by_every_reader(
    tmp_path: Path, change: dict[str, object], words: str, text: str
) -> None:
    lines = [verdict("t", f"t-{number}", 0, 1, extracted=text) for number in range(3)]
    folder = write_run(tmp_path / "a", {"t": [[1], [1], [1]]}, lines=lines)
    path = folder / "verdicts.jsonl"
    first, second, third = (json.loads(line) for line in path.read_text().splitlines())
    changed = {name: value for name, value in (second | change).items() if value is not None}
    path.write_text("".join(json.dumps(line) + "\n" for line in (first, changed, third)))
    for read in (load_run, lambda folder: list(read_verdicts(folder, read_run(folder)))):
        with pytest.raises(JournalError, match=rf"verdicts\.jsonl:2: .*{words}"):
            read(folder)


def test_lines_of_0_1_0_are_read(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "a", {"t": [[1, 0]]})
    path = folder / "verdicts.jsonl"
    path.write_text(path.read_text().replace('"repeat_index"', '"run_index"'))
    assert load_run(folder).tasks["t"].scores.tolist() == [[1, 0]]


def test_unpaired_surrogates_in_answers_do_not_stop_the_table(tmp_path: Path) -> None:
    lines = [verdict("t", "q", 0, 0.0, extracted="\ud800"), verdict("t", "q", 1, 1.0)]
    task = load_run(write_run(tmp_path / "a", {"t": [[0, 1]]}, lines=lines)).tasks["t"]
    assert task.scores.tolist() == [[0, 1]]


def test_lines_of_any_length_are_read(tmp_path: Path) -> None:
    lines = [verdict("t", "q", index, 1.0, detail={"reason": "x" * 3_000_000}) for index in range(2)]
    assert load_run(write_run(tmp_path / "a", {"t": [[1, 1]]}, lines=lines)).tasks["t"].graded == 2


def test_long_journals_are_read_in_parts_and_in_order(tmp_path: Path) -> None:
    scores = [[float((question + run) % 3 == 0) for run in range(16)] for question in range(1000)]
    path = write_run(tmp_path / "a", {"t": scores, "u": [[1.0]]})
    assert (path / "verdicts.jsonl").stat().st_size > 2_200_000
    task = load_run(path).tasks["t"]
    assert task.scores.tolist() == scores
    assert task.questions[999] == "t-999"


def test_generations_are_never_read(tmp_path: Path) -> None:
    path = write_run(tmp_path / "a", {"t": [[1]]})
    (path / "generations.jsonl").mkdir()  # reading a directory would fail
    assert load_run(path).tasks["t"].graded == 1


def test_a_run_without_verdicts_yet_is_empty(tmp_path: Path) -> None:
    path = write_run(tmp_path / "a", {"t": [[1]]})
    (path / "verdicts.jsonl").unlink()
    assert load_run(path).tasks["t"].graded == 0


def test_verdicts_of_another_run_are_refused(tmp_path: Path) -> None:
    path = write_run(tmp_path / "a", {"t": [[1]]}, lines=[verdict("other", "q", 0, 1.0)])
    with pytest.raises(
        JournalError, match=r"verdicts\.jsonl:[0-9]+: expected verdicts on .*got one on 'other'"
    ):
        load_run(path)


def test_a_directory_that_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=r"is not a run directory: it has no run\.json"):
        load_run(tmp_path)


def test_a_foreign_run_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"name": "x", "recipe": "plain"}))
    with pytest.raises(JournalError, match=r"run\.json: expected format 2, got None"):
        load_run(tmp_path)


def test_runs_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    paths = [write_run(tmp_path / parent / "plain", {"t": [[1]]}) for parent in ("sft", "rl")]
    other = write_run(tmp_path / "k2", {"t": [[1]]})
    assert [run.info.name for run in load_runs([*paths, other])] == ["sft/plain", "rl/plain", "k2"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"score": 7.0}, "expected the score 1 for the outcome correct, got 7.0|from 0 to 1"),
        ({"score": None}, "from 0 to 1 for the outcome correct"),
        ({"score": 0.0}, "expected the score 1 for the outcome correct"),
        ({"outcome": "engine_error"}, "expected no score for the outcome engine_error"),
        ({"repeat_index": 99_999_999}, "expected a repeat_index from 0 to 1, got 99999999"),
        ({"question_id": "another"}, "expected verdicts on 1 questions, got one on yet another"),
    ],
)
def test_a_verdict_that_cannot_be_is_refused(tmp_path: Path, change: dict[str, object], words: str) -> None:
    path = write_run(tmp_path / "a", {"t": [[1, 1]]}) / "verdicts.jsonl"
    line = json.loads(path.read_text().splitlines()[0]) | change
    path.write_text(path.read_text() + json.dumps(line) + "\n")
    with pytest.raises(JournalError, match=words):
        load_run(path.parent)


def test_repeats_that_no_verdicts_justify_take_no_memory(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "a", {"t": [[1, 1]]}, infos={"t": {"repeats": 2_000_000_000}})
    with pytest.raises(JournalError, match="2000000000 repeats"):
        load_run(folder)


def test_a_run_of_0_1_0_that_names_other_questions_than_it_asked_says_so(tmp_path: Path) -> None:
    """k2eval 0.1.0 named the first questions of a task, whichever lm-eval had asked."""
    hashes = {"t-0": "aa", "t-1": "bb", "other": "cc"}
    path = write_run(tmp_path / "run", {"t": [[1.0]] * 3}, infos={"t": {"hashes": hashes}}, k2eval="0.1.0")
    [note] = load_run(path).tasks["t"].info.notes
    assert note.text.startswith("1 of 3 questions with verdicts are not those that run.json names")
