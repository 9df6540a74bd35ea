"""The generations behind a verdict: which of them the response consists of, and who wrote each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from k2eval.reasoning import AUTO, Parts
from k2eval.records import Generation, ReasoningFormat, Role, Verdict

_ROLES: dict[str, Role] = {
    "plan": "planner",
    "topics": "planner",
    "judge": "judge",
    "answer_judge": "answer_judge",
}
Formats = Mapping[Role, ReasoningFormat]
"""The reasoning format of the checkpoint behind each role, as ``run.json`` keeps it."""


def role_of(stage: str) -> Role:
    """Return who is asked in a stage of k2eval's recipes.

    >>> role_of("plan-1.again-1"), role_of("judge.0-1"), role_of("solve-2.90.1")
    ('planner', 'judge', 'solver')
    """
    return _ROLES.get(stage.partition(".")[0].partition("-")[0], "solver")


def selected_steps(verdict: Verdict, generations: Sequence[Generation]) -> list[Generation]:
    """Return the generations that the response consists of: one, or all steps of the selected attempt in order.

    Args:
        verdict: The verdict on the response.
        generations: All that was generated for it.
    """
    selected = next((generation for generation in generations if generation.key == verdict.selected), None)
    if selected is None:
        return []
    if "steps" not in verdict.notes:
        return [selected]
    attempt = selected.stage.partition(".")[0]
    steps = [generation for generation in generations if generation.stage.partition(".")[0] == attempt]
    return sorted(
        steps,
        key=lambda generation: [int(part) for part in generation.stage.split(".")[1:] if part.isdigit()],
    )


def text_of(steps: Sequence[Generation]) -> str:
    """Return the raw text of a response that consists of these generations."""
    return "\n\n".join(step.prefill + step.text for step in steps)


def parts_of(generation: Generation, formats: Formats) -> Parts:
    """Split a generation into reasoning and answer, by the format of whoever wrote it."""
    return Parts.of(generation, formats.get(role_of(generation.stage), AUTO))


def reasoning_of(steps: Sequence[Generation], formats: Formats) -> str:
    """Return all reasoning of a response that consists of these generations."""
    reasoning = (parts_of(step, formats).reasoning for step in steps)
    return "\n\n".join(text for text in reasoning if text)
