from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from k2eval.grading.code.source import (
    defines,
    line_of_error,
    names_bound,
    returns_something,
    split_after_future,
)

FUTURE = "from __future__ import annotations"


@pytest.mark.parametrize(
    "code",
    [
        "class A: pass",
        "if True:\n    class A: pass",
        "try:\n    import x\nexcept ImportError:\n    A = None",
        "with x:\n    for y in z:\n        def A(): pass",
        "A = lambda x: x",
        "A, B = f, g",
        "A: int = 1",
        "from b import c as A",
        "match x:\n    case 1:\n        A = 1",
        "async def A(): pass",
    ],
)
def test_names_are_bound_anywhere_in_the_module(code: str) -> None:
    assert "A" in names_bound(code)


@pytest.mark.parametrize(
    "code", ["def f():\n    A = 1", "class B:\n    A = 1", "A: int", "print(A)", "A = = 1"]
)
def test_names_of_other_scopes_are_not(code: str) -> None:
    assert "A" not in names_bound(code)


@pytest.mark.parametrize(
    "code", ["def f(): ...", "def f():\n    'text'\n    pass", "from solution import f", "f(1)"]
)
def test_headers_and_imports_define_nothing(code: str) -> None:
    assert not defines(code, "f")


@pytest.mark.parametrize(
    "imports",
    [
        FUTURE,
        "from __future__ import (annotations)",
        "from __future__ import (\n    annotations,  # a\n    division,\n)",
        "from __future__ import annotations, \\\n    division",
        "from\t__future__  import annotations as a",
        f"'''text'''\n# comment\n\n{FUTURE}\nfrom __future__ import division",
        f"'text'; {FUTURE}",
        f"'''\nfrom __future__ import braces\n'''\n{FUTURE}",
    ],
)
@pytest.mark.parametrize("rest", ["  # comment\nx = 1", "; import os\nx = 1", "\nx = 1", ""])
def test_code_is_split_behind_its_future_imports(imports: str, rest: str) -> None:
    assert split_after_future(imports + rest) == (imports, rest)
    with_crlf = (imports + rest).replace("\n", "\r\n")
    assert split_after_future(with_crlf) == (imports, rest)


@pytest.mark.parametrize(
    "code",
    [
        f"x = '''\n{FUTURE}\n'''",
        f"# {FUTURE}",
        f"import os\n{FUTURE}",
        f"def f():\n    {FUTURE}",
        "from os import __future__",
        "__future__ = 1",
        f"'''{FUTURE}",
    ],
)
def test_what_only_looks_like_a_future_import_stays(code: str) -> None:
    assert split_after_future(code) == ("", code)


@given(st.text(alphabet="from __future__ import a\n\r\\();'\"#"))
def test_any_text_can_be_split(code: str) -> None:
    code = f"{code} __future__"
    head, rest = split_after_future(code)
    assert head + rest == code.replace("\r\n", "\n").replace("\r", "\n")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("    return 1", True),
        ("return 1", True),
        ("    for x in y:\n        yield x", True),
        ("    x = 1\n    if x:\n        return x\n\nprint(1)", True),
        ("def f():\n    return 1", False),
        ("print(1)", False),
        ("It does return 1", False),
    ],
)
def test_a_body_returns_something(code: str, expected: bool) -> None:
    assert returns_something(code) is expected


def test_the_line_of_an_error_is_told() -> None:
    assert line_of_error("x = 1\nthese are words") == 2
    assert line_of_error("x = 1") == 0
