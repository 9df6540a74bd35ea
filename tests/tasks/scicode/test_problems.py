from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from k2eval.errors import DataError
from k2eval.records import NoteKind
from k2eval.tasks.files import task_files
from k2eval.tasks.scicode import items, problem_of
from k2eval.tasks.spec import DataSpec, TaskSpec
from k2eval.tasks.task import load_tasks
from tests.grading.code.test_scicode import row


def spec(**options: Any) -> TaskSpec:
    return TaskSpec(task="t", title="t", kind="code", grader="scicode", data=DataSpec(), options=options)


def test_an_item_is_a_main_problem_with_its_tests_as_gold() -> None:
    [result] = items([row()], spec(), 0).items
    assert result.id == "90"
    assert list(result.gold) == ["90.1", "90.2"]
    assert [step["number"] for step in result.fields["steps"]] == ["90.1", "90.2"]


def test_steps_know_what_they_define() -> None:
    question = load_tasks(["scicode"])[0].ask(items([row()], spec(), 0).items[0])
    first, second = problem_of(question).sub_steps
    assert (first.name, second.name) == ("twice", "total")
    assert problem_of(question).earlier(second) == (first,)


def test_background_is_shown_only_where_asked_for() -> None:
    known = row()
    known["sub_steps"][0]["step_background"] = "Doubling is adding twice."
    for background in (True, False):
        [result] = items([known], spec(background=background), 0).items
        assert ("Doubling" in result.fields["steps"][0]["text"]) is background


def given_row() -> dict[str, Any]:
    known = row() | {"problem_id": "62"}
    known["sub_steps"][0] |= {"step_number": "62.1", "test_cases": [], "return_line": None}
    known["sub_steps"][1] |= {"step_number": "62.2"}
    return known


def test_a_given_step_is_shown_and_not_graded(tmp_path: Path) -> None:
    (tmp_path / "prewritten_steps").mkdir()
    (tmp_path / "prewritten_steps" / "62.1.txt").write_text("def twice(x): ...")
    [result] = items([given_row() | {"_path": str(tmp_path / "test.jsonl")}], spec(), 0).items
    assert list(result.gold) == ["62.2"]
    assert result.fields["given"] == ["def twice(x): ..."]


def test_companions_of_rows_from_the_hub_are_found_in_the_data_folder(tmp_path: Path) -> None:
    (tmp_path / "scicode" / "prewritten_steps").mkdir(parents=True)
    (tmp_path / "scicode" / "prewritten_steps" / "62.1.txt").write_text("given")
    [result] = items([given_row() | {"_data": str(tmp_path)}], spec(), 0).items
    assert result.fields["given"] == ["given"]


def test_a_given_step_without_its_code_is_an_error() -> None:
    with pytest.raises(DataError, match=r"62\.1\.txt"):
        items([given_row()], spec(), 0)


def test_missing_targets_are_noted() -> None:
    [note] = items([row()], spec(), 0).notes
    assert note.kind is NoteKind.MISSING
    assert note.text.startswith("no targets (test_data.h5) for 2 of 2 steps")


def test_a_row_of_another_data_set_is_refused() -> None:
    with pytest.raises(DataError, match="not a row of SciCode1/SciCode"):
        items([{"problem_id": "1", "question": "?"}], spec(), 0)


@pytest.mark.parametrize("name", [name for name in task_files() if name.startswith("scicode")])
def test_every_variant_finds_as_many_questions_as_it_says(name: str) -> None:
    if not os.environ.get("K2EVAL_DATA"):
        pytest.skip("K2EVAL_DATA is not set, so there are no real rows to read")
    from k2eval.tasks.data import load_questions

    [task] = load_tasks([name])
    questions = load_questions(task, data=None)
    assert questions.available == task.spec.questions
    steps = {"scicode_dev": 50, "scicode": 288, "scicode_all": 338}[name.removesuffix("_with_background")]
    assert sum(len(question.gold) for question in questions.questions()) == steps


def test_no_step_of_the_data_set_is_unjudgeable() -> None:
    if not os.environ.get("K2EVAL_DATA"):
        pytest.skip("K2EVAL_DATA is not set, so there are no real rows to read")
    from k2eval.grading.code.scicode_replay import reduce_tests
    from k2eval.tasks.data import load_questions

    judged = 0
    for question in load_questions(load_tasks(["scicode_all"])[0], data=None).questions():
        problem = problem_of(question)
        for step in problem.sub_steps:
            if step.graded:
                called = [each.name for each in (*problem.earlier(step), step)]
                assert all(
                    any(name in test for name in called) for test in reduce_tests(step.test_cases, called)
                )
                judged += 1
    assert judged == 338
