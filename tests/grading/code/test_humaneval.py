from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from k2eval.errors import DataError
from k2eval.grading import grader_for
from k2eval.grading.code import humaneval
from k2eval.reasoning import AUTO
from k2eval.records import Outcome, Question
from k2eval.tasks.humaneval import item
from k2eval.tasks.rows import read_rows

pytestmark = pytest.mark.usefixtures("isolation")

PROMPT = 'from typing import List\n\n\ndef add(x: List[int]) -> int:\n    """ Add up.\n    >>> add([1, 2])\n    3\n    """\n'
TEST = """
def check(candidate):
    assert candidate([1, 2]) == 3
    for n in range(5):
        assert abs(candidate(list(range(n))) - n * (n - 1) / 2) < 1e-6
    assert tuple(map(candidate, [[7], [8]])) == (7, add([8]))
"""
BODY = "    return sum(x)\n"


def question(test: str = TEST) -> Question:
    row = {"task_id": "HumanEval/900", "prompt": PROMPT, "test": test, "entry_point": "add"}
    return Question(task="humaneval", id="HumanEval/900", messages=(), gold=item(row).gold)


@pytest.mark.parametrize(
    "code",
    [
        BODY,
        PROMPT + BODY,
        "def add(x):\n    return sum(x)",
        "return sum(x)",
        "from __future__ import annotations\ndef helper(x): return sum(x)\ndef add(x: Numbers): return helper(x)",
        "import numpy as np\ndef add(x): return np.sum(x)",
        "calls = []\ndef add(x):\n    calls.append(x)\n    return sum(calls[-1])",
    ],
)
def test_functions_and_bodies_pass(code: str) -> None:
    graded = humaneval.grade_code(question(), code)
    assert graded.outcome is Outcome.CORRECT, graded.detail
    assert graded.detail["calls"] == 9


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("    return sum(x) + 1", Outcome.WRONG),
        ("    return x[0]", Outcome.WRONG),
        ("    raise ValueError", Outcome.RUNTIME_ERROR),
        ("def add(x:\n    return", Outcome.COMPILE_ERROR),
        ("def plus(x):\n    return sum(x)", Outcome.WRONG),
        ("    while True: pass", Outcome.TIMEOUT),
        ("import os\ndef add(x): os._exit(0)", Outcome.RUNTIME_ERROR),
        ("class Yes:\n    def __eq__(self, o): return True\n    def __sub__(self, o): return 0\ndef add(x): return Yes()", Outcome.WRONG),
        ("import builtins\nbuiltins.abs = lambda x: 0\ndef add(x): return 3", Outcome.WRONG),
    ],
)  # fmt: skip
def test_functions_fail_as_what_they_do(code: str, outcome: Outcome) -> None:
    graded = humaneval.grade_code(question(), code)
    assert graded.outcome is outcome, graded.detail


HALF = "def check(candidate):\n    assert candidate([1]) == 0.5 and abs(candidate([1]) - 0.5) < 1e-6"
PAIR = "def check(candidate):\n    assert candidate([1]) == (1, 'a')"


@pytest.mark.parametrize(
    ("test", "code"),
    [
        (HALF, "from fractions import Fraction\ndef add(x): return Fraction(x[0], 2)"),
        (HALF, "class Half(float): pass\ndef add(x): return Half(0.5)"),
        (
            PAIR,
            "from typing import NamedTuple\nclass P(NamedTuple):\n    a: int\n    b: str\ndef add(x): return P(1, 'a')",
        ),
        (PAIR, "class T(tuple): pass\nclass S(str): pass\ndef add(x): return T((True, S('a')))"),
    ],
)
def test_values_of_other_kinds_are_equal_to_what_python_calls_equal(test: str, code: str) -> None:
    graded = humaneval.grade_code(question(test), code)
    assert graded.outcome is Outcome.CORRECT, graded.detail


@pytest.mark.parametrize(
    "code",
    [
        "from fractions import Fraction\ndef add(x): return Fraction(0.5) + Fraction(1, 10**20)",
        "from decimal import Decimal\ndef add(x): return Decimal('0.50000000000000000000001')",
        "class Half(float):\n    def __eq__(self, other): return True\ndef add(x): return Half(0.25)",
    ],
)
def test_values_of_other_kinds_lie_no_more_than_plain_ones(code: str) -> None:
    test = "def check(candidate):\n    assert candidate([1]) == 0.5"
    assert humaneval.grade_code(question(test), code).outcome is Outcome.WRONG


