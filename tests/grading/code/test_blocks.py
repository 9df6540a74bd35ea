from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k2eval.grading.code.blocks import code_blocks, extract_code

DOCSTRING = 'def f():\n    """\n    ```\n    f()\n    ```\n    """'


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("```python\nx = 1\n```", "x = 1"),
        ("```\nx = 1\n```", "x = 1"),
        ("draft\n```python\nx = 1\n```\nbetter\n```python\nx = 2\n```\nand so on.", "x = 2"),
        ("```python\nx = 1\n```\nfinal:\n```\nprint(2)\n```", "print(2)"),
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
    ],
)
def test_the_last_complete_python_block_is_the_program(answer: str, code: str) -> None:
    assert extract_code(answer) == code


@pytest.mark.parametrize(
    "answer", ["", "x = 1", "```python\nx = 1", "```cpp\nint x;\n```", "inline ```x = 1``` only"]
)
def test_no_complete_block_is_no_program(answer: str) -> None:
    assert extract_code(answer) is None


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
