"""`k2eval check-model URL`: what short questions tell about a server."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from k2eval.cli.app import app
from k2eval.cli.check_server import check_server
from k2eval.cli.findings import Findings
from k2eval.config.run import RunConfig
from k2eval.errors import ConfigError
from tests.engines.endpoint.fake_server import MODEL, Body, FakeServer, Reply, error, seeded, well


def behave(body: Body) -> Reply:
    """A good server: it holds schemas, honours seeds, and adds."""
    if "response_format" in body:
        return well('{"sum": 5}')
    return seeded(body) if "letters" in body["messages"][-1]["content"] else well("5")


async def check(server: FakeServer, served: str | None = None, **fields: Any) -> Findings:
    config = RunConfig.model_validate(
        {"model": server.url, "tasks": ("smoke",), "recipe": "k2", "out": Path("x"), "limit": 1} | fields
    )
    return await asyncio.to_thread(check_server, config, served)


async def test_a_good_server_is_ready() -> None:
    async with FakeServer(behave) as server:
        findings = await check(server)
    assert not findings.to_set
    assert (findings.facts["model"], findings.facts["seeds"]) == (MODEL, "honoured")
    assert findings.facts["prompts"].startswith("plan (planner) 5 tokens, solve (solver)")
    assert [title.partition(":")[0] for title, _ in findings.prompts] == [
        "a question",
        "a stop string that the prompt names",
        "a JSON schema",
    ]


async def test_where_reasoning_comes_back_is_named() -> None:
    def reasoning(body: Body) -> Reply:
        return well("5", reasoning_content="2 + 3") if body["max_tokens"] > 100 else behave(body)

    async with FakeServer(reasoning) as server:
        findings = await check(server)
    assert findings.facts["reasoning"] == "comes apart, in the field reasoning_content"


async def test_reasoning_within_the_text_is_named() -> None:
    async with FakeServer(lambda body: well("<think>2 + 3</think>5")) as server:
        findings = await check(server)
    assert findings.facts["reasoning"] == "comes within the text, between its marks"


async def test_a_stage_that_the_server_refuses_must_be_mended() -> None:
    def refusing(body: Body) -> Reply:
        if any("You are a judge" in turn["content"] for turn in body["messages"]):
            return error(400, "no judging here")
        return behave(body)

    async with FakeServer(refusing) as server:
        findings = await check(server)
    [words] = findings.to_set
    assert words.startswith("judge (judge): ") and "no judging here" in words


async def test_an_answer_that_never_comes_must_be_mended() -> None:
    async with FakeServer(lambda body: well("<think>and on and on")) as server:
        findings = await check(server)
    assert any(words.startswith("a plain question gets no answer") for words in findings.to_set)


async def test_a_schema_that_is_not_held_is_noted() -> None:
    async with FakeServer(lambda body: well("five")) as server:
        findings = await check(server)
    assert any("does not hold answers to a JSON schema" in note for note in findings.notes)


async def test_the_name_that_is_given_is_asked() -> None:
    async with FakeServer(behave, models=[{"id": "other"}, {"id": MODEL}]) as server:
        findings = await check(server, MODEL)
    assert {body["model"] for body in server.bodies} == {MODEL}
    assert not findings.to_set


async def test_a_server_that_lists_nothing_is_told_apart_with_its_words() -> None:
    async with FakeServer(behave, models=500) as server:
        with pytest.raises(ConfigError, match=r"does not list its models \(HTTP 500.*--model NAME"):
            await check(server)


async def test_a_server_that_is_not_there_is_bad_input() -> None:
    async with FakeServer() as server:
        pass
    with pytest.raises(ConfigError, match="cannot be reached"):
        await check(server)


async def test_a_server_of_several_models_names_them_and_takes_the_one_that_is_given() -> None:
    async with FakeServer(behave, models=[{"id": "other"}, {"id": MODEL}]) as server:
        server.behave = lambda body: behave(body) if body["model"] == MODEL else error(404, "no such model")
        arguments = ["check-model", server.url, "--json", "--model", MODEL]
        result = await asyncio.to_thread(CliRunner().invoke, app, arguments)
        assert result.exit_code == 0
        assert json.loads(result.stdout)["facts"]["model"] == MODEL
        server.behave = lambda body: well("5", model=body["model"])
        findings = await check(server)
    assert (
        f"the server lists 2 models, the first was asked; --model NAME names another: other, {MODEL}"
        in findings.notes
    )