@pytest.mark.parametrize(
    "code",
    [
        "add = lambda x: sum(x)",
        "import functools\nadd = functools.partial(sum)",
        "if True:\n    def add(x): return sum(x)",
        "from __future__ import (annotations)\ndef add(x: Missing): return sum(x)",
        "from __future__ import annotations  # why\r\ndef add(x: Missing): return sum(x)\r\n",
        "'''text'''\nfrom __future__ import annotations, \\\n    division\ndef add(x: Missing): return sum(x)",
        "TEXT = '''\nfrom __future__ import braces\n'''\ndef add(x): return sum(x)",
        "    def add(x):\n        return sum(x)\n",
    ],
)
def test_a_function_may_be_written_in_any_way(code: str) -> None:
    graded = humaneval.grade_code(question(), code)
    assert graded.outcome is Outcome.CORRECT, graded.detail


def test_the_result_is_a_copy_that_the_test_may_change() -> None:
    test = "def check(candidate):\n    a = candidate(1)\n    a.append(1)\n    assert candidate(1) == [] and a == [1]"
    assert humaneval.grade_code(question(test), "def add(x): return []").outcome is Outcome.CORRECT


def test_calls_that_depend_on_results_are_made_in_further_rounds() -> None:
    test = "def check(candidate):\n    n = candidate(1)\n    for _ in range(3):\n        n = candidate(n)\n    assert n == 16"
    graded = humaneval.grade_code(question(test), "def add(x): return 2 * x")
    assert graded.outcome is Outcome.CORRECT, graded.detail
    assert graded.detail["calls"] == 4
    assert humaneval.grade_code(question(test), "def add(x): return 3 * x").outcome is Outcome.WRONG


def test_a_test_that_calls_nothing_is_our_failure() -> None:
    assert humaneval.grade_code(question("def check(candidate): pass"), BODY).outcome is Outcome.GRADER_ERROR


def test_random_inputs_are_the_same_each_time() -> None:
    test = "import random\ndef check(candidate):\n    assert candidate([random.random()]) in range(2)"
    first, second = (humaneval.grade_code(question(test), BODY) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("text", "truncated", "outcome"),
    [
        (f"<think>```python\nno\n```</think>```python\n{PROMPT}{BODY}```", False, Outcome.CORRECT),
        (BODY, False, Outcome.CORRECT),
        ("<think>hm", False, Outcome.TRUNCATED),
        ("It adds up.", False, Outcome.NO_ANSWER),
        ("It adds", True, Outcome.TRUNCATED),
        ("def add(x):\n    return sum(x)\n", False, Outcome.CORRECT),
        ("def add(x):\n    return sum(x)\n```\nThat is all.", False, Outcome.CORRECT),
        ("def add(x):\n    return sum(x)\n", True, Outcome.TRUNCATED),
        (
            "```python\ndef add(x): return sum(x)\n```\n```python\nassert add([1]) == 1\n```",
            False,
            Outcome.CORRECT,
        ),
        (
            "```python\ndef add(x): return sum(x)\n```\n```python\ndef add(x): return 0\n```",
            False,
            Outcome.WRONG,
        ),
    ],
)
def test_responses(text: str, truncated: bool, outcome: Outcome) -> None:
    assert grader_for("humaneval").grade_response(question(), text, truncated, AUTO).outcome is outcome


def test_a_row_of_another_data_set_is_refused() -> None:
    with pytest.raises(DataError, match="test and entry_point"):
        item({"task_id": "a", "prompt": "b"})


def real() -> list[dict[str, Any]]:
    folder = os.environ.get("K2EVAL_DATA")
    if not folder:
        pytest.skip("K2EVAL_DATA is not set, so there are no real rows to read")
    return [dict(row) for row in read_rows(Path(folder, "humaneval", "test.jsonl"))]


def test_all_canonical_solutions_pass() -> None:
    rows = real()
    assert len(rows) == 164
    for row in rows:
        asked = Question(task="humaneval", id=row["task_id"], messages=(), gold=item(row).gold)
        graded = humaneval.grade_code(asked, row["canonical_solution"])
        assert graded.outcome is Outcome.CORRECT, (row["task_id"], graded.detail)


def test_canonical_solutions_with_another_result_fail() -> None:
    for row in real():
        asked = Question(task="humaneval", id=row["task_id"], messages=(), gold=item(row).gold)
        mutant = f"{row['prompt']}{row['canonical_solution']}\n_right = {row['entry_point']}\n"
        mutant += f"def {row['entry_point']}(*args):\n    return [_right(*args)]\n"
        graded = humaneval.grade_code(asked, mutant)
        assert graded.outcome is Outcome.WRONG, (row["task_id"], graded.detail)
