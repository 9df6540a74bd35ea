from __future__ import annotations

import ast
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import pytest

from k2eval.grading import grader_for
from k2eval.grading.code import scicode
from k2eval.grading.code.scicode_program import container
from k2eval.grading.code.scicode_replay import Judgement, ReplayLost, replay_apart
from k2eval.reasoning import AUTO
from k2eval.records import Outcome, Question
from k2eval.tasks.scicode import items, problem_of
from k2eval.tasks.spec import DataSpec, TaskSpec
from k2eval.tasks.task import load_tasks

pytestmark = pytest.mark.usefixtures("isolation")

TWICE = "def twice(x):\n    return 2 * np.asarray(x)"
SUM = "import math\ndef total(x):\n    return math.fsum(twice(x))"


def row() -> dict[str, Any]:
    def step(number: str, header: str, *tests: str) -> dict[str, Any]:
        return {
            "step_number": number,
            "step_description_prompt": f"Write {header}.",
            "step_background": "",
            "ground_truth_code": None,
            "function_header": f"def {header}:\n    '''Doc.'''",
            "test_cases": list(tests),
            "return_line": "    return y",
        }

    return {
        "problem_id": "90",
        "problem_description_main": "Double and add.",
        "required_dependencies": "import numpy as np",
        "sub_steps": [
            step("90.1", "twice(x)", "x = [1, 2]\nassert np.allclose(twice(x), target)"),
            step(
                "90.2", "total(x)", "assert total([1, 2]) == target", "assert np.isclose(total([3]), target)"
            ),
        ],
    }


@pytest.fixture
def question(tmp_path: Path) -> Question:
    path = tmp_path / "targets.h5"
    with h5py.File(path, "w") as file:
        file["90.1/test1/var1"] = [2.0, 4.0]
        file["90.2/test1/var1"] = 6.0
        file["90.2/test2/var1"] = 6.0
    options = {"targets": str(path), "background": False}
    spec = TaskSpec(task="t", title="t", kind="code", grader="scicode", data=DataSpec(), options=options)
    [result] = items([row()], spec, 0).items
    return Question(task="t", id=result.id, messages=(), gold=result.gold, metadata=result.metadata)


def test_a_main_problem_is_solved_when_all_its_steps_pass(question: Question) -> None:
    graded = scicode.grade(question, container({"90.1": TWICE, "90.2": SUM}), False)
    assert graded.outcome is Outcome.CORRECT
    assert graded.detail["steps"] == {"90.1": "correct", "90.2": "correct"}
    assert (graded.detail["sub_passed"], graded.detail["sub_total"]) == (2, 2)


def test_code_that_speaks_of_reasoning_does_not_hide_the_steps(question: Question) -> None:
    codes = {"90.1": f"{TWICE}\n# <think>", "90.2": f"{SUM}\n'</think>'"}
    assert scicode.grade(question, container(codes), False).outcome is Outcome.CORRECT


def test_a_wrong_step_fails_the_main_problem_and_is_told(question: Question) -> None:
    graded = scicode.grade_codes(
        question, {"90.1": TWICE, "90.2": "def total(x):\n    return 6.0 + len(x) / 9"}
    )
    assert graded.outcome is Outcome.WRONG
    assert graded.score == 0
    assert graded.detail["steps"] == {"90.1": "correct", "90.2": "wrong"}
    assert graded.detail["why"]["90.2"].startswith("test 1: not so: total([1, 2]) == target")


@pytest.mark.parametrize(
    "imports",
    [
        "import numpy as np\nfrom __future__ import (annotations)",
        "from scipy.integrate import (quadrature,\n    nothing)\nquadrature(lambda x: x, 0, 1)",
        "from scipy.misc import derivative\nassert abs(derivative(lambda x: x**3, 1.0, dx=1e-3) - 3) < 1e-5",
        "import nothing_there as n; import math\nmath.pi",
        "from .beside import thing",
        "from __future__ import annotations  # why\r\n",
    ],
)
def test_imports_that_the_official_harness_deletes_do_no_harm(question: Question, imports: str) -> None:
    graded = scicode.grade_step(question, "90.1", f"{imports}\n{TWICE}")
    assert graded.outcome is Outcome.CORRECT, graded.detail


def test_a_step_may_be_a_lambda_and_come_with_an_example(question: Question) -> None:
    code = "twice = lambda x: 2 * np.asarray(x)"
    answer = f"```python\n{code}\n```\nExample:\n```python\nprint(twice([1]))\n```\n```\nn = 3\n```"
    assert scicode.grade_step_response(question, "90.1", answer).outcome is Outcome.CORRECT


