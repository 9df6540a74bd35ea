"""What servers honour is found by asking them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from k2eval.errors import EngineError, EngineStopped
from tests.engines.endpoint.asked import engine_at, first_then, notes_of, request
from tests.engines.endpoint.fake_server import (
    MODEL,
    Body,
    FakeServer,
    Reply,
    chunk,
    error,
    seeded,
    usage,
    well,
)

OTHERS: list[Body] = [{"id": "fakir", "object": "model"}]


async def test_a_server_that_honours_seeds_is_believed() -> None:
    async with FakeServer() as server, engine_at(server, probe=True) as engine:
        assert engine.info.honours_seeds
        assert engine.info.notes == ()


def ignoring_seed() -> Callable[[Body], Reply]:
    calls = iter(range(100))
    return lambda body: well(f"random {next(calls)}")


@pytest.mark.parametrize(
    ("behave", "note", "honours"),
    [
        (ignoring_seed(), "ignores the seed", False),
        (ignoring_seed(), "ignores n", False),
        (lambda body: well("always this"), "same answer to two seeds", True),
    ],
)
async def test_what_a_server_ignores_is_noticed(
    behave: Callable[[Body], Reply], note: str, honours: bool
) -> None:
    async with FakeServer(behave) as server, engine_at(server, probe=True) as engine:
        assert note in notes_of(engine)
        assert engine.info.honours_seeds is honours


async def test_a_model_that_is_not_listed_is_asked_and_noted() -> None:
    async with FakeServer(models=OTHERS) as server, engine_at(server) as engine:
        assert (await engine.generate(request(5))).text == "5 0"
        assert f"does not list {MODEL!r}" in notes_of(engine)


async def test_a_model_that_is_not_served_is_said_at_the_start() -> None:
    behave: Any = lambda body: error(404, "The model `fake` does not exist.")  # noqa: E731
    async with FakeServer(behave, models=OTHERS) as server:
        with pytest.raises(EngineError, match=r"does not serve 'fake'\. Did you mean fakir.*does not exist"):
            async with engine_at(server):
                pass


@pytest.mark.parametrize("status", [400, 403, 404, 500])
async def test_a_list_of_models_that_cannot_be_had_does_not_end_a_run(status: int) -> None:
    async with FakeServer(models=status) as server, engine_at(server, attempts=2) as engine:
        assert (await engine.generate(request(5))).text == "5 0"
        assert f"does not list its models: HTTP {status}: the server's own words" in notes_of(engine)


@pytest.mark.parametrize("status", [429, 503])
async def test_a_busy_list_of_models_is_asked_again(status: int) -> None:
    async with FakeServer(models=status) as server:
        asyncio.get_running_loop().call_later(0.05, setattr, server, "models", [{"id": MODEL}])
        async with engine_at(server, backoff_s=0.03) as engine:
            assert "list" not in notes_of(engine)


async def test_a_page_that_is_no_server_is_explained() -> None:
    async with FakeServer(lambda body: Reply(body="<html>hello</html>"), models=404) as server:
        with pytest.raises(EngineError, match=r"No list of models.*no answer.*usually ends in /v1"):
            async with engine_at(server):
                pass


async def test_a_refused_key_at_the_start_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    async with FakeServer(lambda body: error(401, "bad key sk-secret"), models=401) as server:
        with pytest.raises(EngineStopped, match=r"refused the API key.*bad key \*\*\*"):
            async with engine_at(server):
                pass


async def test_a_key_that_may_not_list_models_may_ask_them() -> None:
    async with FakeServer(models=401) as server, engine_at(server) as engine:
        assert (await engine.generate(request())).text
        assert "does not list its models: HTTP 401: the server's own words" in notes_of(engine)


async def test_checks_of_a_busy_server_are_tried_again() -> None:
    async with (
        FakeServer(first_then(error(429), 2, seeded)) as server,
        engine_at(server, probe=True) as engine,
    ):
        assert engine.info.honours_seeds
        assert "could not be checked" not in notes_of(engine)


def counting(honours: bool) -> Callable[[Body], Reply]:
    def behave(body: Body) -> Reply:
        length = 20 - 3 * (honours and body.get("chat_template_kwargs") == {"enable_thinking": False})
        return Reply(events=[chunk("x"), chunk(finish="stop"), usage(prompt=length, completion=1)])

    return behave


@pytest.mark.parametrize(
    ("honours", "value", "noted"), [(True, False, False), (True, True, False), (False, True, True)]
)
async def test_a_chat_templates_argument_that_changes_nothing_is_noted(
    honours: bool, value: bool, noted: bool
) -> None:
    async with FakeServer(counting(honours)) as server, engine_at(server) as engine:
        await engine.generate(request(chat_template={"enable_thinking": value}))
        for _ in range(200):
            await asyncio.sleep(0.005)
            if len(server.bodies) == 4:
                break
        await asyncio.sleep(0.02)
        assert ("enable_thinking changes nothing in the prompt" in notes_of(engine)) is noted


async def test_a_switch_that_changes_nothing_is_noted_beside_one_that_does() -> None:
    def behave(body: Body) -> Reply:
        length = 20 + ("reasoning_effort" in body.get("chat_template_kwargs", {}))
        return Reply(events=[chunk("x"), chunk(finish="stop"), usage(prompt=length, completion=1)])

    async with FakeServer(behave) as server, engine_at(server) as engine:
        await engine.generate(request(reasoning_effort="low", thinking_budget=9))
        for _ in range(40):
            await asyncio.sleep(0.005)
        notes = notes_of(engine)
    assert "thinking_budget, thinking_token_budget changes nothing" in notes
    assert "reasoning_effort" not in notes


@pytest.mark.parametrize(("switches", "noted"), [((), False), (("thinking",), True)])
async def test_a_switch_that_a_recipe_sets_of_itself_may_change_nothing(
    switches: tuple[str, ...], noted: bool
) -> None:
    asked = request(thinking=False)
    async with FakeServer(counting(False)) as server, engine_at(server) as engine:
        engine.preview(asked, switches)
        await engine.generate(asked)
        for _ in range(40):
            await asyncio.sleep(0.005)
        assert ("changes nothing in the prompt" in notes_of(engine)) is noted
