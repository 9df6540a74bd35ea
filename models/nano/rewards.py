"""Verifiable rewards for replies."""

from __future__ import annotations

import ast
import json
import re
from typing import NamedTuple

from k2eval.grading import grader_for
from k2eval.reasoning import THINK
from k2eval.records import Outcome, Question

JUDGE = "judge"


class Try(NamedTuple):
    """One reply to be rewarded."""

    kind: str
    """One of the four kinds, or ``judge``."""
    gold: str
    reply: str


def reward(attempt: Try) -> float:
    """Return 1 for a right reply, else 0."""
    if attempt.kind == JUDGE:
        return float(verdict(attempt.reply) == int(attempt.gold))
    grader = _GRADERS.get(attempt.kind)
    if grader is None:
        return float(final_answer(attempt.kind, attempt.reply) == canonical(attempt.kind, attempt.gold))
    question = Question(
        task=attempt.kind, id="", grader=grader, messages=(), gold=attempt.gold,
        options=_OPTIONS if grader == "choice" else (),
    )  # fmt: skip
    grade = grader_for(grader).grade_response(
        question, attempt.reply, "</answer>" not in attempt.reply, THINK
    )
    return float(grade.outcome is Outcome.CORRECT)


_GRADERS = {"nano_math": "math", "nano_choice": "choice"}
_OPTIONS = ("first", "second", "third", "fourth")


def verdict(reply: str) -> int | None:
    """Return the index that a judge names; None if the reply is not the expected object."""
    try:
        content = json.loads(reply)
    except ValueError:
        return None
    index = (
        content.get("index")
        if isinstance(content, dict) and isinstance(content.get("explanation"), str)
        else None
    )
    return index if index in (0, 1) and not isinstance(index, bool) else None


def after_thinking(reply: str) -> str | None:
    """Return the text after the reasoning; None if the reasoning is not closed."""
    _, closed, rest = reply.rpartition("</think>")
    return rest if closed else None


def final_answer(kind: str, reply: str) -> str | None:
    """Return the final answer in its canonical form; None if there is none."""
    answer = after_thinking(reply)
    if answer is None or "</answer>" not in answer:
        return None
    if kind in ("nano_math", "nano_choice"):
        boxed = re.findall(r"\\boxed\{([^{}]*)\}", answer)
        return canonical(kind, boxed[-1]) if boxed else None
    block = re.findall(r"```python\n(.*?)\n```", answer, flags=re.DOTALL)
    return canonical(kind, block[-1]) if block else None


def canonical(kind: str, final: str) -> str | None:
    """Return an answer in the form in which equal answers are equal texts; a program as its syntax tree."""
    if kind in ("nano_math", "nano_choice"):
        return final.strip()
    try:
        return ast.dump(ast.parse(final))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
