"""What can be set about an endpoint."""

from __future__ import annotations

import re
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

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


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
        if wrong or value < (1 if kind is int else 0) or (key == "timeout_s" and not value):
            raise ConfigError(f"engine.{key}: expected a positive number, got {value!r}.")
    for key in ("probe", "opens_think"):
        if not isinstance(settings[key], bool) and settings[key] is not DEFAULTS[key]:
            raise ConfigError(f"engine.{key}: expected true or false, got {settings[key]!r}.")
    if not _VARIABLE.fullmatch(str(settings["api_key_env"])):
        raise ConfigError(
            "engine.api_key_env: expected the name of an environment variable, such as OPENAI_API_KEY, and got "
            "something else. The key itself belongs into that variable and nowhere else."
        )
    return settings


def urls_of(given: Any) -> tuple[str, ...]:
    """The base URLs in a text with commas or a list.

    Raises:
        ConfigError: When there is none, or one is no URL, or holds a password or a query.
    """
    listed = list(given) if isinstance(given, (list, tuple)) else str(given or "").split(",")
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
