import pytest

from k2eval.errors import EngineError
from k2eval.recipes.planning import ATTEMPTS, plan, read_plan
from k2eval.recipes.prompts import PLAN_HEADING, PLAN_SYSTEM
from k2eval.records import Generation, Request
from tests.recipes.support import Asked, boxed, sample_of


def planning(*plans: str) -> Asked:
    left = list(plans)

    def script(request: Request) -> str:
        return left.pop(0) if request.stage.startswith("plan") else boxed(42)

    return Asked(script)


def answered(text: str, finish: str = "stop", prefill: str = "") -> Generation:
    return Generation(
        key="k", task="t", question_id="q", repeat_index=0, stage="plan", text=text, prefill=prefill,
        finish_reason=finish, prompt_tokens=1, output_tokens=1, duration_s=0.0, seed=0,
    )  # fmt: skip


async def test_the_solver_sees_the_plan_and_the_planner_sees_no_system_message_of_the_task() -> None:
    ask = planning("<plan>\nMultiply six by seven.\n</plan>")
    await plan(sample_of(ask))
    assert [turn.content for turn in ask.request("plan").messages] == [PLAN_SYSTEM, "What is 6 times 7?"]
    assert ask.request("solve").messages[-1].content.endswith(f"{PLAN_HEADING}\nMultiply six by seven.")
    assert ask.roles == {"plan": "planner", "solve": "solver"}


async def test_tokens_of_the_plan_count_for_the_recipe_and_not_for_the_selected_response() -> None:
    response = await plan(sample_of(planning("<plan>one two three</plan>")))
    assert (response.output_tokens, response.recipe_tokens) == (4, 7)


async def test_an_unusable_plan_is_asked_for_again_under_another_stage() -> None:
    ask = planning("", "<plan>Multiply.</plan>")
    response = await plan(sample_of(ask))
    assert ask.stages == ["plan", "plan.again-1", "solve"]
    assert "marks" not in response.notes


async def test_without_any_plan_the_question_is_solved_as_it_is_and_marked() -> None:
    ask = planning(*[""] * ATTEMPTS)
    response = await plan(sample_of(ask))
    assert ask.request("solve").messages[-1].content == "What is 6 times 7?"
    assert response.notes["marks"] == ["plan: no usable plan in 3 attempts, solved without"]


async def test_a_planner_that_fails_is_no_answer() -> None:
    def script(request: Request) -> str:
        raise EngineError("the planner is down")

    with pytest.raises(EngineError, match="down"):
        await plan(sample_of(Asked(script)))


@pytest.mark.parametrize(
    ("text", "finish", "prefill", "expected"),
    [
        ("<think>a</think><plan>b</plan>", "stop", "", "b"),
        ("first <plan>x</plan> then <plan> y </plan>", "stop", "", "y"),
        ("just do it", "stop", "", "just do it"),
        ("<plan>not clos", "length", "", None),
        ("<think>never ends", "stop", "", None),
        ("goes on thinking", "stop", "<think>", None),
        ("<plan>so it is \\boxed{42}</plan>", "stop", "", None),
        ("<plan> </plan>", "stop", "", None),
        ("", "stop", "", None),
    ],
)
def test_reading_a_plan(text: str, finish: str, prefill: str, expected: str | None) -> None:
    assert read_plan(answered(text, finish, prefill)) == expected


async def test_the_run_can_change_how_plans_are_drawn() -> None:
    ask = planning("<plan>x</plan>")
    await plan(sample_of(ask, role_sampling={"planner": {"max_tokens": 17}}))
    assert ask.request("plan").sampling.max_tokens == 17
    assert ask.request("plan").sampling.stop == ("</plan>",)
