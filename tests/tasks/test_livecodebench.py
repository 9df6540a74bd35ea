from __future__ import annotations

import base64
import json
import os
import pickle
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from k2eval.errors import ConfigError, DataError
from k2eval.records import NoteKind
from k2eval.tasks.files import task_files
from k2eval.tasks.livecodebench import (
    ERRATA,
    FILE,
    PUBLIC_ONLY,
    RELEASE_SIZES,
    Selection,
    best_rows,
    decode_private,
    decode_tests,
    item,
    items,
    releases_of,
)
from k2eval.tasks.spec import DataSpec, TaskSpec
from k2eval.tasks.task import load_tasks

TESTS = [{"input": "1\n", "output": "2\n", "testtype": "stdin"}]


def row(**changes: Any) -> dict[str, Any]:
    return {
        "question_title": "Double",
        "question_content": "Print twice the number.\n",
        "platform": "atcoder",
        "question_id": "abc400_a",
        "contest_date": "2024-07-06T00:00:00",
        "starter_code": "",
        "difficulty": "easy",
        "public_test_cases": json.dumps(TESTS),
        "private_test_cases": "[]",
        "metadata": "{}",
    } | changes


def encoded(tests: object) -> str:
    return base64.b64encode(zlib.compress(pickle.dumps(json.dumps(tests)))).decode()


def data_rows() -> list[dict[str, Any]]:
    folder = os.environ.get("K2EVAL_DATA")
    if not folder:
        pytest.skip("K2EVAL_DATA is not set, so there are no real rows to read")
    rows: list[dict[str, Any]] = []
    for file in sorted(Path(folder, "livecodebench").glob("*.jsonl")):
        rows += [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    return rows


def test_hidden_tests_in_both_forms() -> None:
    assert decode_private(encoded(TESTS)) == TESTS
    assert decode_private(json.dumps(TESTS)) == TESTS
    assert decode_private("") == []


def test_public_tests_come_first() -> None:
    more = [{"input": "3", "output": "6", "testtype": "stdin"}]
    assert [test.input for test in decode_tests(json.dumps(TESTS), encoded(more))] == ["1\n", "3"]


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("unpickled",))


@pytest.mark.parametrize(
    "bad",
    [
        "not base64 !",
        base64.b64encode(b"not zlib").decode(),
        base64.b64encode(zlib.compress(b"not a pickle")).decode(),
        base64.b64encode(zlib.compress(pickle.dumps("not json"))).decode(),
        base64.b64encode(zlib.compress(pickle.dumps(Evil()))).decode(),
        base64.b64encode(zlib.compress(pickle.dumps("[]"))[:-8]).decode(),
        base64.b64encode(zlib.compress(b"")).decode(),
        # Would make an unpickler take 64 GiB, call a function, read what is not there, or find two texts.
        base64.b64encode(zlib.compress(b"\x80\x04\x8c\x01xr\xff\xff\xff\x7f.")).decode(),
        base64.b64encode(zlib.compress(b"cos\nsystem\n(S'exit'\ntR.")).decode(),
        base64.b64encode(zlib.compress(b"\x80\x04\x8d" + b"\xff" * 6 + b"\0\0")).decode(),
        base64.b64encode(zlib.compress(pickle.dumps(["[]", "[]"]))).decode(),
        base64.b64encode(zlib.compress(pickle.dumps("[" * 100_000))).decode(),
        "[1, 2",
    ],
)
def test_anything_else_is_refused(bad: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DataError, match="private_test_cases"):
        decode_private(bad)
    assert capsys.readouterr().out == ""


def test_a_question_without_any_test_is_refused() -> None:
    with pytest.raises(DataError, match="no test at all"):
        decode_tests("[]", "[]")


def test_a_test_without_output_is_refused() -> None:
    with pytest.raises(DataError, match="input, output and testtype"):
        decode_tests(json.dumps([{"input": "1"}]), "[]")


def test_the_row_with_hidden_tests_is_taken_whatever_the_order() -> None:
    bare, full = row(), row(private_test_cases=encoded(TESTS))
    assert best_rows([bare, full]) == best_rows([full, bare]) == [full]


def spec(**options: Any) -> TaskSpec:
    return TaskSpec(task="t", title="t", kind="code", grader="code", data=DataSpec(), options=options)


def ids(rows: list[dict[str, Any]], **options: Any) -> list[str]:
    return [result.id for result in items(rows, spec(**options), 0).items]


def test_the_item_tells_what_results_break_down_by() -> None:
    assert item(row(private_test_cases=encoded(TESTS))).tags == {
        "difficulty": "easy",
        "platform": "atcoder",
        "month": "2024-07",
        "tests": "hidden",
    }
    assert item(row()).tags["tests"] == PUBLIC_ONLY


def test_notes_count_questions_without_hidden_tests_and_with_known_faults() -> None:
    rows = [row(), row(question_id="abc337_e", private_test_cases=encoded(TESTS))]
    notes = items(rows, spec(parity="official"), 0).notes
    assert [note.text.split()[0] for note in notes] == ["1", "1", "programs"]
    assert [note.kind for note in notes] == [NoteKind.MISSING, NoteKind.QUESTIONS, NoteKind.GRADING]


