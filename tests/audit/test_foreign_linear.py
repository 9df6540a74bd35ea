"""Whatever a model writes costs a grader of another harness little more than its length."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from k2eval.audit import HARNESSES, audit_run
from k2eval.audit.foreign import eval360_functions, scicode_own
from k2eval.records import Question
from tests.grading.repetition import seconds
from tests.report.scripted import smoke_run

SIZE = 100_000
"""Characters: a quadratic reader takes minutes, and math-verify its limit of 5 s for each of its steps."""
LIMIT_S = 4.0
OF_TEXTS = sorted(
    {
        (kind, module)
        for harness in HARNESSES
        for kind, module in harness.graders.items()
        if kind not in ("code", "humaneval", "scicode")
    }
)
TEXTS = {
    "digits": "7" * SIZE,
    "boxed digits": r"\boxed{" + "7" * SIZE + "}",
    "digits that end in a letter": "=" + "7" * SIZE + r"x \boxed{" + "7" * SIZE + "x}",
    "decimals": r"\boxed{0." + "7" * SIZE + "}",
    "spaced digits": r"\boxed{" + "7 " * (SIZE // 2) + "}",
    "listed digits": "$" + "7," * (SIZE // 2) + "$",
    "letters": "A" * SIZE,
    "blanks behind a statement": "The answer is" + " " * SIZE + "Option" + " " * SIZE,
    "empty lines": "\n" * SIZE,
    "marks behind a statement": "answer:" + "*" * SIZE + " option" + "*" * SIZE,
    "open boxes": r"\boxed{" * (SIZE // 7),
    "nested boxes": r"\boxed{" * (SIZE // 8) + "}" * (SIZE // 8),
}


@pytest.mark.parametrize(("kind", "module"), OF_TEXTS)
def test_a_giant_answer_is_graded_soon(kind: str, module: str) -> None:
    grader = importlib.import_module(f"k2eval.audit.foreign.{module}")
    getattr(grader, "prepare", lambda: None)()
    options = ("red", "blue", "green", "grey") if kind in ("choice", "rule_first") else ()
    question = Question(task="t", id="1", messages=(), gold="8", options=options, metadata={"tolerance": 1.0})
    spent = {
        name: seconds(lambda text: grader.grade(question, text, False), text, LIMIT_S)
        for name, text in TEXTS.items()
    }
    assert {name: round(each, 1) for name, each in spent.items() if each >= LIMIT_S} == {}


@pytest.mark.parametrize(
    "text",
    ["```" + "\n" * SIZE, "def f(" + ")->" * (SIZE // 3), 'def f():\n"""' + "\n" * SIZE],
    ids=["block", "signature", "docstring"],
)
def test_a_giant_completion_is_found_soon(text: str) -> None:
    gold = {"prompt": "", "entry_point": "f"}
    assert seconds(lambda whole: eval360_functions.completion(whole, gold), text, LIMIT_S) < LIMIT_S


@pytest.mark.parametrize(
    "text",
    ["\n" * SIZE, "from x" + " " * SIZE, "from \n" * (SIZE // 6)],
    ids=["lines", "blanks", "words"],
)
def test_imports_of_a_giant_program_are_found_soon(text: str) -> None:
    assert seconds(lambda whole: scicode_own._IMPORT.sub("", whole), text, LIMIT_S) < LIMIT_S


def test_a_response_that_is_too_long_for_other_graders_is_left_out_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("k2eval.audit.audit.LONGEST", 100)
    texts = iter([r"\boxed{7}", "7" * 101])
    run = smoke_run(tmp_path / "run", repeats=1, limit=2, text=lambda _: next(texts))
    found = audit_run(run, harnesses=["matharena"], workers=1)
    assert [column.compared for column in found.columns] == [1]
    assert "1 responses of more than 100 characters are not graded as MathArena" in found.notes[-1]
