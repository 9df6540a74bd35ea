"""The table in docs/answers.md is true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from k2eval.grading.answer import find_answer
from k2eval.grading.math.grader import matches

PAGE = Path(__file__).resolve().parents[2] / "docs" / "answers.md"
ROWS = re.findall(
    r"^\| `(.+)` \| `(.+)` \| (right|wrong) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE
)
EXTRACTED = re.findall(
    r"^\| ([A-Z].+) \| (?:`(.+)`|nothing) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE
)


def test_the_table_is_found() -> None:
    assert len(ROWS) >= 20


@pytest.mark.parametrize(("gold", "answer", "expected"), ROWS)
def test_a_row_is_graded_as_the_page_says(gold: str, answer: str, expected: str) -> None:
    assert matches(gold, answer) == (expected == "right")


@pytest.mark.parametrize(("response", "answer"), EXTRACTED)
def test_an_answer_is_extracted_as_the_page_says(response: str, answer: str) -> None:
    assert (find_answer(response, truncated=False).text or "") == answer


def test_the_table_of_extractions_is_found() -> None:
    assert len(EXTRACTED) >= 7