def test_one_program_may_answer_all_steps(question: Question) -> None:
    row = question.model_copy(update={"metadata": {**question.metadata, "as_code": True}})
    assert scicode.grade(row, f"{TWICE}\n{SUM}", False).outcome is Outcome.CORRECT
    assert scicode.grade(row, TWICE, False).outcome is Outcome.NO_ANSWER


def test_a_missing_step_is_not_solved(question: Question) -> None:
    graded = scicode.grade_codes(question, {"90.1": TWICE, "90.2": None})
    assert graded.outcome is Outcome.NO_ANSWER
    assert graded.detail["sub_passed"] == 1
    assert scicode.grade(question, container({"90.1": TWICE}), True).outcome is Outcome.TRUNCATED


def test_an_earlier_step_that_is_wrong_spoils_the_later_ones(question: Question) -> None:
    graded = scicode.grade_codes(question, {"90.1": TWICE.replace("2 *", "3 *"), "90.2": SUM})
    assert graded.detail["steps"] == {"90.1": "wrong", "90.2": "wrong"}


def test_an_answer_in_markdown(question: Question) -> None:
    text = f"<think>hm</think>Two steps:\n```python\n{TWICE}\n```\nand\n```python\n{SUM}\n```\nDone."
    assert grader_for("scicode").grade_response(question, text, False, AUTO).outcome is Outcome.CORRECT
    both = f"```python\n{TWICE}\n\n{SUM}\n```"
    assert scicode.grade(question, both, False).outcome is Outcome.CORRECT


@pytest.mark.parametrize(
    ("text", "truncated", "outcome"),
    [
        ("<think>```python\ndef twice", False, Outcome.TRUNCATED),
        ("I cannot.", False, Outcome.NO_ANSWER),
        ("I can", True, Outcome.TRUNCATED),
    ],
)
def test_an_answer_without_code(question: Question, text: str, truncated: bool, outcome: Outcome) -> None:
    assert grader_for("scicode").grade_response(question, text, truncated, AUTO).outcome is outcome


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("def twice(x):\n    return np.array([])", Outcome.WRONG),
        ("def twice(x):\n    raise KeyError(x)", Outcome.RUNTIME_ERROR),
        ("def twice(x:", Outcome.COMPILE_ERROR),
        ("import sys\nsys.exit(0)", Outcome.RUNTIME_ERROR),
        ("import os\ndef twice(x):\n    os._exit(0)", Outcome.RUNTIME_ERROR),
        ("np.allclose = lambda *a, **k: True\ndef twice(x):\n    return x", Outcome.WRONG),
        (
            "class Yes(float):\n    def __eq__(self, o): return True\ndef twice(x):\n    return Yes()",
            Outcome.WRONG,
        ),
    ],
)
def test_a_step_fails_as_what_it_does(question: Question, code: str, outcome: Outcome) -> None:
    assert scicode.grade_step(question, "90.1", code).outcome is outcome


@pytest.mark.parametrize(
    "code",
    [
        f"from __future__ import annotations\n{TWICE}",
        f"import matplotlib_is_not_there as plt\n{TWICE}",
        f"try:\n    import numba_is_not_there\nexcept ImportError:\n    pass\n{TWICE}",
        "from typing import *\nimport numpy\ndef twice(x: List) -> numpy.float_:\n    return numpy.float_(2) * numpy.array(x)",
        f"{TWICE}\nif __name__ == '__main__':\n    print(twice(1))",
        f"record = tests = emit = dumps = exec = print = None\n{TWICE}",
    ],
)
def test_imports_stay_and_names_do_not_clash(question: Question, code: str) -> None:
    graded = scicode.grade_step(question, "90.1", code)
    assert graded.outcome is Outcome.CORRECT, graded.detail


def test_a_row_of_one_step(question: Question) -> None:
    def graded(text: str, **metadata: Any) -> Outcome:
        asked = question.model_copy(update={"metadata": {**question.metadata, **metadata}})
        return scicode.grade(asked, text, False).outcome

    earlier = {"90.1": TWICE}
    assert graded(SUM, step_id="90.2", as_code=True, earlier=earlier) is Outcome.CORRECT
    assert graded(f"```python\n{SUM}\n```", step_id="90.2", earlier=earlier) is Outcome.CORRECT
    assert graded(SUM, step_id="90.2", as_code=True) is Outcome.RUNTIME_ERROR
    assert graded(f"{TWICE}\n{SUM}", step_id="90.2", as_code=True) is Outcome.CORRECT
    assert graded("no code", step_id="90.2", earlier=earlier) is Outcome.NO_ANSWER
    assert graded(SUM, step_id="90.7", as_code=True) is Outcome.GRADER_ERROR


