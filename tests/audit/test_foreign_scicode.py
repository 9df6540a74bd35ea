"""SciCode's own harness and its port to Inspect, on a problem of two steps."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import pytest

from k2eval.audit import audit_run
from k2eval.audit.foreign import scicode_inspect, scicode_own
from k2eval.audit.reasons import How
from k2eval.records import Grade, Outcome, Question, Request
from tests.grading.code.test_scicode import SUM, TWICE, question, row  # noqa: F401
from tests.grading.conftest import isolation  # noqa: F401
from tests.scripted_runs import carry_out, config

pytestmark = pytest.mark.usefixtures("isolation")
PLAIN_SUM = "def total(x):\n    return sum(twice(x))"


def block(code: str) -> str:
    return f"So:\n```python\n{code}\n```\n"


def graded(question: Question, first: str, second: str) -> Grade:  # noqa: F811
    return scicode_own.grade(question, json.dumps({"90.1": first, "90.2": second}), False)


def test_a_problem_is_solved_if_all_steps_pass(question: Question) -> None:  # noqa: F811
    found = graded(question, block(TWICE), block(PLAIN_SUM))
    assert (found.outcome, found.detail["how"]) == (Outcome.CORRECT, How.OFFICIAL_RUN)
    assert found.detail["steps"] == {"90.1": "correct", "90.2": "correct"}


def test_imports_are_deleted(question: Question) -> None:  # noqa: F811
    found = graded(question, block(TWICE), block(SUM))
    assert (found.outcome, found.detail["how"]) == (Outcome.RUNTIME_ERROR, How.NO_IMPORTS)
    assert found.detail["steps"]["90.1"] == "correct"


def test_the_first_block_counts(question: Question) -> None:  # noqa: F811
    found = graded(question, block(TWICE), block("print(1)") + block(PLAIN_SUM))
    assert found.outcome is not Outcome.CORRECT and found.detail["how"] == How.OTHER_BLOCK


def test_a_text_without_a_fence_is_the_program(question: Question) -> None:  # noqa: F811
    assert graded(question, TWICE, PLAIN_SUM).outcome is Outcome.CORRECT


def test_the_port_never_solves_a_problem_with_a_given_step(question: Question) -> None:  # noqa: F811
    text = json.dumps({"90.1": block(TWICE), "90.2": block(PLAIN_SUM)})
    assert scicode_inspect.grade(question, text, False).outcome is Outcome.CORRECT
    steps = json.loads(json.dumps(question.metadata["problem"]))
    steps["sub_steps"].append(
        {**steps["sub_steps"][0], "step_number": "13.6", "test_cases": [], "given_code": TWICE}
    )
    given = question.model_copy(update={"metadata": {**question.metadata, "problem": steps}})
    found = scicode_inspect.grade(given, text, False)
    assert (found.outcome, found.detail["how"]) == (Outcome.WRONG, How.GIVEN_STEP)


async def test_an_audit_reads_all_steps_of_the_candidate_that_was_graded(tmp_path: Path) -> None:
    data = tmp_path / "data/scicode"
    data.mkdir(parents=True)
    (data / "validation.jsonl").write_text(json.dumps(row()) + "\n")
    with h5py.File(data / "test_data.h5", "w") as file:
        file["90.1/test1/var1"] = [2.0, 4.0]
        file["90.2/test1/var1"] = 6.0
        file["90.2/test2/var1"] = 6.0

    def answer(request: Request) -> str:
        return "<think>so</think>" + block(TWICE if request.stage.endswith("90.1") else SUM)

    run = config(tmp_path / "run", tasks=("scicode_dev",), repeats=1, limit=1, data=tmp_path / "data")
    await carry_out(run, answer)
    audit = audit_run(tmp_path / "run", data=tmp_path / "data", workers=1)
    found = {column.harness.name: (column.ours.value, column.theirs().value) for column in audit.columns}
    assert found == {"scicode": (1.0, 0.0), "scicode-inspect": (1.0, 0.0)}
    assert {each.reason for each in audit.differences} == {How.NO_IMPORTS}
