from __future__ import annotations

import pytest

from k2eval.errors import ConfigError, RecipeFailed
from k2eval.reasoning import Parts
from k2eval.recipes import recipe_for
from k2eval.recipes.forced import ANSWER_TOKENS, Forced
from k2eval.records import Request, Response, Sampling
from tests.recipes.support import Asked, sample_of

LONG = "<think>one two three four five</think>\n\nIt is \\boxed{42}."
"""Five words of reasoning; a token of the scripted engine is a word."""


def script(request: Request) -> str:
    return "So \\boxed{41}." if request.begun else LONG


async def forced(tokens: int, sampling: Sampling | None = None) -> tuple[Response, Asked]:
    ask = Asked(script)
    sample = sample_of(ask, sampling=sampling) if sampling else sample_of(ask)
    return await Forced(tokens)(sample), ask


async def test_an_answer_that_ended_by_the_budget_is_taken_as_it_is() -> None:
    response, ask = await forced(7)
    assert ask.stages == ["solve"]
    assert (response.text, response.recipe_tokens) == (LONG, 7)


async def test_a_longer_one_is_cut_and_gone_on_with() -> None:
    response, ask = await forced(3)
    assert ask.stages == ["forced.3", "solve"]
    request = ask.request("forced.3")
    assert request.begun is not None and request.begun.text == LONG
    assert response.text == "<think>one two three</think>\n\nSo \\boxed{41}."
    assert response.notes == {"forced_at": 3}


async def test_what_the_reasoning_says_about_marks_does_not_hide_the_answer() -> None:
    text = "<think>write <think> first then the rest</think> \\boxed{42}"
    ask = Asked(lambda request: "\\boxed{41}" if request.begun else text)
    response = await Forced(2)(sample_of(ask))
    assert response.text.startswith("<think>write <think></think>")
    assert Parts.of(response).answer == "\\boxed{41}"


async def test_tokens_are_those_kept_and_those_of_the_forced_answer() -> None:
    response, _ = await forced(3)
    assert (response.output_tokens, response.recipe_tokens) == (5, 5)
    assert len(response.generations) == 2


async def test_a_forced_answer_is_short() -> None:
    _, ask = await forced(3)
    assert ask.request("forced.3").sampling.max_tokens == ANSWER_TOKENS
    _, ask = await forced(3, Sampling(max_tokens=100))
    assert ask.request("forced.3").sampling.max_tokens == 100


async def test_the_first_answer_is_that_of_a_plain_run() -> None:
    _, ask = await forced(3)
    plain = Asked(script)
    await recipe_for("plain")(sample_of(plain))
    assert ask.request("solve").key == plain.request("solve").key


async def test_another_budget_or_another_text_is_another_generation() -> None:
    keys = {(await forced(tokens))[1].request(f"forced.{tokens}").key for tokens in (2, 3)}
    other = Asked(lambda request: "x" if request.begun else LONG.replace("five", "six"))
    await Forced(3)(sample_of(other))
    assert len(keys | {other.request("forced.3").key}) == 3


async def test_a_task_of_several_steps_is_refused_before_anything_is_asked() -> None:
    async def solver(*arguments: object) -> Response:
        raise AssertionError

    ask = Asked(script)
    with pytest.raises(RecipeFailed, match="solved in several steps"):
        await Forced(3)(sample_of(ask, solver=solver))
    assert ask.stages == []


def test_the_name_says_the_budget() -> None:
    assert recipe_for("forced4096") == Forced(4096)
    with pytest.raises(ConfigError):
        recipe_for("forced")
