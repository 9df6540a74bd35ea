"""What each role is asked with: the solver's template arguments, and its own switches of thinking."""

from __future__ import annotations

from typing import Any

import pytest

from k2eval.recipes.answer_judge import judged
from k2eval.recipes.registry import recipe_for
from k2eval.records import Json, Outcome, Request, Role, Sampling, Verdict
from tests.recipes.support import Asked, boxed, sample_of, verdict


async def samplings(recipe: str, sampling: Sampling, **roles: Json) -> dict[Role, Sampling]:
    """How each role draws."""

    def script(request: Request) -> str:
        if request.stage.startswith("answer_judge"):
            return '{"answer": "", "comparison": "", "equivalent": true}'
        if request.stage.startswith("plan"):
            return "<plan>Multiply.</plan>"
        return verdict(0) if request.stage.startswith("judge") else boxed(request.seed)

    ask = Asked(script)
    sample = sample_of(ask, sampling=sampling, role_sampling=roles)
    response = await recipe_for(recipe)(sample)
    word = Verdict(
        task="sums", question_id="q1", repeat_index=0, outcome=Outcome.WRONG, score=0.0, grader="math/1"
    )
    await judged(sample, response, word)
    return {ask.roles[request.stage]: request.sampling for request in ask.engine.requests}


async def test_arguments_of_the_template_reach_every_role() -> None:
    drawn = await samplings("k2", Sampling(chat_template={"mood": "calm"}))
    assert [sampling.chat_template for sampling in drawn.values()] == [{"mood": "calm"}] * 4


async def test_arguments_that_a_role_sets_are_its_own() -> None:
    drawn = await samplings(
        "k2", Sampling(chat_template={"mood": "calm"}), judge={"chat_template": {"mood": "stern"}}
    )
    assert drawn["judge"].chat_template == {"mood": "stern"}
    assert drawn["planner"].chat_template == {"mood": "calm"}


async def test_effort_and_budget_reach_every_role() -> None:
    drawn = await samplings("k2", Sampling(reasoning_effort="low", thinking_budget=100))
    assert {(sampling.reasoning_effort, sampling.thinking_budget) for sampling in drawn.values()} == {
        ("low", 100)
    }


async def test_only_the_solver_thinks_unless_a_role_is_told_to() -> None:
    drawn = await samplings("k2", Sampling(thinking=True), judge={"thinking": True})
    assert {role: sampling.thinking for role, sampling in drawn.items()} == {
        "planner": False,
        "solver": True,
        "judge": True,
        "answer_judge": False,
    }


@pytest.mark.parametrize(
    "changes", [{}, {"chat_template": {}}, {"chat_template": {"enable_thinking": True}}], ids=str
)
async def test_a_judgement_of_0_1_0_is_found_again(changes: dict[str, Any]) -> None:
    drawn = await samplings("bo3", Sampling(), judge=changes)
    before = changes.get("chat_template", {"enable_thinking": False})
    assert drawn["judge"].identity()["chat_template"] == before


async def test_a_plan_of_0_1_0_is_found_again() -> None:
    drawn = await samplings("k2", Sampling(chat_template={"mood": "calm", "enable_thinking": True}))
    assert drawn["planner"].identity()["chat_template"] == {"mood": "calm", "enable_thinking": False}


async def test_the_published_judge_gets_the_arguments_too() -> None:
    asked: list[Request] = []

    def script(request: Request) -> str:
        asked.append(request)
        if request.stage.startswith("topics"):
            return '{"is_hard_problem": true, "plan": "", "search_list": ["x"]}'
        return '{"index": 0, "explanation": ""}' if request.stage.startswith("judge") else boxed(request.seed)

    await recipe_for("k2-published")(
        sample_of(Asked(script), sampling=Sampling(chat_template={"mood": "calm"}))
    )
    assert {request.sampling.chat_template["mood"] for request in asked} == {"calm"}
    assert any(request.stage.startswith("judge") for request in asked)
