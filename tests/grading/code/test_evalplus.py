"""HumanEval+ and MBPP+ on rows made by hand, in the fields and the form of test that EvalPlus documents."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from k2eval.errors import DataError
from k2eval.grading import grader_for
from k2eval.grading.code import humaneval
from k2eval.reasoning import AUTO
from k2eval.records import Grade, Outcome
from k2eval.tasks import load_questions, load_tasks
from k2eval.tasks.humaneval import mbpp_item

pytestmark = pytest.mark.usefixtures("isolation")

ASSERTION = """
import numpy as np

def is_floats(x):
    return isinstance(x, float) or (isinstance(x, (list, tuple)) and len(x) > 0 and all(isinstance(i, float) for i in x))

def assertion(out, exp, atol):
    exact_match = out == exp
    if atol == 0 and is_floats(exp):
        atol = 1e-6
    if not exact_match and atol != 0:
        assert type(out) == type(exp)
        assert np.allclose(out, exp, rtol=1e-07, atol=atol)
    else:
        assert exact_match
"""
NUMBERS = list(range(600))
PLUS = {
    "task_id": "HumanEval/900",
    "prompt": 'def third(x: int) -> float:\n    """ Divide by three. """\n',
    "canonical_solution": "    return x / 3\n",
    "entry_point": "third",
    "test": f"""{ASSERTION}
def check(candidate):
    inputs = {[[n] for n in NUMBERS]}
    results = {[n / 3 for n in NUMBERS]}
    for i, (inp, exp) in enumerate(zip(inputs, results)):
        assertion(candidate(*inp), exp, 0)
""",
}
MBPP: dict[str, Any] = {
    "task_id": 2,
    "prompt": "Write a function to find the shared elements from the given two lists.",
    "code": "def helper(a):\n    return set(a)\ndef shared(a, b):\n    return tuple(helper(a) & helper(b))",
    "test_imports": ["import math"],
    "test_list": ["assert set(shared((3, 4), (4, 5))) == set((4,))"],
    "test": f"""{ASSERTION}
inputs = [[(3, 4), (4, 5)], [(), ()], [(1, math.inf), (math.inf, 1)]]
results = [(4,), (), (1, math.inf)]
for i, (inp, exp) in enumerate(zip(inputs, results)):
    assertion(set(shared(*inp)), set(exp), 0)
""",
}


def graded(folder: Path, task: str, row: dict[str, Any], code: str) -> Grade:
    (folder / task).mkdir()
    (folder / task / "test.jsonl").write_text(json.dumps(row) + "\n")
    [loaded] = load_tasks([task])
    [question] = load_questions(loaded, data=folder).questions()
    return grader_for(question.grader).grade_response(question, f"```python\n{code}\n```", False, AUTO)


def test_the_canonical_solution_of_humaneval_plus_passes_all_calls(tmp_path: Path) -> None:
    grade = graded(tmp_path, "humaneval_plus", PLUS, f"{PLUS['prompt']}{PLUS['canonical_solution']}")
    assert (grade.outcome, grade.detail) == (Outcome.CORRECT, {"calls": 600})


def test_an_answer_that_fails_late_is_wrong_at_that_call(tmp_path: Path) -> None:
    code = "def third(x):\n    return x / 3 if x != 577 else 0.5"
    grade = graded(tmp_path, "humaneval_plus", PLUS, code)
    assert (grade.outcome, grade.detail["calls"]) == (Outcome.WRONG, 578)


def test_an_answer_that_raises_late_is_told_so(tmp_path: Path) -> None:
    code = "def third(x):\n    return 1 / (x - 300) and x / 3"
    grade = graded(tmp_path, "humaneval_plus", PLUS, code)
    assert (grade.outcome, grade.detail["calls"]) == (Outcome.RUNTIME_ERROR, 301)


def test_a_test_of_many_calls_runs_a_few_times_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = []
    run = humaneval._Check._run

    def counting(self: Any, *arguments: Any) -> None:
        runs.append(1)
        run(self, *arguments)

    monkeypatch.setattr(humaneval._Check, "_run", counting)
    graded(tmp_path, "humaneval_plus", PLUS, "def third(x):\n    return x / 3")
    assert len(runs) <= humaneval.ONE_BY_ONE + 10


def test_the_solution_of_mbpp_plus_passes_in_any_order(tmp_path: Path) -> None:
    assert graded(tmp_path, "mbpp_plus", MBPP, str(MBPP["code"])).outcome is Outcome.CORRECT


def test_a_wrong_function_of_mbpp_plus_fails(tmp_path: Path) -> None:
    code = "def shared(a, b):\n    return tuple(a)"
    assert graded(tmp_path, "mbpp_plus", MBPP, code).outcome is Outcome.WRONG


def test_the_prompt_of_mbpp_plus_names_the_function_and_shows_one_assertion(tmp_path: Path) -> None:
    (tmp_path / "mbpp_plus").mkdir()
    (tmp_path / "mbpp_plus/test.jsonl").write_text(json.dumps(MBPP) + "\n")
    [task] = load_tasks(["mbpp_plus"])
    [question] = load_questions(task, data=tmp_path).questions()
    prompt = question.messages[-1].content
    assert "named shared" in prompt and MBPP["test_list"][0] in prompt and "inputs" not in prompt


def test_a_row_that_does_not_tell_its_function_is_an_error() -> None:
    with pytest.raises(DataError, match="row 2 of MBPP\\+: expected a function of code that test_list calls"):
        mbpp_item({**MBPP, "test_list": ["assert other(1) == 2"]})
