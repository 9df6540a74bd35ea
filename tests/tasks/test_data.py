"""Where questions come from."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import httpx
import pytest

from k2eval.errors import ConfigError, DataError
from k2eval.records import Note, NoteKind, Sampling
from k2eval.tasks.data import QuestionSet, checksum, load_questions
from k2eval.tasks.rows import read_rows
from k2eval.tasks.spec import TaskSpec
from k2eval.tasks.task import Item, Items, Task, load_tasks

DAMAGED = gzip.compress(b"")[:10] + b"\xff" * 20
"""A header, then a deflate block of a type that does not exist."""
ROWS = [{"id": f"q{n}", "problem": f"{n} + {n}", "answer": str(2 * n), "difficulty": n} for n in range(1, 6)]


def task(data: dict[str, Any] | None = None, **changes: Any) -> Task:
    base: dict[str, Any] = {"title": "Toy", "kind": "general", "grader": "math", "fields": {"id": "id"}}
    data = data if data is not None else {"files": ["toy/test.jsonl"], "hub": "someone/toy"}
    spec = TaskSpec(task="toy", data=data, **{**base, **changes})
    return Task("toy", "1", spec, system="", prompt="{{problem}}", sampling=Sampling(), repeats=1)


def save(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save(tmp_path / "toy" / "test.jsonl", ROWS)
    return tmp_path


@pytest.fixture(autouse=True)
def no_hub(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The hub out of reach; the arguments of each attempt."""
    attempts: list[dict[str, Any]] = []

    def unreachable(self: object, name: str, **arguments: Any) -> None:
        attempts.append({"name": name, **arguments})
        raise httpx.ConnectError("[Errno -2] Name or service not known\nsecond line")

    monkeypatch.setattr("huggingface_hub.HfApi.dataset_info", unreachable)
    monkeypatch.setattr(
        "datasets.load_dataset", lambda *a, **k: pytest.fail("went on after a failed look-up")
    )
    return attempts


def ids(result: QuestionSet) -> list[str]:
    return [question.id for question in result.questions()]


def test_a_local_file_comes_before_the_hub(folder: Path, no_hub: list[dict[str, Any]]) -> None:
    result = load_questions(task(), data=folder)
    assert (ids(result), result.source, no_hub) == (["q1", "q2", "q3", "q4", "q5"], "toy/test.jsonl", [])


def test_the_environment_names_the_folder_where_none_is_given(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("K2EVAL_DATA", str(folder))
    assert load_questions(task(), data=None).available == 5


def test_a_given_folder_wins_over_the_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("K2EVAL_DATA", str(folder / "elsewhere"))
    assert load_questions(task(), data=folder).available == 5


def test_a_compressed_file_is_found_under_its_plain_name(tmp_path: Path) -> None:
    save(tmp_path / "toy" / "test.jsonl.gz", ROWS[:2])
    result = load_questions(task(), data=tmp_path)
    assert (ids(result), result.source) == (["q1", "q2"], "toy/test.jsonl.gz")


def test_a_file_there_plain_and_compressed_is_read_once(folder: Path) -> None:
    save(folder / "toy" / "test.jsonl.gz", ROWS)
    result = load_questions(task(), data=folder)
    assert (result.available, result.source) == (5, "toy/test.jsonl")


def test_the_first_pattern_that_matches_is_the_one_read(tmp_path: Path) -> None:
    save(tmp_path / "b.jsonl", ROWS[:1])
    save(tmp_path / "c1.jsonl", ROWS[1:2])
    save(tmp_path / "c2.jsonl", ROWS[2:3])
    patterns = {"files": ["a.jsonl", "c*.jsonl", "b.jsonl"]}
    result = load_questions(task(patterns), data=tmp_path)
    assert (ids(result), result.source) == (["q2", "q3"], "c1.jsonl, c2.jsonl")


def test_rows_know_their_file(folder: Path) -> None:
    assert {row["_file"] for row in read_rows(folder / "toy" / "test.jsonl")} == {"test.jsonl"}


def test_a_data_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"missing does not exist. Give an existing one with --data or K2EVAL_DATA"
    ):
        load_questions(task(), data=tmp_path / "missing")


