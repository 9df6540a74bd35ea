"""Whether the prompt opens reasoning, if only the answers tell."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from k2eval.reasoning import AUTO, NONE, Parts, format_named
from k2eval.records import Generation, NoteKind, ReasoningFormat
from tests.engines.endpoint.asked import engine_at, notes_of, request
from tests.engines.endpoint.fake_server import Body, FakeServer, Reply, chunk, error, usage, well

CUT = "Perhaps \\boxed{7}. Let me"
ENDED = "2 + 3 is 5.\n</think>\n\n5"


def cut(text: str = CUT) -> Reply:
    return Reply(events=[chunk(text), chunk(finish="length"), usage(completion=100)])


def of_sum(reply: Reply, other: Callable[[Body], Reply] = lambda body: cut()) -> Callable[[Body], Reply]:
    """Give this reply to the short question, seeded letters to the checks of seeds, and others to all else."""

    def behave(body: Body) -> Reply:
        words = body["messages"][-1]["content"]
        if "letters" in words:
            return well(f"a b {body['seed']}")
        return reply if "2 + 3" in words else other(body)

    return behave


def sums(server: FakeServer) -> list[Body]:
    return [body for body in server.bodies if "2 + 3" in body["messages"][-1]["content"]]


async def generated(
    behave: Callable[[Body], Reply], count: int = 1, reasoning: ReasoningFormat = AUTO, **settings: Any
) -> tuple[list[Generation], str, FakeServer]:
    settings = {"probe": True, "attempts": 1, **settings}
    async with FakeServer(behave) as server, engine_at(server, reasoning=reasoning, **settings) as engine:
        generations = [await engine.generate(request(seed)) for seed in range(count)]
        kinds = [note.text for note in engine.info.notes if note.kind is NoteKind.REASONING]
    return generations, "\n".join(kinds), server


async def test_a_short_answer_that_ends_reasoning_which_nothing_opened_tells_that_a_cut_one_is_cut() -> None:
    [first, second], notes, server = await generated(of_sum(well(ENDED)), 2)
    assert (first.prefill, second.prefill) == ("<think>", "<think>")
    assert first.text == CUT and not Parts.of(first).complete
    assert "2 answers that were cut without a mark count as truncated" in notes
    assert len(sums(server)) == 1


async def test_a_mark_of_another_family_tells_the_same() -> None:
    form = format_named("mistral")
    [generation], _, _ = await generated(of_sum(well("5?[/THINK]5")), reasoning=form)
    assert generation.prefill == "[THINK]"


@pytest.mark.parametrize(
    "text", ["5", "<think>\n2 + 3\n</think>\n5", "The tag `</think>` ends it: 5", "<think>a</think>5</think>"]
)
async def test_a_short_answer_that_ends_no_such_reasoning_leaves_a_cut_answer_an_answer(text: str) -> None:
    [generation], notes, _ = await generated(of_sum(well(text)))
    assert (generation.prefill, notes) == ("", "")


async def test_an_earlier_answer_tells_without_a_question() -> None:
    replies = iter([well(ENDED), cut()])
    [_, generation], notes, server = await generated(of_sum(well("5"), lambda body: next(replies)), 2)
    assert (generation.prefill, sums(server)) == ("<think>", [])
    assert "1 answers that were cut" in notes


async def test_a_later_answer_that_contradicts_the_short_one_is_noted_with_the_number() -> None:
    replies = iter([cut(), well(ENDED), cut()])
    generations, notes, _ = await generated(of_sum(well("5"), lambda body: next(replies)), 3)
    assert [generation.prefill for generation in generations] == ["", "", "<think>"]
    assert "1 answers that were cut without a mark were taken for answers" in notes
    assert "engine.opens_think=true" in notes


@pytest.mark.parametrize(("reply", "probe"), [(cut(), True), (error(400), True), (well(ENDED), False)])
async def test_if_nothing_tells_the_setting_is_named(reply: Reply, probe: bool) -> None:
    [generation], notes, _ = await generated(of_sum(reply), probe=probe)
    assert generation.prefill == ""
    assert "1 answers were cut without a mark, and nothing tells" in notes
    assert "engine.opens_think=true" in notes


async def test_the_users_word_is_not_overruled_but_doubted() -> None:
    replies = iter([well(ENDED), cut()])
    generations, notes, server = await generated(
        of_sum(well("5"), lambda body: next(replies)), 2, opens_think=False
    )
    assert [generation.prefill for generation in generations] == ["", ""]
    assert "though engine.opens_think is false" in notes and not sums(server)


async def test_finished_answers_without_the_end_that_the_user_promised_are_counted() -> None:
    generations, notes, _ = await generated(
        of_sum(well("5"), lambda body: well("It is 4.")), opens_think=True
    )
    assert not Parts.of(generations[0]).complete
    assert (
        "1 finished answers show no end of the reasoning that the prompt opens by engine.opens_think" in notes
    )


@pytest.mark.parametrize("settings", [{"reasoning": NONE}, {"hides_reasoning": True}, {"opens_think": False}])
async def test_nothing_is_asked_if_the_answer_is_known(settings: dict[str, object]) -> None:
    [generation], notes, server = await generated(of_sum(well(ENDED)), **settings)  # type: ignore[arg-type]
    assert (generation.prefill, notes, sums(server)) == ("", "", [])


async def test_the_question_thinks_as_the_request_does() -> None:
    async with FakeServer(of_sum(well("5"))) as server, engine_at(server, probe=True) as engine:
        await engine.generate(request(thinking=False, max_tokens=50, stop=["x"]))
        await engine.generate(request(thinking=True))
    assert [body["chat_template_kwargs"]["enable_thinking"] for body in sums(server)] == [False, True]
    assert {body["max_tokens"] for body in sums(server)} == {4096}


async def test_answers_in_flight_at_once_ask_one_question() -> None:
    async with FakeServer(of_sum(well(ENDED))) as server, engine_at(server, probe=True) as engine:
        generations = await asyncio.gather(*(engine.generate(request(seed)) for seed in range(8)))
    assert {generation.prefill for generation in generations} == {"<think>"}
    assert len(sums(server)) == 1


async def test_a_hidden_reasoning_is_not_missed_by_the_word_of_the_server() -> None:
    async with (
        FakeServer(lambda body: well("It is 4.")) as server,
        engine_at(server, opens_think=True, hides_reasoning=True) as engine,
    ):
        assert (await engine.generate(request())).prefill == ""
        assert "opens" not in notes_of(engine)


async def test_an_answer_tells_the_format_of_a_model_about_which_nothing_is_known() -> None:
    [generation], notes, _ = await generated(of_sum(well("5?[/THINK]5")))
    assert generation.prefill == "[THINK]" and not Parts.of(generation).complete
    assert "1 answers that were cut without a mark count as truncated" in notes


async def test_reasoning_that_the_server_has_split_off_does_not_tell_who_opened_it() -> None:
    [generation], notes, _ = await generated(of_sum(well("5", reasoning_content="2 + 3 is 5.")))
    assert generation.prefill == ""
    assert "nothing tells whether the prompt opens reasoning" in notes
