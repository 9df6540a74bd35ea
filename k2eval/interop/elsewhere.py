"""The grader of lm-eval's own tasks in a run directory: lm-eval grades those tasks itself."""

from __future__ import annotations

from typing import NoReturn

from k2eval.errors import K2EvalError
from k2eval.records import Question

VERSION = 1


def grade(question: Question, text: str, truncated: bool) -> NoReturn:
    """Refuse to grade: nothing here can tell right from wrong.

    Raises:
        K2EvalError: If it is called.
    """
    raise K2EvalError(
        f"Task {question.task} is graded by lm-eval. Run the `k2eval lm-eval` command that made it again: kept "
        "responses are graded without a new generation."
    )
