"""Requests, answers and errors survive the way to an actor and back."""

import json
from typing import Any

import pytest

import k2eval
from k2eval import errors
from k2eval.engines.fleet import Health, ReplicaLost
from k2eval.engines.ray import wire
from k2eval.engines.scripted import ScriptedEngine
from k2eval.errors import EngineError, EngineGaveUp, EngineStopped, K2EvalError, PromptTooLong
from k2eval.records import Message
from tests.engines.fleet.support import request, text_of


async def test_requests_and_generations_come_back_equal() -> None:
    strange = (Message(role="user", content="lone \ud800 surrogate"),)
    asked = request(3).model_copy(update={"messages": strange, "seed": 2**31 - 1})
    assert wire.unpack_request(wire.pack_request(asked)) == asked
    answer = await ScriptedEngine(text_of).generate(asked)
    assert "\ud800" in answer.text
    assert wire.unpack_generation(wire.pack_generation(answer)) == answer


@pytest.mark.parametrize("kind", [EngineError, EngineGaveUp, PromptTooLong, errors.ConfigError])
def test_an_error_keeps_its_kind_and_its_words(kind: type[K2EvalError]) -> None:
    with pytest.raises(K2EvalError, match="why") as caught:
        wire.unpack_generation(wire.pack_error(kind("why")))
    assert type(caught.value) is kind


def test_an_engine_that_has_stopped_is_a_replica_that_is_lost() -> None:
    with pytest.raises(ReplicaLost, match="dead"):
        wire.unpack_generation(wire.pack_error(EngineStopped("dead")))


@pytest.mark.parametrize("kind", [errors.DataError, errors.JournalError, errors.SandboxUnavailable])
def test_an_error_that_is_no_engines_costs_its_replica_alone(kind: type[K2EvalError]) -> None:
    with pytest.raises(ReplicaLost, match="why"):
        wire.unpack_generation(wire.pack_error(kind("why")))


@pytest.mark.parametrize("kind", [EngineError, EngineStopped, errors.ConfigError])
def test_a_replica_that_tells_an_error_of_itself_is_lost_alone(kind: type[K2EvalError]) -> None:
    with pytest.raises(ReplicaLost, match="why"):
        wire.unpack_health(wire.pack_error(kind("why")))


@pytest.mark.parametrize("reply", [b"", b"{}", b"nonsense", b"[" * 100_000, b'{"key": 1}', b"\xff"])
def test_nonsense_is_no_generation(reply: bytes) -> None:
    assert wire.unpack_generation(reply) is None


def test_a_state_and_a_start_come_back_equal() -> None:
    info = ScriptedEngine(text_of).info
    health = Health(info, 7, "SIGTERM")
    assert wire.unpack_health(wire.pack_health(health)) == health
    started = wire.Started(info, 9, 4711, k2eval.__version__)
    assert wire.unpack_started(wire.pack_started(started)) == started


NONSENSE = [
    b"",
    b"{}",
    b"[]",
    b"null",
    b"nonsense",
    b"[" * 100_000,
    b'{"version": 1}',
    b"[{}, 1, 2]",
    b"\xff",
]


@pytest.mark.parametrize("reply", NONSENSE)
def test_nonsense_is_no_state_and_ends_its_replica_alone(reply: bytes) -> None:
    with pytest.raises(ReplicaLost, match="cannot be read"):
        wire.unpack_health(reply)


@pytest.mark.parametrize("reply", [reply for reply in NONSENSE if b"version" not in reply])
def test_nonsense_is_no_start(reply: bytes) -> None:
    with pytest.raises(EngineError, match="cannot be read"):
        wire.unpack_started(reply)


@pytest.mark.parametrize("window", [0, -1, None, "many"])
def test_a_start_without_room_is_none(window: Any) -> None:
    with pytest.raises(EngineError, match="cannot be read"):
        wire.unpack_started(
            wire.pack_started(wire.Started(ScriptedEngine(text_of).info, window, 1, k2eval.__version__))
        )


def test_another_version_is_told_whatever_else_it_says() -> None:
    reply = json.dumps({"version": "9.9", "info": {"a field": "of its own"}, "more": 1}).encode()
    with pytest.raises(
        errors.ConfigError, match=rf"expected k2eval {k2eval.__version__} on its node, got 9\.9"
    ):
        wire.unpack_started(reply)


@pytest.mark.parametrize("reply", [b"!", b"!{}", b"![1]", b'![["a"], "b"]', b"!\xff", b"!" + b"[" * 100_000])
def test_an_error_that_is_nonsense_ends_its_replica_alone(reply: bytes) -> None:
    for unpack in (wire.unpack_generation, wire.unpack_health, wire.unpack_started):
        with pytest.raises(ReplicaLost, match="cannot be read"):
            unpack(reply)


@pytest.mark.parametrize(("name", "kind"), [("did_you_mean", ReplicaLost), ("Unknown", EngineError)])
def test_an_error_of_no_kind_of_ours_keeps_its_words(name: str, kind: type[K2EvalError]) -> None:
    with pytest.raises(K2EvalError, match="why") as caught:
        wire.raise_error(b"!" + json.dumps([name, "why"]).encode())
    assert type(caught.value) is kind
