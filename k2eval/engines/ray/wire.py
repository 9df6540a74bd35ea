"""The bytes between driver and actors. Errors travel as data, so that nothing of a prompt gets into Ray's logs."""

from __future__ import annotations

import json
from typing import NamedTuple

from pydantic import ValidationError

from k2eval import errors
from k2eval.engines.fleet import Health, ReplicaLost
from k2eval.engines.protocol import EngineInfo
from k2eval.errors import EngineError, EngineStopped, K2EvalError
from k2eval.records import Generation, Request

_ERROR = b"!"


class Started(NamedTuple):
    """The word of a replica that has started."""

    info: EngineInfo
    window: int
    pid: int
    version: str
    """Version of k2eval."""


def pack_error(error: K2EvalError) -> bytes:
    """Return an error as bytes."""
    return _ERROR + json.dumps([type(error).__name__, str(error)]).encode()


def raise_error(reply: bytes) -> None:
    """Raise the error that a reply holds, if it holds one.

    Raises:
        ReplicaLost: If the engine has stopped: its replica ends.
        K2EvalError: Any other error of the engine's.
    """
    if not reply.startswith(_ERROR):
        return
    name, text = json.loads(reply[len(_ERROR) :])
    kind = getattr(errors, name, EngineError)
    if kind is EngineStopped or not issubclass(kind, K2EvalError):
        raise ReplicaLost(text)
    raise kind(text)


def pack_request(request: Request) -> bytes:
    """Return a request as bytes."""
    return request.to_line().encode()


def unpack_request(line: bytes) -> Request:
    """Return the request of these bytes."""
    return Request.model_validate(json.loads(line))


def pack_generation(generation: Generation) -> bytes:
    """Return a generation as bytes."""
    return generation.to_line().encode()


def unpack_generation(reply: bytes) -> Generation | None:
    """Return the generation of a reply; None if the reply is nonsense.

    Raises:
        K2EvalError: If the reply is an error.
    """
    raise_error(reply)
    try:
        return Generation.model_validate(json.loads(reply))
    except (ValueError, ValidationError, RecursionError):
        return None


def pack_started(started: Started) -> bytes:
    """Return the word of a replica that has started as bytes."""
    fields = started._asdict() | {"info": started.info.model_dump(mode="json")}
    return json.dumps(fields).encode()


def unpack_started(reply: bytes) -> Started:
    """Return the word of a replica that has started.

    Raises:
        K2EvalError: If the reply is an error.
    """
    raise_error(reply)
    fields = json.loads(reply)
    return Started(**fields | {"info": EngineInfo.model_validate(fields["info"])})


def pack_health(health: Health) -> bytes:
    """Return a state as bytes."""
    content = [health.info.model_dump(mode="json"), health.progress, health.leaving]
    return json.dumps(content).encode()


def unpack_health(reply: bytes) -> Health:
    """Return the state of these bytes.

    Raises:
        K2EvalError: If the reply is an error.
    """
    raise_error(reply)
    info, progress, leaving = json.loads(reply)
    return Health(EngineInfo.model_validate(info), progress, leaving)
