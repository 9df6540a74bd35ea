"""What can be set about an endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from k2eval.errors import ConfigError, did_you_mean

DEFAULTS: dict[str, Any] = {
    "base_url": None,
    "api_key_env": "OPENAI_API_KEY",
    "concurrency": 64,
    "timeout_s": 600.0,
    "attempts": 6,
    "backoff_s": 1.0,
    "answers_as": None,
    "opens_think": None,
    "probe": True,
}


def checked(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """All settings, with defaults where nothing was given.

    Raises:
        ConfigError: When one is unknown or has a wrong value.
    """
    if "api_key" in arguments:
        raise ConfigError(
            "An API key belongs into the environment and nowhere else. Put it into OPENAI_API_KEY, or name another "
            "variable with engine.api_key_env."
        )
    for key in arguments:
        if key not in DEFAULTS:
            raise ConfigError(f"An endpoint has no setting {key!r}. {did_you_mean(key, list(DEFAULTS))}")
    settings = {**DEFAULTS, **arguments}
    for key, kind in (("concurrency", int), ("attempts", int), ("timeout_s", float), ("backoff_s", float)):
        value = settings[key]
        wrong = isinstance(value, bool) or not isinstance(value, (int, kind))
        if wrong or value < (1 if kind is int else 0):
            raise ConfigError(f"engine.{key}: expected a positive number, got {value!r}.")
    return settings


def urls_of(given: Any) -> tuple[str, ...]:
    """The base URLs in a text with commas or a list.

    Raises:
        ConfigError: When there is none, or one is no URL or holds a password.
    """
    listed = given.split(",") if isinstance(given, str) else list(given or [])
    urls = tuple(str(url).strip() for url in listed if str(url).strip())
    if not urls:
        raise ConfigError(
            "An endpoint needs engine.base_url, such as http://localhost:8000/v1; several with commas."
        )
    for url in urls:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"engine.base_url: expected http://host:port/v1, got {url!r}.")
        if parts.username or parts.password:
            raise ConfigError(
                "engine.base_url must not hold a password: run directories keep the address. Put the key into the "
                "environment."
            )
    return urls