def test_a_result_that_the_test_blows_up_is_wrong_and_harms_nobody(question: Question) -> None:
    known = question.metadata["problem"]
    known["sub_steps"][0]["test_cases"] = ["y = twice([1])\nassert np.sum(np.outer(y, y)) == target"]
    huge = "def twice(x):\n    return np.zeros(60000)"
    graded = scicode.grade_step(question, "90.1", huge)
    assert graded.outcome is Outcome.WRONG
    assert "Unable to allocate" in graded.detail["why"]


@pytest.mark.parametrize("seconds", [60, 7200])
def test_the_hard_limit_leaves_each_step_its_time(question: Question, seconds: float) -> None:
    question = question.model_copy(update={"metadata": {**question.metadata, "step_seconds": seconds}})
    assert scicode.time_limit(question) > 2 * len(question.gold) * seconds


def test_missing_targets_are_our_failure(question: Question) -> None:
    bare = question.model_copy(update={"metadata": {**question.metadata, "targets": []}})
    graded = scicode.grade_codes(bare, {"90.1": TWICE, "90.2": SUM})
    assert graded.outcome is Outcome.GRADER_ERROR
    assert graded.score is None
    assert "test_data.h5" in graded.detail["why"]["90.1"]


def test_a_comparison_that_is_killed_from_outside_is_made_again(
    question: Question, monkeypatch: pytest.MonkeyPatch
) -> None:
    kills = [1]

    def killed_once(*arguments: Any) -> Judgement:
        if kills:
            kills.pop()
            raise ReplayLost("the comparison ended with SIGKILL")
        return replay_apart(*arguments)

    monkeypatch.setattr(scicode, "replay_apart", killed_once)
    graded = scicode.grade_codes(question, {"90.1": TWICE, "90.2": SUM})
    assert graded.outcome is Outcome.CORRECT and not kills


def test_a_comparison_that_is_killed_each_time_is_our_failure(
    question: Question, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any) -> Judgement:
        raise ReplayLost("the comparison ended with SIGKILL")

    monkeypatch.setattr(scicode, "replay_apart", killed)
    graded = scicode.grade_codes(question, {"90.1": TWICE, "90.2": SUM})
    assert (graded.outcome, graded.score) == (Outcome.GRADER_ERROR, None)


def test_targets_never_enter_the_sandbox(question: Question, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "targets.h5", "r+") as file:
        file["90.1/test1/var1"][...] = [2.5, 4.25]
    seeking = (
        "import gc, sys\nfound = []\n"
        "for thing in gc.get_objects():\n"
        "    if type(thing) is np.ndarray and thing.shape == (2,): found.append(thing)\n"
        "frame = sys._getframe()\n"
        "while frame:\n"
        "    for value in {**frame.f_globals, **frame.f_locals}.values():\n"
        "        text = str(value)[:10**6]\n"
        "        if '4.25' in text and 'seeking' not in text: found.append([2.5, 4.25])\n"
        "    frame = frame.f_back\n"
        "def twice(x):\n    return found[0] if found else x"
    )
    assert (
        scicode.grade_step(question, "90.1", seeking.replace("'4.25'", "'4.' + '25'")).outcome
        is Outcome.WRONG
    )


def development() -> list[Question]:
    if not os.environ.get("K2EVAL_DATA"):
        pytest.skip("K2EVAL_DATA is not set, so there are no real rows to read")
    from k2eval.tasks.data import load_questions

    return load_questions(load_tasks(["scicode_dev"])[0], data=None).questions()


@pytest.mark.slow
def test_all_development_solutions_pass() -> None:
    passed = 0
    for asked in development():
        codes = {step.step_number: step.ground_truth_code for step in problem_of(asked).sub_steps}
        graded = scicode.grade_codes(asked, codes)
        assert graded.outcome is Outcome.CORRECT, (asked.id, json.dumps(graded.detail))
        passed += graded.detail["sub_passed"]
    assert passed == 50


@pytest.mark.parametrize("step", ["3.1", "10.1", "10.9", "19.1", "38.2", "47.1", "70.1"])
def test_development_solutions_with_a_constant_changed_fail(step: str) -> None:
    asked = next(each for each in development() if step.startswith(f"{each.id}."))
    code = next(each.ground_truth_code for each in problem_of(asked).sub_steps if each.step_number == step)
    assert code
    for mutant in mutants(code):
        assert scicode.grade_step(asked, step, mutant).outcome is not Outcome.CORRECT, mutant


def mutants(code: str) -> Iterator[str]:
    """``code`` with one numeric constant changed."""
    for index in range(sum(_is_number(node) for node in ast.walk(ast.parse(code)))):
        tree = ast.parse(code)
        number = [node for node in ast.walk(tree) if _is_number(node)][index]
        assert isinstance(number, ast.Constant)
        number.value += 1  # type: ignore[operator]
        yield ast.unparse(tree)


def _is_number(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) in (int, float, complex)
