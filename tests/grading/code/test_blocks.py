from __future__ import annotations

import time

import pytest
from hypothesis import given, strategies as st

from k2eval.grading.code.blocks import code_blocks, extract_code
from k2eval.reasoning import split

DOCSTRING = 'def f():\n    """\n    ```\n    f()\n    ```\n    """'


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("```python\nx = 1\n```", "x = 1"),
        ("```\nx = 1\n```", "x = 1"),
        ("draft\n```python\nx = 1\n```\nbetter\n```python\nx = 2\n```\nand so on.", "x = 2"),
        ("```python\nx = 1\n```\nfinal:\n```\nprint(2)\n```", "x = 1"),
        ("```python\nprint(1)\n```\nExample output\n```\n1\n```", "print(1)"),
        ("```python\nprint(1)\n```\nIt prints\n```\nYes 1 2\n```", "print(1)"),
        ("```python\nx = 1\n```\nIn C++:\n```cpp\nint x = 1;\n```", "x = 1"),
        ("```python\nx = 1\n```\n```python\nx = 2  # cut off", "x = 1"),
        ("```Python3\nx = 1\n```", "x = 1"),
        ('```py title="a.py"\nx = 1\n```', "x = 1"),
        ("<answer>```python\nx = 1\n```</answer>", "x = 1"),
        ("The program: ```python\nx = 1\n```", "x = 1"),
        ("1. Like so\n   ```python\n   x = 1\n   ```", "x = 1"),
        ("````python\ns = '''\n```\n'''\n````", "s = '''\n```\n'''"),
        ("~~~python\nx = 1\n~~~", "x = 1"),
        ("```python\r\nx = 1\r\n```\r\n", "x = 1"),
        ("```python\nx = 1\n\n```python\nx = 2\n```", "x = 2"),
        ("say ```x``` inline\n```python\nx = 1\n```", "x = 1"),
        ("```\n1 2 3\n```", "1 2 3"),
        (f"```python\n{DOCSTRING}\n```", DOCSTRING),
        ("- ```python\n  if x:\n      y = 1\n      ```\n", "if x:\n    y = 1"),
        ("\t```python\n\tx = 1\n\t```", "x = 1"),
        ("```python\nx = 1\n```<|im_end|>", "x = 1"),
        ("> ```python\n> x = 1\n> ```\n", "x = 1"),
        ("```\npython\nprint(1)\n```", "print(1)"),
        ("\ufeff```python\n\ufeffx = 1\n```", "x = 1"),
        ("```python\nprint(input())\n```\nExample:\n```python\nn = 3\n```", "print(input())"),
    ],
)
def test_the_last_complete_python_block_is_the_program(answer: str, code: str) -> None:
    assert extract_code(answer) == code


@pytest.mark.parametrize(
    "answer", ["", "x = 1", "```python\nx = 1", "```cpp\nint x;\n```", "inline ```x = 1``` only"]
)
def test_no_complete_block_is_no_program(answer: str) -> None:
    assert extract_code(answer) is None


@pytest.mark.parametrize(
    "note", ["n = 3", "O(n)", "answer: 11", "p = [5, 2]\nanswer = 3", "print(11)", "f(x) = 1"]
)
@pytest.mark.parametrize("label", ["", "text"])
def test_an_unmarked_block_never_beats_a_marked_one(note: str, label: str) -> None:
    assert extract_code(f"```python\nprint(1)\n```\nFor example\n```{label}\n{note}\n```") == "print(1)"


@pytest.mark.parametrize(
    "note", ["n = 3", "O(n)", "answer: 11", "11", "for i in p:\n    t += i", "print(11)"]
)
def test_among_unmarked_blocks_the_one_that_does_most_is_the_program(note: str) -> None:
    assert extract_code(f"```\nprint(input())\n```\nFor example\n```\n{note}\n```") == "print(input())"


@pytest.mark.parametrize(
    "label",
    [
        *(
            "pypy3",
            "PyPy",
            "ipython",
            "main.py",
            "src/main.py",
            "code",
            "text",
            "txt",
            "{.python .numberLines}",
        ),
        *("lang=python", 'title="main.py"', "python3.11", "Python 3", "language-python", "python:main.py"),
    ],
)
def test_any_label_will_do_for_the_only_code(label: str) -> None:
    assert extract_code(f"Here:\n```{label}\nprint(input())\n```") == "print(input())"


@pytest.mark.parametrize("label", ["pypy3", "ipython", "main.py", "lang=python", "{.python}"])
def test_labels_that_name_python_mark_a_block(label: str) -> None:
    assert extract_code(f"```{label}\nx = 1\n```\n```\nprint(input())\n```") == "x = 1"


@pytest.mark.parametrize("session", [">>> f(1)\n1", "In [1]: f(1)\nOut[1]: 1"])
def test_a_session_at_the_prompt_is_no_program(session: str) -> None:
    assert extract_code(f"```python\nprint(1)\n```\n```python\n{session}\n```") == "print(1)"


def test_a_block_that_defines_what_is_asked_for_comes_first() -> None:
    answer = "```python\nclass A:\n    x = 1\n```\nUsage\n```python\nprint(A())\n```\nHeader\n```python\nclass A: ...\n```"
    assert extract_code(answer, "A") == "class A:\n    x = 1"


def test_a_fence_behind_the_end_of_the_reasoning_opens_a_block() -> None:
    answer = "[THINK]\n```python\nx = 1\n```[/THINK]```python\nx = 2\n```"
    assert extract_code(answer) == "x = 2"


def test_a_program_of_any_length_is_found() -> None:
    answer = f"```python\n# {'x' * 1_200_000}\nprint(1)\n```\n{'word ' * 300_000}"
    code = extract_code(split(answer).answer)
    assert code is not None and code.endswith("print(1)")


IMPORTS = "import math\nprint(math.pi)"
HELPER = "from math import pi\n\ndef helper(x):\n    return pi * x\nn = input()"
USER = "def f(x):\n    n = 2\n    return helper(x) + n"


def test_helpers_in_blocks_of_their_own_belong_to_the_function() -> None:
    code = extract_code(f"```python\n{HELPER}\n```\n```python\n{USER}\n```", "f")
    assert code == f"from math import pi\ndef helper(x):\n    return pi * x\n{USER}"


def test_a_function_that_needs_nothing_stays_alone() -> None:
    code = "def f(x):\n    return x"
    assert extract_code(f"```python\n{IMPORTS}\n```\n```python\n{code}\n```", "f") == code


def test_blocks_come_in_order_with_their_names() -> None:
    blocks = list(code_blocks("```a\n1\n```\n```\n2\n```"))
    assert [(block.info, block.code) for block in blocks] == [("a", "1"), ("", "2")]


@given(st.text(alphabet="`~ \npython<x>"))
def test_any_text_can_be_searched(text: str) -> None:
    code = extract_code(text)
    assert code is None or "".join(code.split()) in "".join(text.split())


@pytest.mark.parametrize(
    "line", ["`" * 200_000 + " `", "~" * 200_000, "``` " * 50_000, " " * 200_000 + "```"]
)
def test_long_lines_take_no_long_time(line: str) -> None:
    began = time.process_time()
    extract_code(f"```python\n{line}\n```")
    assert time.process_time() - began < 2