def test_an_unreachable_hub_is_one_line_with_dataset_and_remedy(
    monkeypatch: pytest.MonkeyPatch, no_hub: list[dict[str, Any]]
) -> None:
    monkeypatch.delenv("K2EVAL_DATA", raising=False)
    with pytest.raises(DataError) as caught:
        load_questions(task(), data=None)
    message = str(caught.value)
    assert "\n" not in message
    assert "someone/toy is out of reach (ConnectError: [Errno -2] Name or service not known)" in message
    assert "--data DIR or K2EVAL_DATA" in message
    assert [attempt["name"] for attempt in no_hub] == ["someone/toy"]


def test_the_hub_has_ten_seconds_to_answer(tmp_path: Path, no_hub: list[dict[str, Any]]) -> None:
    with pytest.raises(DataError):
        load_questions(task(), data=tmp_path)
    assert 0 < no_hub[0]["timeout"] <= 10


def test_what_was_looked_for_locally_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Looked for toy/test\.jsonl in .*/Mixed; "):
        (tmp_path / "Mixed").mkdir()
        load_questions(task(), data=tmp_path / "Mixed")


def test_a_task_without_a_dataset_on_the_hub_asks_for_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("K2EVAL_DATA", raising=False)
    with pytest.raises(
        DataError, match=r"Task toy: no questions found \(no data folder was given\)\. Give a folder"
    ):
        load_questions(task({"files": ["toy/test.jsonl"]}), data=None)


def test_rows_of_the_hub_carry_the_revision_they_came_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("K2EVAL_DATA", raising=False)
    asked: dict[str, Any] = {}

    def load(name: str, config: str | None, **arguments: Any) -> list[dict[str, Any]]:
        asked.update(arguments)
        return ROWS

    monkeypatch.setattr("datasets.load_dataset", load)
    result = load_questions(task({"hub": "someone/toy", "revision": "abc", "split": "test"}), data=None)
    assert (result.available, result.source, asked) == (
        5,
        "someone/toy@abc",
        {"split": "test", "revision": "abc"},
    )


def test_rows_in_the_hubs_cache_are_read_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("K2EVAL_DATA", raising=False)

    def unreachable(*_: object, **__: object) -> None:
        raise ConnectionError("no route to the hub")

    monkeypatch.setattr("huggingface_hub.HfApi.dataset_info", unreachable)
    monkeypatch.setattr("datasets.load_dataset", lambda *_, **__: ROWS)
    result = load_questions(task({"hub": "someone/toy", "split": "test"}), data=None)
    assert (result.available, result.source) == (5, "someone/toy@cached")


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "toy" / "test.jsonl", [])
    with pytest.raises(
        DataError, match=r"toy/test\.jsonl holds no questions that fit\. Expected at least one\."
    ):
        load_questions(task(), data=tmp_path)


@pytest.mark.parametrize("line", ['{"id": 1', "[1, 2]", "null", "plain words"])
def test_a_bad_line_names_file_and_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text('{"id": 0}\n\n' + line + "\n")
    with pytest.raises(DataError, match=r"bad\.jsonl:3: expected a JSON object, got "):
        list(read_rows(path))


@pytest.mark.parametrize(
    "content",
    [b"not gzip", gzip.compress(b"{}" * 500)[:-9], gzip.compress(b"\xff\xfe\n"), DAMAGED],
    ids=["plain", "cut", "utf8", "damaged"],
)
def test_a_broken_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.jsonl.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"Cannot read the questions in .*broken\.jsonl\.gz"):
        list(read_rows(path))


def test_a_question_without_an_answer_is_an_error_of_the_data(tmp_path: Path) -> None:
    save(tmp_path / "toy" / "test.jsonl", [*ROWS, {"id": "q6", "problem": "p", "answer": ""}])
    with pytest.raises(DataError, match=r"row 6: expected a text or number in field 'answer'"):
        load_questions(task(), data=tmp_path).questions()


@pytest.mark.parametrize(
    ("bounds", "kept"),
    [({"min": 4}, ["q4", "q5"]), ({"max": 2}, ["q1", "q2"]), ({"min": 2, "max": 2}, ["q2"])],
)
def test_rows_outside_the_bounds_are_left_out(
    folder: Path, bounds: dict[str, float], kept: list[str]
) -> None:
    assert ids(load_questions(task(where={"difficulty": bounds}), data=folder)) == kept


def test_bounds_that_keep_nothing_are_refused(folder: Path) -> None:
    with pytest.raises(DataError, match="holds no questions that fit"):
        load_questions(task(where={"difficulty": {"min": 9}}), data=folder)


