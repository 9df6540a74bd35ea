"""Which generations a response consists of, and what in them is reasoning."""

from typing import Any

import pytest

from k2eval.reasoning import format_named
from k2eval.recipes.selection import Formats, parts_of, reasoning_of, role_of, selected_steps, text_of
from k2eval.records import Generation, Outcome, Role, Verdict

FORMATS: Formats = {
    "solver": format_named("mistral"),
    "judge": format_named("seed"),
    "planner": format_named("none"),
}


def generation_of(stage: str, text: str = "", prefill: str = "") -> Generation:
    return Generation(
        key=stage, task="t", question_id="q", repeat_index=0, stage=stage, text=text, prefill=prefill,
        finish_reason="stop", prompt_tokens=1, output_tokens=1, duration_s=0.0, seed=0,
    )  # fmt: skip


def verdict(selected: str, **notes: Any) -> Verdict:
    return Verdict(
        task="t", question_id="q", repeat_index=0, outcome=Outcome.WRONG, score=0.0, grader="g/1", selected=selected,
        notes=notes,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("stage", "role"),
    [
        ("solve", "solver"),
        ("solve-2.90.1", "solver"),
        ("plan", "planner"),
        ("plan-1.again-1", "planner"),
        ("topics-1", "planner"),
        ("judge.0-1", "judge"),
        ("answer_judge.again-1", "answer_judge"),
        ("planet", "solver"),
    ],
)
def test_a_stage_tells_who_was_asked(stage: str, role: Role) -> None:
    assert role_of(stage) == role


def test_all_steps_of_the_selected_attempt_count_in_their_order() -> None:
    generations = [
        generation_of(stage) for stage in ("solve.90.10", "plan.90.2", "solve-1.90.2", "solve.90.2")
    ]
    steps = selected_steps(verdict("solve.90.10", steps=2), generations)
    assert [step.stage for step in steps] == ["solve.90.2", "solve.90.10"]
    assert [step.stage for step in selected_steps(verdict("solve.90.10"), generations)] == ["solve.90.10"]
    assert selected_steps(verdict("lost"), generations) == []


def test_each_role_is_read_by_its_own_format() -> None:
    texts = {
        "solve": "[THINK]a[/THINK]b",
        "judge.0-1": "<seed:think>a</seed:think>b",
        "plan": "[THINK]a[/THINK]b",
    }
    answers = {stage: parts_of(generation_of(stage, text), FORMATS).answer for stage, text in texts.items()}
    assert answers == {"solve": "b", "judge.0-1": "b", "plan": "[THINK]a[/THINK]b"}


def test_the_reasoning_of_several_steps_is_put_together() -> None:
    steps = [
        generation_of("solve.1", "a[/THINK]b", "[THINK]"),
        generation_of("solve.2", "c"),
        generation_of("solve.3", "[THINK]d[/THINK]e"),
    ]
    assert reasoning_of(steps, FORMATS) == "a\n\nd"
    assert text_of(steps) == "[THINK]a[/THINK]b\n\nc\n\n[THINK]d[/THINK]e"
