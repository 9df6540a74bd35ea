"""JSON as servers send it: fast if it is well formed, patient with characters that were cut in two."""

from __future__ import annotations

import json

import orjson

from k2eval.engines.endpoint.trouble import BadAnswer
from k2eval.records import Json
from k2eval.values import MOST


def loads(data: bytes) -> Json:
    r"""Return the value in ``data``.

    Raises:
        BadAnswer: If it is no JSON.

    >>> loads(b'{"half": "\\ud83d"}')
    {'half': '\ud83d'}
    """
    try:
        return orjson.loads(data)
    except ValueError:
        pass
    try:  # orjson refuses halves of characters, which servers send in pieces of a stream
        return json.loads(data.decode(errors="replace"))
    except (ValueError, RecursionError):
        raise BadAnswer("invalid JSON") from None


def dumps(value: Json) -> bytes:
    """Return a value as JSON; halves of characters stay as they are."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value).encode()


def whole(text: str) -> str:
    """Return ``text`` with characters that were cut in two joined; a half without the other cannot be sent on."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def count(value: Json) -> int | None:
    """Return a number of tokens; None if a server sends anything else."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and 0 <= value <= MOST else None
