from __future__ import annotations

import time

import pytest
from hypothesis import given, strategies as st

from k2eval.grading.code.functions import function_code
from k2eval.grading.code.source import defines

SOLUTION = "def f(x):\n    return x + 1\n"
BODY = "    y = x + 1\n    return y\n"
FENCED = f"```python\n{SOLUTION}```\n"


@pytest.mark.parametrize(
    "behind",
    [
        "Usage:\n```python\nprint(f(1))\n```",
        "```python\nassert f(1) == 2\n```",
        "```python\n>>> f(1)\n2\n```",
        "```pycon\n>>> f(1)\n2\n```",
        "```\nn = 3\n```",
        "```python\nfrom solution import f\nf(1)\n```",
        "```python\ndef f(x): ...\n```",
        "```python\ndef test_f():\n    return f(1)\n```",
    ],
)
def test_the_block_that_defines_the_function_is_the_solution(behind: str) -> None:
    assert function_code(FENCED + behind, "f") == SOLUTION.rstrip("\n")


def test_the_last_definition_counts() -> None:
    assert function_code("```python\ndef f(x):\n    return 0\n```\n" + FENCED, "f") == SOLUTION.rstrip("\n")


@pytest.mark.parametrize(
    "answer",
    [
        SOLUTION,
        f"Here is the function:\n\n{SOLUTION}",
        f"{SOLUTION}\nIt adds one.\n",
        f"{SOLUTION}\nExplanation\n",
        f"Solution\n\n{SOLUTION}\nNote: done\n\n- O(1)\n",
        f"{SOLUTION}\n>>> f(1)\n2\n",
        f"{SOLUTION}```\n",
        f"{SOLUTION}```\n\nUsage:\n\n```python\nprint(f(1))\n```\n",
        f"```python\n{SOLUTION}",
    ],
)
def test_a_function_without_a_fence_of_its_own_is_found(answer: str) -> None:
    code = function_code(answer, "f")
    assert code is not None and code.strip() == SOLUTION.strip()


def test_what_belongs_to_a_function_without_a_fence_comes_along() -> None:
    code = f"import math\n\ndef helper(x):\n    return x\n\n{SOLUTION}\ndef other():\n    pass"
    assert function_code(f"Sure.\n\n{code}\n\nThat is all, as you see.", "f") == code


@pytest.mark.parametrize(
    "code", ["f = lambda x: x + 1", "f: object = lambda x: x + 1", "async def f(x):\n    return 1"]
)
def test_any_way_to_define_it_counts(code: str) -> None:
    assert function_code(code, "f") == code
    assert function_code(f"```python\n{code}\n```\n```python\nprint(f(1))\n```", "f") == code


@pytest.mark.parametrize(
    "answer",
    [
        BODY,
        f"\n{BODY}",
        f"{BODY}\nThis adds one, as it should.\n",
        f"{BODY}```\nThis adds one.",
        f"```python\n{BODY}```\nUsage:\n```python\nprint(f(1))\n```",
    ],
)
def test_the_body_of_the_function_is_found(answer: str) -> None:
    code = function_code(answer, "f")
    assert code is not None and code.strip("\n") == BODY.strip("\n")


@pytest.mark.parametrize("answer", ["", "I do not know.", "The function f(x) returns x."])
def test_words_are_no_function(answer: str) -> None:
    assert function_code(answer, "f") is None


@pytest.mark.parametrize("answer", [SOLUTION, BODY, f"```python\n{SOLUTION}"])
def test_a_cut_answer_needs_a_complete_block(answer: str) -> None:
    assert function_code(answer, "f", truncated=True) is None


@given(
    st.lists(
        st.sampled_from([SOLUTION, BODY, "```", "```python", ">>> f(1)", "words", "f = 1", "", "def f(x):"])
    )
)
def test_any_answer_gives_a_definition_a_body_or_a_block(parts: list[str]) -> None:
    answer = "\n".join(parts)
    code = function_code(answer, "f")
    if SOLUTION in parts and "```" not in answer and ">>>" not in answer and parts.count("def f(x):") == 0:
        assert code is not None and defines(code, "f")


@pytest.mark.parametrize(
    "answer",
    ["def f(x):\n" + "    x = (\n" * 20_000, "f = 1\n" * 20_000 + "words words", "```\n" * 40_000 + SOLUTION],
)
def test_long_answers_take_no_long_time(answer: str) -> None:
    began = time.process_time()
    function_code(answer, "f")
    assert time.process_time() - began < 10
