import json

import pytest

from k2eval.errors import EngineError
from k2eval.recipes.published import INDEX_SCHEMA, Published
from k2eval.records import Request
from tests.recipes.support import Asked, boxed, sample_of

HARD = json.dumps({"is_hard_problem": True, "plan": "p", "search_list": ["products"]})
EASY = json.dumps({"is_hard_problem": False, "plan": "", "search_list": []})


def pipeline(topics: str = HARD, plan: str = "<plan>Multiply.</plan>", judge: str = "") -> Asked:
    def script(request: Request) -> str:
        step = request.stage.partition("-")[0].partition(".")[0]
        if step == "solve":
            return boxed(request.stage[-1])
        return {"topics": topics, "plan": plan, "judge": judge or '{"index": 1, "explanation": ""}'}[step]

    return Asked(script)


async def test_each_candidate_costs_two_planner_calls_and_one_solution() -> None:
    ask = pipeline()
    await Published()(sample_of(ask))
    expected = ["judge.0-1", "judge.1-2"]
    expected += [f"{step}{number}" for step in ("plan", "solve", "topics") for number in ("", "-1", "-2")]
    assert ask.stages == sorted(expected)


async def test_the_champion_is_always_shown_first_and_one_order_is_asked() -> None:
    ask = pipeline(judge='{"index": 0, "explanation": ""}')
    response = await Published()(sample_of(ask))
    assert ask.stages[:2] == ["judge.0-1", "judge.0-2"]
    assert response.notes["selected"] == 0


async def test_any_other_number_than_one_leaves_the_champion() -> None:
    ask = pipeline(judge='{"index": 2, "explanation": ""}')
    response = await Published()(sample_of(ask))
    assert ask.stages[:2] == ["judge.0-1", "judge.0-2"]
    assert response.notes["selected"] == 0


async def test_an_empty_plan_is_shown_as_it_is() -> None:
    ask = pipeline(plan="")
    await Published()(sample_of(ask))
    assert "<ideas></ideas>" in ask.request("solve").messages[-1].content


async def test_an_easy_problem_gets_no_plan() -> None:
    ask = pipeline(topics=EASY)
    await Published()(sample_of(ask))
    assert ask.request("solve").messages == sample_of(ask).question.messages
    assert not any(stage.startswith("plan") for stage in ask.stages)


async def test_the_solver_draws_at_temperature_one_without_top_p_and_stop() -> None:
    ask = pipeline()
    await Published()(sample_of(ask))
    sampling = ask.request("solve").sampling
    assert (sampling.temperature, sampling.top_p, sampling.stop) == (1.0, 1.0, ())
    assert "<ideas>Multiply.</ideas>" in ask.request("solve").messages[-1].content


async def test_the_index_comes_before_the_explanation() -> None:
    ask = pipeline()
    await Published()(sample_of(ask))
    request = ask.request("judge.0-1")
    assert request.sampling.json_schema == INDEX_SCHEMA
    assert list(INDEX_SCHEMA["properties"]) == ["index", "explanation"]
    assert "better_index" in request.messages[0].content


async def test_unusable_topics_and_verdicts_are_asked_for_again_and_marked() -> None:
    response = await Published(2)(sample_of(pipeline(topics="hm", judge="hm")))
    assert response.notes["marks"] == [
        "topics: no usable topics, solved without a plan",
        "topics-1: no usable topics, solved without a plan",
        "judge 0-1: no usable verdict, the champion stays",
    ]


async def test_a_failing_planner_is_an_error() -> None:
    def script(request: Request) -> str:
        raise EngineError("down")

    with pytest.raises(EngineError):
        await Published()(sample_of(Asked(script)))
