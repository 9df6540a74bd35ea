"""The settings of an endpoint."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from k2eval.errors import ConfigError, did_you_mean
from k2eval.records import Record


class EndpointSettings(Record):
    """All that can be set about an endpoint."""

    base_url: tuple[str, ...]
    """Addresses of the servers; given as one, several with commas, or a list."""
    api_key_env: str = "OPENAI_API_KEY"
    """Name of the environment variable with the key."""
    concurrency: int = 64
    """Requests in flight per server."""
    timeout_s: float = 600.0
    """Seconds without a sign of life."""
    attempts: int = 6
    backoff_s: float = 1.0
    """Seconds before the second attempt; they double with each one."""
    answers_as: str | None = None
    """Name that answers carry; None if it is the model's."""
    opens_think: bool | None = None
    """Whether the chat template ends in ``<think>``; None asks the server."""
    probe: bool = True
    """Whether seeds are checked before the run."""


_NAMES = list(EndpointSettings.model_fields)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def checked(arguments: Mapping[str, Any]) -> EndpointSettings:
    """Return all settings, with defaults for those that were not given.

    Raises:
        ConfigError: If one is unknown or has a wrong value.
    """
    if "api_key" in arguments:
        raise ConfigError(
            "An API key belongs into the environment and nowhere else. Put it into OPENAI_API_KEY, or name another "
            "variable with engine.api_key_env."
        )
    for key in arguments:
        if key not in _NAMES:
            raise ConfigError(f"An endpoint has no setting {key!r}. {did_you_mean(key, _NAMES)}")
    for key, kind in (("concurrency", int), ("attempts", int), ("timeout_s", float), ("backoff_s", float)):
        if key in arguments:
            _check_number(key, arguments[key], kind)
    for key in ("probe", "opens_think"):
        value = arguments.get(key, True)
        if not isinstance(value, bool) and (key == "probe" or value is not None):
            raise ConfigError(f"engine.{key}: expected true or false, got {value!r}.")
    variable = arguments.get("api_key_env", "OPENAI_API_KEY")
    if not isinstance(variable, str) or not _VARIABLE.fullmatch(variable):
        raise ConfigError(
            "engine.api_key_env: expected the name of an environment variable, such as OPENAI_API_KEY, and got "
            "something else. The key itself belongs into that variable and nowhere else."
        )
    name = arguments.get("answers_as")
    return EndpointSettings.model_validate(
        {
            **arguments,
            "base_url": urls_of(arguments.get("base_url")),
            "answers_as": str(name) if name else None,
        }
    )


def _check_number(key: str, value: Any, kind: type) -> None:
    wrong = isinstance(value, bool) or not isinstance(value, (int, kind))
    if wrong or value < (1 if kind is int else 0) or (key == "timeout_s" and not value):
        raise ConfigError(f"engine.{key}: expected a positive number, got {value!r}.")


def urls_of(addresses: Any) -> tuple[str, ...]:
    """Return the base URLs in a text with commas or a list.

    Raises:
        ConfigError: If there is none, or one is no URL, or holds a password or a query.

    >>> urls_of("http://a:8000/v1, http://b:8000/v1")
    ('http://a:8000/v1', 'http://b:8000/v1')
    """
    listed = list(addresses) if isinstance(addresses, (list, tuple)) else str(addresses or "").split(",")
    urls = tuple(str(url).strip() for url in listed if str(url).strip())
    if not urls:
        raise ConfigError(
            "An endpoint needs engine.base_url, such as http://localhost:8000/v1; several with commas."
        )
    for url in urls:
        try:
            parts = urlsplit(url)
            valid = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            valid = False
        if not valid:
            raise ConfigError(f"engine.base_url: expected http://host:port/v1, got {url!r}.")
        if parts.username or parts.password or parts.query:
            raise ConfigError(
                "engine.base_url must hold no password and no query: run directories keep the address. Put the key "
                "into the environment."
            )
    return urls
