from __future__ import annotations

import base64
import json
import os
import pickle
import zlib
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from k2eval.errors import ConfigError, DataError
from k2eval.livecodebench import (
    ERRATA,
    FILE,
    RELEASE_SIZES,
    Selection,
    best_rows,
    decode_private,
    decode_tests,
    public_only,
    question,
    questions,
    releases_of,
)

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


def test_the_question_tells_what_results_break_down_by() -> None:
    asked = question(row(private_test_cases=encoded(TESTS)), "livecodebench_v5")
    assert asked.tags == {
        "difficulty": "easy",
        "platform": "atcoder",
        "month": "2024-07",
        "release": "v3/v4",
        "tests": "hidden",
    }
    assert public_only([asked, question(row(), "livecodebench_v5")]) == 1


def test_the_prompt_asks_for_standard_input_or_for_the_starter_code() -> None:
    program = question(row(), "t").messages[0].content
    assert "Print twice the number." in program
    assert "standard input" in program
    method = question(row(starter_code="class Solution:\n    def f(self):"), "t").messages[0].content
    assert "```python\nclass Solution:\n    def f(self):\n```" in method
    assert "standard input" not in method


def test_known_errata_are_flagged() -> None:
    assert "interactive" in question(row(question_id="abc337_e"), "t").metadata["erratum"]
    assert question(row(), "t").metadata == {}
    assert len(ERRATA) == 17


def test_a_window_is_inclusive_at_both_ends() -> None:
    rows = [row(question_id=f"q{day}", contest_date=f"2024-07-{day:02}T19:30:00") for day in (1, 2, 3, 4)]
    window = Selection("v6", since=date(2024, 7, 2), until=date(2024, 7, 3))
    assert [asked.id for asked in questions(rows, "t", window)] == ["q2", "q3"]


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


@pytest.mark.parametrize(("release", "size"), [item for item in RELEASE_SIZES.items() if item[0] != "v3"])
def test_releases_have_their_published_sizes(release: str, size: int) -> None:
    assert len(questions(data_rows(), "t", Selection(release))) == size


@pytest.mark.parametrize(
    ("selection", "size"),
    [
        (Selection("v5", since=date(2024, 7, 1)), 322),
        (Selection("v5", since=date(2024, 7, 1), until=date(2024, 12, 31)), 315),
        (Selection("v5", since=date(2024, 8, 1)), 279),
        (Selection("v5", since=date(2024, 10, 1)), 166),
        (Selection("v6", since=date(2024, 8, 1)), 454),
        (Selection("v6", since=date(2025, 2, 1)), 131),
        (Selection("v6", added=True), 175),
        (Selection("v5", added=True), 167),
    ],
)
def test_windows_have_their_published_sizes(selection: Selection, size: int) -> None:
    assert len(questions(data_rows(), "t", selection)) == size


def test_all_real_rows_can_be_decoded() -> None:
    every = questions(data_rows(), "t", Selection())
    counts = Counter(asked.tags["tests"] for asked in every)
    assert counts == {"hidden": 103, "public only": 952}
    for asked in every:
        if asked.id != "abc350_c":
            assert decode_tests(asked.gold["public"], asked.gold["private"])
    assert sum("erratum" in asked.metadata for asked in every) == 17