def test_a_bounded_field_that_is_no_number_is_refused(folder: Path) -> None:
    with pytest.raises(DataError, match=r"Task toy: expected a number in field 'problem', got '1 \+ 1'"):
        load_questions(task(where={"problem": {"min": 9}}), data=folder)


def test_fewer_questions_than_the_benchmark_has_are_noted(folder: Path) -> None:
    assert load_questions(task(questions=173), data=folder).notes == (
        Note(kind=NoteKind.MISSING, text="5 of 173 questions"),
    )


def test_a_complete_set_needs_no_note(folder: Path) -> None:
    assert load_questions(task(questions=5), data=folder).notes == ()


def test_a_limit_keeps_the_first_and_says_so(folder: Path) -> None:
    result = load_questions(task(questions=173), data=folder, limit=2)
    assert ids(result) == ["q1", "q2"]
    assert result.available == 5
    assert result.notes == (
        Note(kind=NoteKind.MISSING, text="5 of 173 questions"),
        Note(kind=NoteKind.LIMITED, text="limited to the first 2"),
    )


def test_a_value_that_is_not_a_number_is_outside_the_bounds(tmp_path: Path) -> None:
    save(tmp_path / "toy" / "test.jsonl", [*ROWS, {**ROWS[0], "difficulty": float("nan")}])
    assert ids(load_questions(task(where={"difficulty": {"min": 5}}), data=tmp_path)) == ["q5"]


def test_a_bad_line_in_a_file_of_the_hub_is_no_unreachable_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("K2EVAL_DATA", raising=False)
    (tmp_path / "bad.jsonl").write_text("{}\nplain words\n")
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda *a, **k: str(tmp_path / "bad.jsonl"))
    with pytest.raises(DataError, match=r"^.*bad\.jsonl:2: expected a JSON object") as caught:
        load_questions(task({"hub": "someone/toy", "revision": "abc", "hub_files": ["bad.jsonl"]}), data=None)
    assert "out of reach" not in str(caught.value)


def test_a_limit_beyond_the_end_is_no_limit(folder: Path) -> None:
    assert load_questions(task(), data=folder, limit=9).notes == ()


def test_notes_of_an_adapter_that_are_bare_text_are_refused(folder: Path) -> None:
    questions = load_questions(task(adapter="tests.tasks.test_data:with_bare_note"), data=folder)
    with pytest.raises(
        ConfigError, match=r"Adapter tests.tasks.test_data:with_bare_note of task toy: .* got 'x'"
    ):
        questions.items()


def with_bare_note(rows: object, spec: object, repeat_index: int) -> Items:
    return Items([Item("q1", "1", {"problem": "1"})], ["x"])  # type: ignore[list-item]


def test_the_fingerprint_does_not_change_with_the_limit(folder: Path) -> None:
    whole, cut = (load_questions(task(), data=folder, limit=limit) for limit in (None, 2))
    assert whole.fingerprint == cut.fingerprint


@pytest.mark.parametrize("field", ["answer", "problem", "id"])
def test_the_fingerprint_changes_with_one_row(folder: Path, field: str) -> None:
    before = load_questions(task(), data=folder).fingerprint
    save(folder / "toy" / "test.jsonl", [*ROWS[:4], {**ROWS[4], field: "11"}])
    assert load_questions(task(), data=folder).fingerprint != before


def test_the_fingerprint_is_that_of_the_content_not_the_file(folder: Path, tmp_path: Path) -> None:
    before = load_questions(task(), data=folder).fingerprint
    (folder / "toy" / "test.jsonl").unlink()
    save(folder / "toy" / "test.jsonl.gz", ROWS)
    assert load_questions(task(), data=folder).fingerprint == before


def test_questions_are_rendered_once_per_run(folder: Path) -> None:
    result = load_questions(task(), data=folder)
    assert result.questions(1) is result.questions(1)


REAL = {
    "aime24": (30, []),
    "aime25": (30, []),
    "hmmt25": (30, []),
    "omni_math_hard": (45, ["45 of 173 questions"]),
    "math500": (500, []),
    "gpqa_diamond": (198, []),
}


@pytest.mark.skipif(not os.environ.get("K2EVAL_DATA"), reason="K2EVAL_DATA names no folder of real rows")
@pytest.mark.parametrize("name", REAL)
def test_the_real_rows_are_as_many_as_expected(name: str) -> None:
    result = load_questions(load_tasks([name])[0], data=None)
    questions = result.questions()
    assert (len(questions), [note.text for note in result.notes]) == REAL[name]
    assert len({question.id for question in questions}) == len(questions)
    assert all(question.gold for question in questions)


