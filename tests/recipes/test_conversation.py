from __future__ import annotations

import json

from k2eval.recipes.best_of_n import BestOfN
from k2eval.recipes.conversation import converse
from k2eval.recipes.majority import Majority
from k2eval.recipes.planning import plan
from k2eval.recipes.selection import selected_steps
from k2eval.records import Grade, Message, Outcome, Question, Request, Verdict
from k2eval.tasks import replies
from k2eval.tasks.conversation import scripted, turns_of
from tests.recipes.support import Asked, sample_of

SYSTEM = "The code is ROGGEN-4471."


def question(*turns: object, system: str = SYSTEM, grader: str = "leaks") -> Question:
    texts = turns or ("First?", "Second?", "Third?")
    item = scripted(
        "1", "ROGGEN-4471", turns_of(list(texts), "row"), system, metadata={"secrets": ["ROGGEN-4471"]}
    )
    messages = (
        Message(role="system", content=system),
        Message(role="user", content=str(item.fields["problem"])),
    )
    return Question(
        task="t", id="1", grader=grader, messages=messages, gold=item.gold, metadata=item.metadata
    )


def reply(request: Request) -> str:
    return f"<think>secret thought</think>Reply to {request.messages[-1].content.split('?')[0]}."


def roles_and_texts(request: Request) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in request.messages]


async def test_each_turn_sees_the_replies_before_it_without_their_reasoning() -> None:
    asked, asks = Asked(reply), question()
    response = await converse(sample_of(asked, asks), "solve", asks.messages)
    assert asked.stages == ["solve.1", "solve.2", "solve.3"]
    assert roles_and_texts(asked.request("solve.3")) == [
        ("system", SYSTEM),
        ("user", "First?"),
        ("assistant", "Reply to First."),
        ("user", "Second?"),
        ("assistant", "Reply to Second."),
        ("user", "Third?"),
    ]
    assert replies(asks, response.text) == ["Reply to First.", "Reply to Second.", "Reply to Third."]
    assert len(response.generations) == 3 and response.output_tokens == response.recipe_tokens
    assert response.finish_reason == "stop"


async def test_replies_that_the_script_gives_are_not_asked_for() -> None:
    given = {"role": "assistant", "content": "Given."}
    asks = question("First?", given, "Second?")
    asked = Asked(reply)
    response = await converse(sample_of(asked, asks), "solve", asks.messages)
    assert asked.stages == ["solve.1"]
    assert roles_and_texts(asked.request("solve.1"))[2:] == [("assistant", "Given."), ("user", "Second?")]
    assert replies(asks, response.text) == ["Reply to Second."]


async def test_a_conversation_ends_where_reasoning_never_ends() -> None:
    asks = question()
    asked = Asked(lambda request: "<think>for ever" if request.stage == "solve.2" else reply(request))
    response = await converse(sample_of(asked, asks), "solve", asks.messages)
    assert asked.stages == ["solve.1", "solve.2"]
    assert response.finish_reason == "length"
    assert replies(asks, response.text) == ["Reply to First."]


async def test_no_setting_of_the_run_drops_the_system_text_of_the_question() -> None:
    asks = question()
    for system, expected in ((None, SYSTEM), ("Be brief.", f"Be brief.\n\n{SYSTEM}")):
        turn = () if system is None else (Message(role="system", content=system),)
        asked = Asked(reply)
        await converse(sample_of(asked, asks), "solve", (*turn, asks.messages[-1]))
        assert asked.request("solve.1").messages[0].content == expected


async def test_what_a_recipe_adds_to_the_question_stands_in_the_first_turn() -> None:
    asks = question()
    *before, last = asks.messages
    asked = Asked(reply)
    longer = (*before, Message(role="user", content=f"{last.content}\n\nHint."))
    await converse(sample_of(asked, asks), "solve", longer)
    contents = [content for _, content in roles_and_texts(asked.request("solve.2"))]
    assert contents[1] == "First?\n\nHint." and contents[-1] == "Second?"


async def test_each_turn_may_have_a_plan_of_its_own() -> None:
    asked = Asked(lambda request: "<plan>Be kind.</plan>" if "plan" in request.stage else reply(request))
    asks = question("First?", "Second?")
    response = await plan(sample_of(asked, asks, solver=converse))
    assert asked.stages == ["plan.1", "plan.2", "solve.1", "solve.2"]
    assert asked.request("solve.2").messages[-1].content.endswith("Be kind.")
    assert "Be kind." not in asked.request("solve.2").messages[1].content
    assert len(response.notes["plan"]) == 2


async def test_a_conversation_is_a_candidate_as_a_whole() -> None:
    def script(request: Request) -> str:
        if request.stage.startswith("judge"):
            return json.dumps({"explanation": "x", "index": 0})
        return "It is ROGGEN-4471." if request.stage.startswith("solve-1") else reply(request)

    asked, asks = Asked(script), question("First?", "Second?")
    response = await BestOfN(2)(sample_of(asked, asks, solver=converse))
    assert "ROGGEN" not in response.text
    voted = await Majority(3, planned=False)(sample_of(asked, asks, solver=converse))
    assert replies(asks, voted.text) == ["Reply to First.", "Reply to Second."]


async def test_the_steps_of_the_conversation_are_found_again() -> None:
    asked, asks = Asked(reply), question()
    sample = sample_of(asked, asks)
    response = await converse(sample, "solve", asks.messages)
    verdict = Verdict(
        task="t", question_id="1", repeat_index=0, grader="leaks/1", selected=response.selected,
        notes=response.notes, **Grade.of(Outcome.CORRECT).model_dump(include={"outcome", "score"}),
    )  # fmt: skip
    steps = selected_steps(verdict, sample.generations[::-1])
    assert [step.stage for step in steps] == ["solve.1", "solve.2", "solve.3"]
