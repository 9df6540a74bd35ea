"""Prompts of the recipes: planner, solver with a plan, pairwise judge, and one step of a SciCode problem.

The structure is that of K2-Think's published pipeline: a planner that must not disclose the answer, a solver that
sees the plan, a judge that compares two responses. There are two changes. The judge explains before it decides, and
candidates are named only by position, so that their order can be swapped. All wording is our own. k2-nano is trained
on exactly these words: after a change here it must be trained again (``models/nano``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from k2eval.records import Json, Message

PLAN_SYSTEM = (
    "You are a planner. Write a short plan for solving the problem: the key ideas and the order of the steps."
    " Do not carry out the steps and do not disclose the answer. Put the plan between <plan> and </plan>."
)

PLAN_HEADING = "Use this plan if it helps:"

JUDGE_SYSTEM = (
    "You are a judge. You see a problem and two responses to it. Decide which response is more likely to be "
    "correct. First check both by solving the problem, then decide. Reply with a JSON object with the keys "
    '"explanation" (what you checked) and "index" (0 or 1, the better response).'
)

JUDGE_SCHEMA: dict[str, Json] = {
    "type": "object",
    "properties": {
        "explanation": {"type": "string"},
        "index": {"type": "integer", "enum": [0, 1]},
    },
    "required": ["explanation", "index"],
    "additionalProperties": False,
}
"""The judge's reply. The explanation comes first, so that the verdict can depend on it."""

SCICODE_INSTRUCTION = (
    "Write the function of the next step, with the header as given. Earlier functions and the dependencies"
    " are already there: do not repeat them. No tests and no example calls. Answer with one ```python block."
)

SCICODE_BACKGROUND_INSTRUCTION = (
    "Begin the block with a comment '# Background: ' that states the scientific knowledge the step needs."
)


def plan_messages(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Ask for a plan for the question that ``messages`` asks; the task's own system message is left out."""
    return (Message(role="system", content=PLAN_SYSTEM), *_without_system(messages))


def with_plan(messages: Sequence[Message], plan: str) -> tuple[Message, ...]:
    """Return ``messages`` with ``plan`` at the end of the last message."""
    *before, last = messages
    content = f"{last.content}\n\n{PLAN_HEADING}\n{plan.strip()}"
    return (*before, Message(role=last.role, content=content))


def judge_messages(problem: str, response_a: str, response_b: str) -> tuple[Message, ...]:
    """Ask which of two responses is better: index 0 is ``response_a``, index 1 is ``response_b``.

    Args:
        problem: The solver's question, without system message and plan.
        response_a: The first candidate's text after its reasoning.
        response_b: The second candidate's text after its reasoning.
    """
    parts = ("Problem", problem), ("Response 0", response_a), ("Response 1", response_b)
    content = "\n\n".join(f"{name}:\n{text.strip()}" for name, text in parts)
    return (Message(role="system", content=JUDGE_SYSTEM), Message(role="user", content=content))


def scicode_messages(
    system: str,
    sub_steps: Sequence[Mapping[str, Json]],
    earlier_code: Sequence[str],
    dependencies: str,
    *,
    background: bool,
) -> tuple[Message, ...]:
    """Ask for the code of sub-step number ``len(earlier_code)`` (from 0) of a SciCode problem.

    Args:
        system: The task's system message; empty for none.
        sub_steps: ``sub_steps`` of the problem's row.
        earlier_code: The solver's own code of each earlier step, in order.
        dependencies: ``required_dependencies`` of the row.
        background: Whether to show ``step_background``; without it the solver is asked to write it.
    """
    parts = []
    if earlier_code:
        parts.append("Earlier steps:")
    for step, code in zip(sub_steps, earlier_code, strict=False):
        parts += [_describe(step, background), f"```python\n{code.strip()}\n```"]
    step = sub_steps[len(earlier_code)]
    header = f"{step['function_header'].rstrip()}\n\n{step['return_line'].rstrip()}"
    parts += [
        "Next step:",
        _describe(step, background),
        f"```python\n{header}\n```",
        f"Dependencies:\n{dependencies.strip()}",
        SCICODE_INSTRUCTION if background else f"{SCICODE_INSTRUCTION} {SCICODE_BACKGROUND_INSTRUCTION}",
    ]
    user = Message(role="user", content="\n\n".join(parts))
    return (Message(role="system", content=system), user) if system else (user,)


def _describe(step: Mapping[str, Json], background: bool) -> str:
    knowledge = str(step.get("step_background") or "").strip() if background else ""
    description = str(step["step_description_prompt"]).strip()
    return f"{description}\n\n{knowledge}" if knowledge else description


def _without_system(messages: Sequence[Message]) -> tuple[Message, ...]:
    return tuple(message for message in messages if message.role != "system")