def test_an_unknown_parity_is_an_error() -> None:
    with pytest.raises(ConfigError, match="parity should be official"):
        items([row()], spec(parity="offical"), 0)


def test_the_prompt_asks_for_standard_input_or_for_the_starter_code() -> None:
    [task] = load_tasks(["livecodebench"])
    program = task.ask(item(row())).messages[-1].content
    assert "Print twice the number." in program
    assert program.endswith("```python\n# your program\n```")
    method = task.ask(item(row(starter_code="class Solution:\n    def f(self):"))).messages[-1].content
    assert method.endswith("```python\nclass Solution:\n    def f(self):\n```")
    assert "standard input" not in method


def test_known_errata_are_flagged() -> None:
    assert "interactive" in item(row(question_id="abc337_e")).metadata["erratum"]
    assert item(row()).metadata == {}
    assert len(ERRATA) == 17


def test_a_window_is_inclusive_at_both_ends() -> None:
    rows = [row(question_id=f"q{day}", contest_date=f"2024-07-{day:02}T19:30:00") for day in (1, 2, 3, 4)]
    assert ids(rows, **{"from": "2024-07-02", "until": "2024-07-03"}) == ["q2", "q3"]


def test_a_date_that_is_none_is_an_error() -> None:
    with pytest.raises(ConfigError, match="from should be a date"):
        ids([row()], **{"from": "July"})


def test_january_2025_lies_in_two_releases() -> None:
    assert releases_of(row(question_id="3702", contest_date="2025-01-04T18:30:00")) == {"v5"}
    assert releases_of(row(question_id="abc387_a", contest_date="2025-01-04T00:00:00")) == {"v6"}
    assert releases_of(row(question_id="arc190_a", contest_date="2025-01-12T00:00:00")) == {"v6"}


def test_a_file_of_the_hub_tells_the_release() -> None:
    assert releases_of(row(**{FILE: "data/test3.jsonl"})) == {"v3"}
    assert Selection("v3").holds(row(**{FILE: "test3.jsonl"}))


def test_a_release_that_cannot_be_told_is_an_error() -> None:
    with pytest.raises(DataError, match="release v3 or v4"):
        Selection("v3").holds(row())
    assert Selection("v4").holds(row())
    assert not Selection("v2").holds(row())


def test_an_unknown_release_is_an_error() -> None:
    with pytest.raises(ConfigError, match="no release 'v9'"):
        Selection("v9")


def test_a_row_of_another_data_set_is_an_error() -> None:
    with pytest.raises(DataError, match="ISO date"):
        Selection().holds(row(contest_date="yesterday"))


def test_rows_of_another_data_set_are_refused() -> None:
    with pytest.raises(DataError, match="should have question_id and question_content"):
        ids([{"problem": "1 + 1"}])
    with pytest.raises(DataError, match="metadata should be a JSON object"):
        ids([row(metadata="[]")])


def test_tests_may_come_as_lists() -> None:
    result = item(row(public_test_cases=TESTS, private_test_cases=TESTS, metadata={}))
    assert result.tags["tests"] == "hidden"
    assert len(decode_tests(result.gold["public"], result.gold["private"])) == 2
    assert item(row(private_test_cases=None, metadata=None)).tags["tests"] == PUBLIC_ONLY


@pytest.mark.parametrize(("release", "size"), [known for known in RELEASE_SIZES.items() if known[0] != "v3"])
def test_releases_have_their_published_sizes(release: str, size: int) -> None:
    assert len(ids(data_rows(), release=release)) == size


@pytest.mark.parametrize(
    ("release", "since", "until", "size"),
    [
        ("v5", "2024-07-01", "2024-12-31", 315),
        ("v5", "2024-10-01", None, 166),
        ("v6", "2025-02-01", None, 131),
    ],
)
def test_windows_have_their_published_sizes(release: str, since: str, until: str | None, size: int) -> None:
    assert len(ids(data_rows(), **{"release": release, "from": since, "until": until})) == size


@pytest.mark.parametrize(("release", "size"), [("v5", 167), ("v6", 175)])
def test_what_a_release_added(release: str, size: int) -> None:
    assert len(ids(data_rows(), release=release, added=True)) == size


@pytest.mark.parametrize("name", [name for name in task_files() if "livecodebench_" in name])
def test_every_variant_finds_as_many_questions_as_it_says(name: str) -> None:
    [task] = load_tasks([name])
    if name == "livecodebench_release_v3":
        pytest.skip("the local rows do not tell release v3 from v4")
    result = task.adapter()(data_rows(), task.spec, 0)
    assert len(result.items) == task.spec.questions


def test_all_real_rows_can_be_decoded() -> None:
    every, notes = items(data_rows(), spec(), 0)
    assert Counter(result.tags["tests"] for result in every) == {"hidden": 103, PUBLIC_ONLY: 952}
    assert notes[0].text.startswith("952 questions have public tests only")
    for result in every:
        if result.id != "abc350_c":
            assert decode_tests(result.gold["public"], result.gold["private"])
    assert sum("erratum" in result.metadata for result in every) == 17
