from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from k2eval.engines.scripted import ScriptedEngine
from k2eval.engines.vllm.requests import Prompts
from k2eval.reasoning import Detection, format_named
from k2eval.records import Generation, Message, Request, Sampling

THINK = format_named("think")


def going_on(text: str, tokens: int, prefill: str = "") -> Request:
    request = Request(
        key="k",
        task="t",
        question_id="q",
        repeat_index=0,
        stage="s",
        messages=(Message(role="user", content="6 × 7?"),),
        sampling=Sampling(),
        seed=0,
    )
    before = Generation.answering(
        request,
        text=text,
        prefill=prefill,
        finish_reason="stop",
        prompt_tokens=1,
        output_tokens=9,
        duration_s=0,
    )
    return request.model_copy(update={"begun": before, "begun_tokens": tokens})


async def test_a_script_goes_on_behind_the_words_that_are_kept() -> None:
    engine = ScriptedEngine(lambda request: "42", reasoning=Detection(THINK, "set"))
    generation = await engine.generate(going_on("so it is</think> 41", 2, prefill="<think>"))
    assert (generation.prefill, generation.text) == ("<think>so it</think> ", "42")


@pytest.fixture
def tokenizer(checkpoint: Path) -> Any:
    return AutoTokenizer.from_pretrained(checkpoint)


def test_the_prompt_of_vllm_ends_in_what_is_kept(tokenizer: Any) -> None:
    """Each byte is a token here."""
    prompts = Prompts("m", tokenizer, THINK)
    asked = going_on("first add</think>\n42", 5)
    ids, prefill = prompts.of(asked)
    before, _ = prompts.of(asked.model_copy(update={"begun": None}))
    assert prefill == "first</think>\n"
    assert ids[: len(before)] == before
    assert tokenizer.decode(ids[len(before) :]) == "first</think>\n"


def test_the_prefill_of_the_template_is_not_repeated(tokenizer: Any) -> None:
    prompts = Prompts("m", tokenizer, THINK)
    asked = going_on("first add</think>\n42", 5, prefill="<think>")
    ids, prefill = prompts.of(asked)
    before, _ = prompts.of(asked.model_copy(update={"begun": None}))
    assert prefill == "<think>first</think>\n"
    assert tokenizer.decode(ids[len(before) :]) == "first</think>\n"


def test_half_a_character_is_not_kept(tokenizer: Any) -> None:
    _, prefill = Prompts("m", tokenizer, THINK).of(going_on("π is</think>3", 1))
    assert prefill == "</think>"
