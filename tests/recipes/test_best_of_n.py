import asyncio
import json
from collections.abc import Callable

import pytest

from k2eval.errors import EngineError, EngineStopped, PromptTooLong
from k2eval.recipes.best_of_n import BestOfN
from k2eval.recipes.judge import SAMPLING, SHOWN, read_index, reply_of
from k2eval.recipes.prompts import JUDGE_SCHEMA
from k2eval.records import Generation, Request
from tests.recipes.support import Asked, answering, boxed, sample_of, verdict


def prefers(answer: int) -> Callable[[Request], str]:
    """Return a judge that finds one answer in either place."""

    def judge(request: Request) -> str:
        first, _ = request.messages[-1].content.split("Response 1:")
        return verdict(0 if f"{{{answer}}}" in first.split("Response 0:")[1] else 1)

    return judge


async def test_the_candidate_that_both_orders_name_wins() -> None:
    ask = answering(41, 42, 43, judge=prefers(42))
    response = await BestOfN(3)(sample_of(ask))
    assert "42" in response.text
    assert response.notes["selected"] == 1
    assert response.notes["comparisons"] == [
        {"pair": [0, 1], "winner": 1, "ground": "both orders", "orders": [1, 1]},
        {"pair": [1, 2], "winner": 1, "ground": "both orders", "orders": [1, 1]},
    ]
    assert ask.stages == ["judge.0-1", "judge.1-0", "judge.1-2", "judge.2-1", "solve", "solve-1", "solve-2"]


async def test_a_judge_that_always_names_the_first_decides_nothing() -> None:
    response = await BestOfN(2)(sample_of(answering(41, 42, judge=lambda request: verdict(0))))
    assert response.notes["comparisons"] == [
        {"pair": [0, 1], "winner": 0, "ground": "lower index", "orders": [0, 1]}
    ]


async def test_votes_decide_where_the_orders_disagree() -> None:
    response = await BestOfN(3)(sample_of(answering(41, 42, 42, judge=lambda request: verdict(1))))
    assert response.notes["selected"] == 2
    assert [comparison["ground"] for comparison in response.notes["comparisons"]] == ["lower index", "votes"]


async def test_equal_answers_need_no_judge() -> None:
    ask = answering("1/2", "0.5", "\\frac{1}{2}")
    response = await BestOfN(3)(sample_of(ask))
    assert ask.stages == ["solve", "solve-1", "solve-2"]
    assert response.notes["selected"] == 0
    assert {comparison["ground"] for comparison in response.notes["comparisons"]} == {"same answer"}


async def test_an_answer_beats_none_without_a_judge() -> None:
    response = await BestOfN(3)(sample_of(answering(None, 42, None)))
    assert response.notes["selected"] == 1


async def test_the_judge_sees_neither_reasoning_nor_system_message() -> None:
    ask = answering(41, 42, judge=lambda request: verdict(0))
    await BestOfN(2)(sample_of(ask))
    request = ask.request("judge.1-0")
    assert request.messages[-1].content == (
        "Problem:\nWhat is 6 times 7?\n\nResponse 0:\nThe answer is \\boxed{42}.\n\n"
        "Response 1:\nThe answer is \\boxed{41}."
    )
    assert request.sampling == SAMPLING
    assert ask.roles["judge.1-0"] == "judge"


async def test_of_a_long_candidate_the_judge_sees_the_end() -> None:
    def script(request: Request) -> str:
        if request.stage.startswith("judge"):
            return verdict(0)
        return "x " * SHOWN + boxed(len(request.stage)).replace("<think>hm</think>", "")

    ask = Asked(script)
    await BestOfN(2)(sample_of(ask, sampling=SAMPLING.model_copy(update={"max_tokens": 100_000})))
    shown = ask.request("judge.0-1").messages[-1].content
    assert len(shown) < 2 * SHOWN + 200
    assert shown.endswith("\\boxed{7}.")


async def test_an_unusable_verdict_is_asked_for_again() -> None:
    def judge(request: Request) -> str:
        return verdict(1) if "again" in request.stage or request.stage == "judge.1-0" else "well, hm"

    ask = answering(41, 42, judge=judge)
    response = await BestOfN(2)(sample_of(ask))
    assert "judge.0-1.again-1" in ask.stages
    assert "marks" not in response.notes


async def test_a_judge_without_any_verdict_marks_the_sample() -> None:
    ask = answering(41, 42, judge=lambda request: "no idea")
    response = await BestOfN(2)(sample_of(ask))
    assert response.notes["selected"] == 0
    assert response.notes["marks"] == ["judge 0-1: 2 of 2 orders without a usable verdict"]
    assert sum(stage.startswith("judge") for stage in ask.stages) == 6