def test_a_table_with_a_header_is_read_like_json_lines(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text('\ufeffid,problem\n1,"two\nlines, one cell"\n')
    [row] = read_rows(tmp_path / "rows.csv")
    assert (row["id"], row["problem"]) == ("1", "two\nlines, one cell")


@pytest.mark.parametrize("text", ["id,problem\n1\n", "id,problem\n1,2,3\n", 'id,problem\n1,"open\n'])
def test_a_table_with_a_bad_row_is_an_error_that_names_the_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "rows.csv").write_text(text)
    with pytest.raises(DataError, match=r"rows.csv:\d: expected a row of a table"):
        list(read_rows(tmp_path / "rows.csv"))


def test_a_question_with_a_key_known_to_be_wrong_is_left_out_and_named(folder: Path) -> None:
    found = load_questions(
        task({"files": ["toy/test.jsonl"], "corrupt": {"q2": "4"}}, questions=5), data=folder
    )
    assert ids(found) == ["q1", "q3", "q4", "q5"]
    assert [note.text for note in found.notes] == [
        "4 of 5 questions",
        "left out, since their keys are known to be wrong: q2 (4)",
    ]


def test_a_question_whose_key_was_mended_is_asked(folder: Path) -> None:
    found = load_questions(task({"files": ["toy/test.jsonl"], "corrupt": {"q2": "5"}}), data=folder)
    assert "q2" in ids(found)


@pytest.mark.parametrize("questions", [None, 5])
def test_an_id_of_a_corrupt_key_that_no_question_has_is_an_error(folder: Path, questions: int | None) -> None:
    misspelt = task({"files": ["toy/test.jsonl"], "corrupt": {"q2 ": "4"}}, questions=questions)
    with pytest.raises(
        ConfigError, match=r"expected ids of questions in toy/test.jsonl \(such as q1.*got 'q2 '"
    ):
        load_questions(misspelt, data=folder, limit=1).questions()


@pytest.mark.parametrize("changes", [{"questions": 9}, {"where": {"difficulty": {"max": 3}}}])
def test_an_id_of_a_corrupt_key_that_may_be_in_other_rows_is_noted(
    folder: Path, changes: dict[str, Any]
) -> None:
    part = task({"files": ["toy/test.jsonl"], "corrupt": {"q9": "4"}}, **changes)
    notes = load_questions(part, data=folder).notes
    assert "no question has the id of a key that is known to be wrong: q9" in [note.text for note in notes]


def test_a_corrupt_key_behind_the_limit_is_no_error(folder: Path) -> None:
    found = load_questions(task({"files": ["toy/test.jsonl"], "corrupt": {"q5": "10"}}), data=folder, limit=2)
    assert ids(found) == ["q1", "q2"]


@pytest.mark.parametrize("those", [slice(None), slice(1, 2)], ids=["all", "one of them"])
def test_questions_that_were_withdrawn_are_refused_with_the_reason(folder: Path, those: slice) -> None:
    known = checksum(load_questions(task({"files": ["toy/test.jsonl"]}), data=folder).all_items[those])
    old = task({"files": ["toy/test.jsonl"], "withdrawn": {known: "take version 2"}})
    with pytest.raises(DataError, match=r"toy/test\.jsonl must not be used: take version 2"):
        load_questions(old, data=folder, limit=1).items()


def test_questions_other_than_those_checked_are_noted(folder: Path) -> None:
    known = checksum(load_questions(task({"files": ["toy/test.jsonl"]}), data=folder).all_items)
    checked = task({"files": ["toy/test.jsonl"], "checked": known})
    assert load_questions(checked, data=folder).notes == ()
    save(folder / "toy" / "test.jsonl", [{**ROWS[0], "answer": "7"}, *ROWS[1:]])
    [note] = load_questions(checked, data=folder).notes
    assert note.kind is NoteKind.QUESTIONS and "not those that k2eval was checked with" in note.text


def test_rows_are_kept_by_the_text_of_a_field(tmp_path: Path) -> None:
    rows = [{**row, "class": name} for row, name in zip(ROWS, ("gold", "revised", "uncertain"), strict=False)]
    save(tmp_path / "toy" / "test.jsonl", [*rows, ROWS[3]])
    kept = task({"files": ["toy/test.jsonl"]}, where={"class": {"among": ["gold", "revised"]}})
    assert ids(load_questions(kept, data=tmp_path)) == ["q1", "q2"]
