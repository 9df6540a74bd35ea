"""Responses of every family, whole and cut, with the verdict of a careful reader: from a script and from a server.

The right answer is 8 and the guess 7, or the other way round where only reasoning holds the right one.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from k2eval.engines.scripted import ScriptedEngine
from k2eval.grading import grader_for
from k2eval.reasoning import Parts, format_named
from k2eval.records import Generation, Outcome, Question
from tests.engines.endpoint.asked import engine_at, request
from tests.engines.endpoint.fake_server import FakeServer, Reply, chunk, usage

QUESTION = Question(task="sums", id="q1", messages=(), gold="8", grader="math")
RIGHT, GUESS = "\\boxed{8}", "\\boxed{7}"

FAMILIES: dict[str, tuple[str, str]] = {
    "think": ("<think>\n", "\n</think>\n\n"),
    "mistral": ("[THINK]", "[/THINK]"),
    "seed": ("<seed:think>", "</seed:think>"),
    "gemma": ("<|channel>thought\n", "<channel|>"),
    "kimi_vl": ("◁think▷", "◁/think▷"),
    "sky": ("<|begin_of_thought|>\n\n", "\n\n<|end_of_thought|>\n\n<|begin_of_solution|>\n\n"),
    "medgemma": ("<unused94>thought\n", "<unused95>"),
    "apertus": ("<|inner_prefix|>", "<|inner_suffix|>"),
    "solar": ("<|think|>", "<|end|><|begin|>assistant<|content|>"),
    "s1": ("<|im_start|>think\n", "\n<|im_start|>answer\n"),
    "cohere": ("<|START_THINKING|>", "<|END_THINKING|>"),
    "granite": ("Here is my thought process:\n", "\nHere is my response:\n"),
    "harmony": ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
    "{start: <thought>, end: </thought>}": ("<thought>\n", "\n</thought>\n\n"),
}


class Case(NamedTuple):
    """One response, and what a careful reader says about it."""

    text: str
    outcome: Outcome
    cut: bool = False


def shapes(start: str, end: str) -> dict[str, Case]:
    """Return the responses that every family may write."""
    return {
        "whole": Case(f"{start}Is it {GUESS}? No.{end}It is {RIGHT}.", Outcome.CORRECT),
        "cut in reasoning": Case(f"{start}Is it {RIGHT}? Let me", Outcome.TRUNCATED, cut=True),
        "stopped in reasoning": Case(f"{start}It is {RIGHT}.", Outcome.TRUNCATED),
        "nothing after": Case(f"{start}It is {RIGHT}.{end}", Outcome.NO_ANSWER),
        "no answer after": Case(f"{start}It is {RIGHT}.{end}I do not know.", Outcome.NO_ANSWER),
        "cut in the answer": Case(f"{start}It is {RIGHT}.{end}So we see", Outcome.TRUNCATED, cut=True),
        "wrong after all": Case(f"{start}It is {RIGHT}.{end}It is {GUESS}.", Outcome.WRONG),
        "an answer tag within": Case(f"{start}<answer>8</answer>, maybe", Outcome.TRUNCATED, cut=True),
        "tags of the prompt": Case(
            f"{start}<think>x</think> <answer>8</answer> is what they want.", Outcome.TRUNCATED, cut=True
        ),
        "the answer mentions the marks": Case(
            f"{start}{GUESS}?{end}I used `{start.strip()}` and `{end.strip()}`. {RIGHT}", Outcome.CORRECT
        ),
        "again": Case(f"{start}a{end}{GUESS}\n{start}No.{end}{RIGHT}", Outcome.CORRECT),
        "with a token at the end": Case(f"{start}{GUESS}?{end}{RIGHT}<|im_end|>", Outcome.CORRECT),
    }


CASES = [
    pytest.param(name, case, id=f"{name}: {title}")
    for name, marks in FAMILIES.items()
    for title, case in shapes(*marks).items()
    if not (title == "tags of the prompt" and "<th" in marks[0])  # which looks like a mark that comes twice
]


def form_of(name: str) -> object:
    return {"start": "<thought>", "end": "</thought>"} if name.startswith("{") else name


def outcome_of(generation: Generation, name: str) -> Outcome:
    grade = grader_for("math").grade_response
    text, cut = generation.prefill + generation.text, generation.finish_reason == "length"
    form = format_named(form_of(name))  # type: ignore[arg-type]
    return grade(QUESTION, text, cut, form, generation.answer_start).outcome


def reply(case: Case, **fields: Any) -> Reply:
    content = fields.pop("content", case.text)
    finish = chunk(finish="length" if case.cut else "stop")
    return Reply(events=[chunk(content, **fields), finish, usage(completion=100 if case.cut else 7)])


@pytest.mark.parametrize(("name", "case"), CASES)
async def test_a_script_is_read_as_by_a_careful_reader(name: str, case: Case) -> None:
    generation = await ScriptedEngine(lambda request: case.text).generate(request(max_tokens=10_000))
    generation = generation.model_copy(update={"finish_reason": "length" if case.cut else "stop"})
    assert outcome_of(generation, name) is case.outcome


@pytest.mark.parametrize(("name", "case"), CASES)
async def test_a_server_without_a_parser_is_read_so(name: str, case: Case) -> None:
    form = format_named(form_of(name))  # type: ignore[arg-type]
    async with FakeServer(lambda body: reply(case)) as server, engine_at(server, reasoning=form) as engine:
        assert outcome_of(await engine.generate(request()), name) is case.outcome


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("prompt", [True, False])
async def test_a_server_that_leaves_out_what_the_template_opened_is_read_so(name: str, prompt: bool) -> None:
    _, end = FAMILIES[name]
    form = format_named(form_of(name))  # type: ignore[arg-type]
    whole = Case(f"Is it {GUESS}?{end}It is {RIGHT}.", Outcome.CORRECT)
    cut = Case(f"Is it {RIGHT}? Let me", Outcome.TRUNCATED, cut=True)
    replies = iter([whole, cut, whole])
    if name in ("harmony", "granite"):
        pytest.skip("its template opens nothing")
    async with (
        FakeServer(lambda body: reply(next(replies))) as server,
        engine_at(server, reasoning=form, opens_think=True if prompt else None) as engine,
    ):
        for case in (whole, cut, whole):
            assert outcome_of(await engine.generate(request()), name) is case.outcome


PARSED = {
    "a block within": (f"<think>x</think><answer>8</answer> {RIGHT}", "I do not know.", False, Outcome.NO_ANSWER),
    "a block within, cut": (f"<think>x</think><answer>8</answer> {RIGHT}", "", True, Outcome.TRUNCATED),
    "reasoning alone": (f"It is {RIGHT}", "", False, Outcome.NO_ANSWER),
    "white space after": (f"It is {RIGHT}", "\n\n", False, Outcome.NO_ANSWER),
    "white space after, cut": (f"It is {RIGHT}", "\n\n", True, Outcome.TRUNCATED),
    "an answer": (f"<answer>7</answer> {GUESS}", f"It is {RIGHT}", False, Outcome.CORRECT),
    "a wrong answer": (f"</think> {RIGHT}", f"It is {GUESS}", False, Outcome.WRONG),
    "a cut answer": (RIGHT, "So we", True, Outcome.TRUNCATED),
    "an answer that mentions the end": ("hm", f"I used </think> to end. {RIGHT}", False, Outcome.CORRECT),
    "a second block": ("hm", f"{GUESS}\n<think>\nno\n</think>\n{RIGHT}", False, Outcome.CORRECT),
    "a second block, cut": ("hm", f"{RIGHT}\n<think>\nno", True, Outcome.TRUNCATED),
    "both ways": ("hm", f"<think>hm {GUESS}</think>{RIGHT}", False, Outcome.CORRECT),
    "both ways, cut": ("hm", f"<think>hm {RIGHT}", True, Outcome.TRUNCATED),
    "split at the first mention": ("I close with ", f" and answer {GUESS}</think>{RIGHT}", False, Outcome.CORRECT),
}  # fmt: skip


@pytest.mark.parametrize("name", ["auto", "think", "harmony", "mistral"])
@pytest.mark.parametrize("title", PARSED)
async def test_a_server_with_a_parser_is_read_so(name: str, title: str) -> None:
    reasoning, content, cut, outcome = PARSED[title]
    if name == "harmony" and title == "split at the first mention":
        pytest.skip("its parser goes by channels")
    answer = reply(Case("", outcome, cut), content=content, reasoning_content=reasoning)
    async with (
        FakeServer(lambda body: answer) as server,
        engine_at(server, reasoning=format_named(name)) as engine,
    ):
        generation = await engine.generate(request())
    assert outcome_of(generation, name) is outcome
    assert Parts.of(generation, format_named(name)).reasoning.startswith(reasoning.strip())
