"""Requests, answers and errors survive the way to an actor and back."""

import pytest

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


@pytest.mark.parametrize("reply", [b"", b"{}", b"nonsense", b"[" * 100_000, b'{"key": 1}', b"\xff"])
def test_nonsense_is_no_generation(reply: bytes) -> None:
    assert wire.unpack_generation(reply) is None


def test_a_state_and_a_start_come_back_equal() -> None:
    info = ScriptedEngine(text_of).info
    health = Health(info, 7, "SIGTERM")
    assert wire.unpack_health(wire.pack_health(health)) == health
    started = wire.Started(info, 9, 4711, "0.2.0")
    assert wire.unpack_started(wire.pack_started(started)) == started
