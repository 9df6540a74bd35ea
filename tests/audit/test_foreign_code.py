"""Graders of others on programs, in the sandbox."""

from __future__ import annotations

import json

import pytest

from k2eval.audit.foreign import (
    eval360_code,
    eval360_functions,
    livecodebench_own,
    lm_eval_humaneval,
    simple_evals_humaneval,
)
from k2eval.audit.reasons import How
from k2eval.records import Outcome, Question
from tests.grading.conftest import isolation  # noqa: F401

pytestmark = pytest.mark.usefixtures("isolation")
ADD = "def add(a, b):\n    return a + b\n"
HUMANEVAL = {
    "prompt": 'def add(a, b):\n    """Add."""\n',
    "test": "def check(candidate):\n    assert candidate(1, 2) == 3\n",
    "entry_point": "add",
}


def sums(function: str | None = None) -> Question:
    tests = (
        [{"input": "1\n2", "output": "3", "testtype": "functional"}]
        if function
        else [{"input": "1 2\n", "output": "3\n", "testtype": "stdin"}]
    )
    gold = {"public": json.dumps(tests), "private": "[]", "function": function}
    return Question(task="t", id="1", grader="code", messages=(), gold=gold)


def block(code: str) -> str:
    return f"Here:\n```python\n{code}\n```\n"


PRINTS = "print(sum(map(int, input().split())))"


def test_livecodebench_takes_the_last_block_whatever_it_is() -> None:
    good = livecodebench_own.grade(sums(), block(PRINTS), False)
    assert (good.outcome, good.detail["how"]) == (Outcome.CORRECT, How.OFFICIAL_RUN)
    shown = livecodebench_own.grade(sums(), block(PRINTS) + "It prints\n```\n3\n```\n", False)
    assert (shown.outcome is Outcome.CORRECT, shown.detail["how"]) == (False, How.OTHER_BLOCK)


def test_livecodebench_reads_open_0_wrongly() -> None:
    code = "print(sum(map(int, open(0).read().split())))"
    assert livecodebench_own.grade(sums(), block(code), False).outcome is not Outcome.CORRECT


def test_a_response_without_two_fences_has_no_program_for_livecodebench() -> None:
    assert livecodebench_own.grade(sums(), f"```python\n{PRINTS}", False).outcome is Outcome.NO_ANSWER


@pytest.mark.parametrize(
    ("printed", "right"), [("3.0", True), ("3 ", True), ("3\\n4", False), ("'3'", False)]
)
def test_eval360_compares_whole_lines_as_numbers(printed: str, right: bool) -> None:
    found = eval360_code.grade(sums(), block(f'input(); print("{printed}")'), False)
    assert (found.outcome is Outcome.CORRECT) == right


def test_eval360_calls_the_solution() -> None:
    code = "class Solution:\n    def add(self, a, b):\n        return a + b"
    assert eval360_code.grade(sums("add"), block(code), False).outcome is Outcome.CORRECT


def test_eval360_imports_nothing_for_a_program() -> None:
    code = "class Solution:\n    def add(self, a: List, b: int):\n        return a + b"
    assert eval360_code.grade(sums("add"), block(code), False).outcome is Outcome.RUNTIME_ERROR
    assert livecodebench_own.grade(sums("add"), block(code), False).outcome is Outcome.CORRECT


def test_simple_evals_takes_the_body_of_the_first_function() -> None:
    question = Question(task="t", id="1", grader="humaneval", messages=(), gold=HUMANEVAL)
    assert simple_evals_humaneval.grade(question, block(ADD), False).outcome is Outcome.CORRECT
    helped = simple_evals_humaneval.grade(question, block("def help(a):\n    return a\n\n" + ADD), False)
    assert helped.outcome is Outcome.CORRECT  # the body of the helper is followed by the whole function


def test_a_program_that_ends_early_does_not_pass() -> None:
    question = Question(task="t", id="1", grader="humaneval", messages=(), gold=HUMANEVAL)
    found = simple_evals_humaneval.grade(
        question, block("def add(a, b):\n    import os\n    os._exit(0)"), False
    )
    assert found.outcome is not Outcome.CORRECT


def test_lm_eval_reads_up_to_the_first_fence() -> None:
    question = Question(task="t", id="1", grader="humaneval", messages=(), gold=HUMANEVAL)
    assert lm_eval_humaneval.grade(question, "    return a + b\n```", False).outcome is Outcome.CORRECT
    fenced = lm_eval_humaneval.grade(question, block(ADD), False)
    assert (fenced.outcome is Outcome.CORRECT, fenced.detail["how"]) == (False, How.FORM)


PLUS = {
    **HUMANEVAL,
    "test": "def assertion(out, exp, atol):\n    assert out == exp\n\ndef check(candidate):\n"
    "    for a, b, c in [(1, 2, 3), (2, 2, 4)]:\n        assertion(candidate(a, b), c, 0)\n",
}
MBPP = {
    "prompt": "",
    "entry_point": "add",
    "test": "def check(candidate):\n    add = candidate\n    assert add(1, 2) == 3\n    assert add(2, 2) == 4\n",
}
SUBTRACT = ADD.replace("+", "-")
ENDS = "import sys\nsys.exit(0)\n" + ADD


@pytest.mark.parametrize(
    ("gold", "text", "outcome", "how"),
    [
        (PLUS, block(ADD), Outcome.CORRECT, How.OFFICIAL_RUN),
        (PLUS, block(SUBTRACT), Outcome.WRONG, How.OFFICIAL_RUN),
        (PLUS, block(ADD.replace("a + b", "c")), Outcome.RUNTIME_ERROR, How.OFFICIAL_RUN),
        (PLUS, block(ENDS), Outcome.WRONG, How.OFFICIAL_RUN),
        (
            PLUS,
            "<think>x</think>" + block(ADD) + block("print(add(1, 2))"),
            Outcome.WRONG,
            How.OTHER_BLOCK,
        ),
        (PLUS, ADD, Outcome.NO_ANSWER, How.OTHER_BLOCK),
        (MBPP, block(ADD), Outcome.CORRECT, How.OFFICIAL_RUN),
        (MBPP, block(SUBTRACT), Outcome.RUNTIME_ERROR, How.OFFICIAL_RUN),
        (MBPP, block(ENDS), Outcome.CORRECT, How.EARLY_END),
        (HUMANEVAL, "    return a + b", Outcome.CORRECT, How.OFFICIAL_RUN),
        (HUMANEVAL, block(ADD), Outcome.CORRECT, How.OFFICIAL_RUN),
        (HUMANEVAL, block("import math\n" + ADD), Outcome.CORRECT, How.OFFICIAL_RUN),
        (HUMANEVAL, block(SUBTRACT), Outcome.RUNTIME_ERROR, How.OFFICIAL_RUN),
    ],
)
def test_eval360_on_functions(gold: dict[str, str], text: str, outcome: Outcome, how: How) -> None:
    question = Question(task="t", id="1", grader="humaneval", messages=(), gold=gold)
    found = eval360_functions.grade(question, text, False)
    assert (found.outcome, found.detail["how"]) == (outcome, how), found.detail
