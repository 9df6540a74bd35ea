"""The words between a run and a server: one request, one answer, one look at the server's state."""

from __future__ import annotations

import json
from typing import NamedTuple

from pydantic import ValidationError

from k2eval import errors
from k2eval.engines.protocol import EngineInfo
from k2eval.errors import EngineError, K2EvalError
from k2eval.records import Generation, Request

GENERATE = "/v1/k2eval/generate"
LOOK = "/v1/k2eval/state"


class Look(NamedTuple):
    """A server's state at one moment."""

    info: EngineInfo
    progress: int
    """Grows while the engine works."""
    in_flight: int
    """Requests of all runs that have no answer yet."""


def pack_question(request: Request, salt: str) -> bytes:
    """Return a request as bytes, with the text that keeps its run's prefix cache apart from those of other runs."""
    return json.dumps({"request": request.model_dump(mode="json"), "salt": salt}).encode()


def unpack_question(body: bytes) -> tuple[Request, str]:
    """Return a request and its salt.

    Raises:
        EngineError: If the bytes are no request.
    """
    try:
        content = json.loads(body)
        return Request.model_validate(content["request"]), str(content["salt"])
    except (ValueError, KeyError, TypeError, ValidationError, RecursionError) as error:
        raise EngineError(f"expected a request of k2eval, got {body[:80]!r}") from error


def pack_answer(answer: Generation | K2EvalError) -> bytes:
    """Return a generation or an error as bytes."""
    if isinstance(answer, Generation):
        return json.dumps({"generation": answer.model_dump(mode="json")}).encode()
    return json.dumps({"error": [type(answer).__name__, str(answer)]}).encode()


def unpack_answer(body: bytes) -> Generation:
    """Return the generation of an answer.

    Raises:
        K2EvalError: The error that the answer holds.
        EngineError: If it holds nothing that k2eval has written.
    """
    try:
        content = json.loads(body)
        if "error" not in content:
            return Generation.model_validate(content["generation"])
        name, text = content["error"]
    except (ValueError, KeyError, TypeError, ValidationError, RecursionError) as error:
        raise EngineError(f"the server answered nothing that k2eval has written: {body[:80]!r}") from error
    kind = getattr(errors, str(name), EngineError)
    raise (kind if isinstance(kind, type) and issubclass(kind, K2EvalError) else EngineError)(str(text))


def pack_look(look: Look) -> bytes:
    """Return a state as bytes."""
    return json.dumps(look._asdict() | {"info": look.info.model_dump(mode="json")}).encode()


def unpack_look(body: bytes) -> Look:
    """Return the state of these bytes.

    Raises:
        EngineError: If they are none.
    """
    try:
        content = json.loads(body)
        info = EngineInfo.model_validate(content["info"])
        return Look(info, int(content["progress"]), int(content["in_flight"]))
    except (ValueError, KeyError, TypeError, ValidationError, RecursionError) as error:
        raise EngineError(f"expected the state of a server of k2eval's, got {body[:80]!r}") from error