async def test_a_judge_whose_engine_fails_is_an_error_and_no_choice() -> None:
    def judge(request: Request) -> str:
        raise EngineError("the judge is down")

    with pytest.raises(EngineError, match="judge is down"):
        await BestOfN(2)(sample_of(answering(41, 42, judge=judge)))


async def test_a_lost_candidate_is_said_and_the_others_compete() -> None:
    ask = answering(41, EngineError("gone"), 42, judge=prefers(42))
    response = await BestOfN(3)(sample_of(ask))
    assert response.notes["selected"] == 2
    assert response.notes["lost"] == [{"index": 1, "stage": "solve-1", "reason": "gone"}]
    assert response.notes["marks"] == ["2 of 3 candidates: the engine gave up on the others"]


async def test_without_any_candidate_the_first_error_stands() -> None:
    with pytest.raises(PromptTooLong, match="first"):
        await BestOfN(2)(sample_of(answering(PromptTooLong("first"), EngineError("second"))))


async def test_a_dead_engine_ends_the_sample() -> None:
    with pytest.raises(EngineStopped):
        await BestOfN(3)(sample_of(answering(41, EngineStopped("dead"), 42)))


async def test_everything_generated_counts() -> None:
    ask = answering(41, 42, judge=prefers(42))
    response = await BestOfN(2, planned=True)(sample_of(ask))
    assert len(response.generations) == 6
    assert response.output_tokens == 4
    assert response.recipe_tokens == 2 * 1 + 2 * 4 + 2 * 4


async def test_each_candidate_of_k2_has_its_own_plan() -> None:
    ask = answering(42, 42, 42)
    await BestOfN(3, planned=True)(sample_of(ask))
    assert ask.stages == ["plan", "plan-1", "plan-2", "solve", "solve-1", "solve-2"]


async def test_seeds_of_the_candidates_differ() -> None:
    ask = answering(42, 42, 42)
    await BestOfN(3)(sample_of(ask))
    assert len({request.seed for request in ask.engine.requests}) == 3


@pytest.mark.parametrize("tournament", [False, True])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8])
async def test_the_best_wins_in_scan_and_tournament(n: int, tournament: bool) -> None:
    best = n - 1
    ask = answering(*range(n), judge=prefers(best))
    response = await BestOfN(n, tournament=tournament)(sample_of(ask))
    assert response.notes["selected"] == best
    assert len(response.notes["comparisons"]) == n - 1


async def test_the_judge_starts_before_the_last_candidate_is_there() -> None:
    order: list[str] = []
    last = asyncio.Event()

    async def ask(request: Request, role: str):  # type: ignore[no-untyped-def]
        if request.stage == "solve-2":
            await last.wait()
        generation = await inner(request, role)  # type: ignore[arg-type]
        order.append(request.stage)
        if request.stage == "judge.1-0":
            last.set()
        return generation

    inner = answering(41, 42, 43, judge=prefers(42))
    await BestOfN(3)(sample_of(ask))  # type: ignore[arg-type]
    assert order.index("judge.0-1") < order.index("solve-2")


def _reply(text: str, prefill: str = "") -> str:
    sample = sample_of(Asked(lambda request: text))
    generation = Generation(
        key="k", task="t", question_id="q", repeat_index=0, stage="judge.0-1", text=text, prefill=prefill,
        finish_reason="stop", prompt_tokens=1, output_tokens=1, duration_s=0.0, seed=0,
    )  # fmt: skip
    return reply_of(sample, generation, "judge")


def test_a_verdict_within_the_reasoning_of_a_judge_is_none() -> None:
    assert read_index(_reply(f"<think>{verdict(0)}</think>{verdict(1)}")) == 1
    assert read_index(_reply(f"Is it {verdict(0)}?", prefill="<think>")) is None


def test_a_schema_binds_a_reply_though_the_template_opened_reasoning() -> None:
    assert read_index(_reply(verdict(1), prefill="<think>")) == 1


@pytest.mark.parametrize(
    ("text", "index"),
    [
        (verdict(0), 0),
        (verdict(1), 1),
        ("```json\n" + verdict(1) + "\n```", 1),
        ('{"explanation": "a {brace} in it", "index": 1}', 1),
        ('{"index": "1"}', 1),
        (verdict(2), None),
        (verdict("true"), None),
        ('{"explanation": "cut off', None),
        ("[0]", None),
        ("", None),
        ("{" * 5000, None),
        ("\\frac{1}{2} " * 100 + verdict(1), 1),
        (json.dumps({"better_index": 1}), None),
    ],
)  # fmt: skip
def test_reading_a_verdict(text: str, index: int | None) -> None:
    assert read_index(text) == index


def test_the_explanation_comes_before_the_index() -> None:
    assert list(JUDGE_SCHEMA["properties"]) == ["explanation", "index"]
