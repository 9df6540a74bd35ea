"""Rows of ``k2eval score`` with programs: ``{"question_id", "response"}`` or ``{"question_id", "code"}``.

SciCode may have a row per step (``step_id``). The data that such a row adds to its question are in the question's
metadata, for the graders of programs: ``as_code`` (the text is a program, not a response), ``step_id`` and ``earlier``
(code of earlier steps by number).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from k2eval.errors import DataError
from k2eval.grading.code.blocks import extract_code
from k2eval.reasoning import AUTO, split
from k2eval.records import Json, Question, ReasoningFormat

Steps = dict[tuple[str, int], dict[str, str]]
"""Code by question id and run index, and then by step."""


def asked(question: Question, row: Mapping[str, Json], steps: Steps | None = None) -> tuple[Question, str]:
    """Return the question as one row asks it, and the text to grade.

    Args:
        question: The question that the row names.
        row: A row with ``response`` or ``code``, and for SciCode perhaps ``step_id`` and ``earlier``.
        steps: The result of `steps_in` for all rows, used if a row has no ``earlier``.

    Raises:
        DataError: If the row has neither ``response`` nor ``code``.
    """
    name = "response" if "response" in row or "code" not in row else "code"
    text = row.get(name)
    if not isinstance(text, str):
        shown = "nothing" if text is None else json.dumps(text)[:80]
        raise DataError(f'expected "{name}" to be a string, got {shown}')
    added: dict[str, Json] = {}
    if "response" not in row:
        added["as_code"] = True
    if row.get("step_id") is not None:
        added["step_id"] = _step(row)
        earlier = row.get("earlier")
        added["earlier"] = earlier if isinstance(earlier, dict) else (steps or {}).get(_place(row), {})
    if not added:
        return question, text
    return question.model_copy(update={"metadata": {**question.metadata, **added}}), text


def steps_in(rows: Iterable[Mapping[str, Json]], form: ReasoningFormat = AUTO) -> Steps:
    """Return the code of every step that exactly one row of a question and repeat has."""
    codes: Steps = {}
    twice: set[tuple[tuple[str, int], str]] = set()
    for row in rows:
        if row.get("step_id") is None:
            continue
        place, step = _place(row), _step(row)
        if step in codes.setdefault(place, {}):
            twice.add((place, step))
        codes[place][step] = _code(row, form)
    for place, step in twice:
        del codes[place][step]
    return codes


def _place(row: Mapping[str, Json]) -> tuple[str, int]:
    index = row.get("repeat_index", row.get("run_index"))
    return str(row.get("question_id")), index if isinstance(index, int) else 0


def _step(row: Mapping[str, Json]) -> str:
    """Return the step's full number: ``10.2``, even if the row says ``2``."""
    step = str(row["step_id"])
    return step if "." in step else f"{row.get('question_id')}.{step}"


def _code(row: Mapping[str, Json], form: ReasoningFormat) -> str:
    if "response" not in row:
        return str(row.get("code") or "")
    return extract_code(split(str(row["response"]), form).answer) or ""
