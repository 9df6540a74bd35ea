"""The bytes between driver and actors. Errors travel as data, so that nothing of a prompt gets into Ray's logs."""

from __future__ import annotations

import json
from typing import NamedTuple

import k2eval
from k2eval import errors
from k2eval.engines.fleet import Health, ReplicaLost
from k2eval.engines.protocol import EngineInfo
from k2eval.errors import ConfigError, EngineError, EngineStopped, K2EvalError
from k2eval.records import Generation, Request

_ERROR = b"!"
_NONSENSE = (ValueError, TypeError, KeyError, AttributeError, RecursionError)
"""Errors of reading a reply that is none."""


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
        ReplicaLost: If the engine has stopped, or the error is nonsense: its replica ends.
        K2EvalError: Any other error of the engine's.
    """
    if not reply.startswith(_ERROR):
        return
    try:
        name, text = json.loads(reply[len(_ERROR) :])
        kind = vars(errors).get(name, EngineError)
    except _NONSENSE:
        raise ReplicaLost("it answered with an error that cannot be read") from None
    if kind is EngineStopped or not (isinstance(kind, type) and issubclass(kind, K2EvalError)):
        raise ReplicaLost(str(text))
    raise kind(str(text))


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
        ReplicaLost: If the reply is an error that no engine has when it is asked.
        K2EvalError: If the reply is another error.
    """
    try:
        raise_error(reply)
    except (ConfigError, EngineError):
        raise
    except K2EvalError as error:
        raise ReplicaLost(f"it answered with {type(error).__name__}: {error}") from None
    try:
        return Generation.model_validate(json.loads(reply))
    except _NONSENSE:
        return None


def pack_started(started: Started) -> bytes:
    """Return the word of a replica that has started as bytes."""
    fields = started._asdict() | {"info": started.info.model_dump(mode="json")}
    return json.dumps(fields).encode()


def unpack_started(reply: bytes) -> Started:
    """Return the word of a replica that has started.

    Raises:
        ConfigError: If it is that of another version of k2eval, whose other fields may be others.
        EngineError: If it is nonsense.
        K2EvalError: If the reply is an error.
    """
    raise_error(reply)
    try:
        fields = json.loads(reply)
        if fields["version"] != k2eval.__version__:
            raise ConfigError(
                f"expected k2eval {k2eval.__version__} on its node, got {fields['version']!s:.100}"
            )
        started = Started(**fields | {"info": EngineInfo.model_validate(fields["info"])})
        if not (isinstance(started.window, int) and started.window > 0 and isinstance(started.pid, int)):
            raise ValueError
    except _NONSENSE:
        raise EngineError("it started with a word that cannot be read") from None
    return started


def pack_health(health: Health) -> bytes:
    """Return a state as bytes."""
    content = [health.info.model_dump(mode="json"), health.progress, health.leaving]
    return json.dumps(content).encode()


def unpack_health(reply: bytes) -> Health:
    """Return the state of these bytes.

    Raises:
        ReplicaLost: If it is nonsense, or an error.
    """
    try:
        raise_error(reply)
        info, progress, leaving = json.loads(reply)
        health = Health(EngineInfo.model_validate(info), progress, leaving)
        if not (isinstance(progress, int | None) and isinstance(leaving, str)):
            raise ValueError
    except _NONSENSE:
        raise ReplicaLost("it told of itself what cannot be read") from None
    except ReplicaLost:
        raise
    except K2EvalError as error:
        raise ReplicaLost(f"it told an error of itself: {error}") from None
    return health
