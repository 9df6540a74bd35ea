from __future__ import annotations

import json
from typing import Any

import pytest

from k2eval.errors import EngineError
from k2eval.recipes.candidates import make_candidate
from k2eval.recipes.planning import plan
from k2eval.recipes.scicode import solve_steps
from k2eval.records import Message, Question, Request
from k2eval.tasks.scicode import items
from k2eval.tasks.spec import DataSpec, TaskSpec
from tests.grading.code.test_scicode import row
from tests.recipes.support import Asked, sample_of


def question(given: str | None = None, **options: Any) -> Question:
    spec = TaskSpec(task="t", title="t", kind="code", grader="scicode", data=DataSpec(), options=options)
    [result] = items([row()], spec, 0).items
    problem = result.metadata["problem"]
    if given:
        problem["sub_steps"][0]["given_code"] = given
    return Question(
        task="t",
        id=result.id,
        messages=(
            Message(role="system", content="Be careful."),
            Message(role="user", content="All at once."),
        ),
        gold=result.gold,
        metadata=result.metadata,
    )


def answer(request: Request) -> str:
    name = {"solve.90.1": "twice", "solve.90.2": "total"}[request.stage]
    return f"<think>\n```python\ndraft\n```</think>Here:\n```python\ndef {name}(x): return x\n```"


async def test_each_step_sees_the_earlier_steps_and_their_code() -> None:
    asked = Asked(answer)
    response = await solve_steps(sample_of(asked, question()), "solve", question().messages)
    assert asked.stages == ["solve.90.1", "solve.90.2"]
    second = asked.request("solve.90.2").messages
    assert second[0].content == "Be careful."
    assert "def twice(x): return x" in second[1].content
    assert "draft" not in second[1].content
    assert "Write total(x)." in second[1].content
    assert "Write total(x)." not in asked.request("solve.90.1").messages[1].content
    assert json.loads(response.text) == {
        "scicode_steps": {"90.1": "def twice(x): return x", "90.2": "def total(x): return x"}
    }
    assert len(response.generations) == 2
    assert response.output_tokens == response.recipe_tokens


async def test_a_given_step_is_inserted_and_not_asked() -> None:
    asked = Asked(answer)
    await solve_steps(sample_of(asked, question("def twice(x): given")), "solve", question().messages)
    assert asked.stages == ["solve.90.2"]
    assert "def twice(x): given" in asked.request("solve.90.2").messages[1].content


async def test_a_step_without_code_leaves_a_gap() -> None:
    asked = Asked(lambda request: "<think>never closed" if request.stage == "solve.90.1" else answer(request))
    response = await solve_steps(sample_of(asked, question()), "solve", question().messages)
    assert json.loads(response.text)["scicode_steps"]["90.1"] is None
    assert json.loads(response.text)["scicode_steps"]["90.2"] is not None


async def test_what_a_recipe_adds_to_the_question_is_shown_with_every_step() -> None:
    asked = Asked(answer)
    *before, last = question().messages
    longer = (*before, Message(role="user", content=f"{last.content}\n\nHint: double first."))
    await solve_steps(sample_of(asked, question()), "solve", longer)
    for stage in asked.stages:
        assert asked.request(stage).messages[-1].content.endswith("\n\nHint: double first.")


async def test_every_step_is_planned_by_itself() -> None:
    asked = Asked(
        lambda request: (
            f"<plan>of {request.stage}</plan>" if request.stage.startswith("plan") else answer(request)
        )
    )
    response = await plan(sample_of(asked, question(), solver=solve_steps))
    assert asked.stages == ["plan.90.1", "plan.90.2", "solve.90.1", "solve.90.2"]
    assert "Write total(x)." in asked.request("plan.90.2").messages[-1].content
    assert asked.request("solve.90.2").messages[-1].content.endswith("\nof plan.90.2")
    assert response.notes["plan"] == [asked.request(f"plan.90.{number}").key for number in (1, 2)]


async def test_a_planner_that_gives_up_is_no_lost_candidate() -> None:
    def script(request: Request) -> str:
        if request.stage == "plan.90.2":
            raise EngineError("the planner is down")
        return "<plan>x</plan>" if request.stage.startswith("plan") else answer(request)

    with pytest.raises(EngineError, match="the planner is down"):
        await make_candidate(sample_of(Asked(script), question(), solver=solve_steps), 0, planned=True)


async def test_background_is_asked_for_or_shown() -> None:
    for background in (False, True):
        asked = Asked(answer)
        shown = question(background=background)
        await solve_steps(sample_of(asked, shown), "solve", shown.messages)
        content = asked.request("solve.90.1").messages[-1].content
        assert ("# Background" in content) is not background
