"""The responses of a task that is answered step by step, as one text."""

from __future__ import annotations

import json
from collections.abc import Sequence

from k2eval.records import Generation

IN_STEPS = "scicode"
"""The grader of tasks that are answered in steps."""


def stage_and_step(stage: str) -> tuple[str, str]:
    """Return the candidate's part of a stage, and the number of the step.

    >>> stage_and_step("solve-2.10.1"), stage_and_step("solve")
    (('solve-2', '10.1'), ('solve', ''))
    """
    candidate, *step = stage.split(".", 1)
    return candidate, step[0] if step else ""


def steps_as_text(generations: Sequence[Generation], texts: Sequence[str]) -> str:
    """Return the texts of all steps as one: a JSON object from step number to text."""
    steps = [stage_and_step(generation.stage)[1] for generation in generations]
    return json.dumps(dict(zip(steps, texts, strict=True)))


def texts_of_steps(text: str) -> dict[str, str]:
    """Return step number -> text of `steps_as_text`.

    >>> texts_of_steps('{"1.1": "a"}')
    {'1.1': 'a'}
    """
    return {str(step): str(answer) for step, answer in json.loads(text).items()}
