"""The settings of an endpoint."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from k2eval.engines.endpoint.addresses import base_of, check_address
from k2eval.errors import ConfigError, did_you_mean
from k2eval.records import Json, Record, digest

Api = Literal["auto", "chat", "completions"]


class EndpointSettings(Record):
    """Settings of an endpoint."""

    base_url: tuple[str, ...]
    """Addresses of the servers; given as one, several with commas, or a list. ``@FILE`` is a file with one a line, and
    ``dns+http://NAME:PORT/v1`` a server for each address of a name; both are looked at while the run goes on."""
    api_key_env: str = "OPENAI_API_KEY"
    """Name of the environment variable with the key."""
    concurrency: int | None = None
    """Requests in flight per server; None takes the number that each server states."""
    timeout_s: float = 600.0
    """Seconds without a sign of life."""
    attempts: int = 6
    backoff_s: float = 1.0
    """Seconds before the second attempt; they double with each one."""
    answers_as: str | None = None
    """Name that answers carry; None if it is the model's."""
    opens_think: bool | None = None
    """True if the chat template ends in an open reasoning block; None asks the server."""
    probe: bool = True
    """True if seeds are checked before the run."""
    stream: bool = False
    """True if answers are streamed, which gives the time of the first token."""
    api: Api = "auto"
    """``completions`` sends prompts that were rendered here; ``auto`` does so if there is no chat."""
    tokenizer: str | None = None
    """Folder or hub name whose chat template renders prompts for ``/v1/completions``."""
    tokenizer_revision: str | None = None
    """Commit, tag or branch of the tokenizer on the hub; the newest commit if None."""
    extra_body: dict[str, Json] = Field(default_factory=dict)
    """Sent with every request as it is."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Sent with every request; ``$NAME`` stands for an environment variable."""
    query: dict[str, str] = Field(default_factory=dict)
    """Sent in every address, such as ``api-version``; ``$NAME`` stands for an environment variable."""
    rename: dict[str, str] = Field(default_factory=dict)
    """Parameters that this server knows by another name."""
    drop: tuple[str, ...] = ()
    """Parameters that are not sent."""
    hides_reasoning: bool = False
    """True if the server counts tokens for reasoning that it never shows."""

    @property
    def shaping(self) -> dict[str, Json]:
        """The settings that shape what is said, without those that have their default."""
        chosen: dict[str, Json] = {
            "extra_body": self.extra_body,
            "drop": sorted(self.drop),
            "rename": self.rename,
            "api": "" if self.api == "auto" else self.api,
            "tokenizer": self.tokenizer,
            "tokenizer_revision": self.tokenizer_revision,
        }
        return {name: value for name, value in chosen.items() if value}

    def fingerprint(self, model: str) -> str:
        """Return the digest that tells one endpoint's answers from another's; addresses are no part of it."""
        parts: list[Json] = ["endpoint", model, self.answers_as or model]
        return digest(*parts, *([self.shaping] if self.shaping else []))


class Secrets:
    """Secrets of an endpoint in the environment: the key, and the variables that headers and query name.

    Args:
        settings: Name the variables.

    Raises:
        ConfigError: If a variable is not set.
    """

    def __init__(self, settings: EndpointSettings) -> None:
        self._hidden: set[str] = set()
        self.key = os.environ.get(settings.api_key_env, "").strip()
        self.headers = {name: self._filled(name, text) for name, text in settings.headers.items()}
        self.query = {name: self._filled(name, text) for name, text in settings.query.items()}
        self._hidden.add(self.key)
        self._hidden.discard("")

    def _filled(self, name: str, text: str) -> str:
        def value(match: re.Match[str]) -> str:
            secret = os.environ.get(match[1], "").strip()
            if not secret:
                raise ConfigError(
                    f"{name}: expected the environment variable {match[1]} to be set, as engine.headers or "
                    "engine.query says. Set it, or correct its name."
                )
            self._hidden.add(secret)
            return secret

        return _REFERENCE.sub(value, text)

    def redacted(self, text: str) -> str:
        """Return ``text`` without any of the secrets."""
        for secret in sorted(self._hidden, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text


_NAMES = list(EndpointSettings.model_fields)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_REFERENCE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")
_SECRET_NAME = re.compile(r"auth|key|token|secret|password|cookie", re.IGNORECASE)
_OURS = ("messages", "model", "n", "prompt", "response_format", "stop", "stream", "stream_options")
_SET_ELSEWHERE = {
    **{
        name: f"--set sampling.{name}=VALUE"
        for name in ("temperature", "top_p", "top_k", "min_p", "max_tokens")
    },
    "max_completion_tokens": "--set sampling.max_tokens=VALUE",
    "seed": "--seed N",
    "chat_template_kwargs": "--set sampling.chat_template.NAME=VALUE, or --thinking",
    "reasoning_effort": "--reasoning-effort VALUE",
    "thinking_token_budget": "--thinking-budget N",
}
"""Parameters with a setting of their own, by which the table goes: in ``extra_body`` they would belie it."""
_DROPPABLE_NOT = ("messages", "model", "prompt", "stream")


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
        if key in arguments and not (key == "concurrency" and arguments[key] is None):
            _check_number(key, arguments[key], kind)
    for key in ("probe", "opens_think", "stream", "hides_reasoning"):
        value = arguments.get(key, True)
        if not isinstance(value, bool) and (key != "opens_think" or value is not None):
            raise ConfigError(f"engine.{key}: expected true or false, got {value!r}.")
    variable = arguments.get("api_key_env", "OPENAI_API_KEY")
    if not isinstance(variable, str) or not _VARIABLE.fullmatch(variable):
        raise ConfigError(
            "engine.api_key_env: expected the name of an environment variable, such as OPENAI_API_KEY, and got "
            "something else. The key itself belongs into that variable and nowhere else."
        )
    api = arguments.get("api") or "auto"
    if api not in ("auto", "chat", "completions"):
        raise ConfigError(f"engine.api: expected auto, chat or completions, got {api!r}.")
    if api == "completions" and not arguments.get("tokenizer"):
        raise ConfigError(
            "engine.api: completions sends prompts that are rendered here, so it needs engine.tokenizer: the folder or "
            "the hub name of a checkpoint whose chat template to use."
        )
    extra = _mapping("extra_body", arguments.get("extra_body"))
    for key in _OURS:
        if key in extra:
            raise ConfigError(f"engine.extra_body: {key} is k2eval's own to set. Leave it out.")
    for key, option in _SET_ELSEWHERE.items():
        if key in extra:
            raise ConfigError(
                f"engine.extra_body: {key} would replace what the run says of itself. Set it with {option}; for a "
                "role, under roles.NAME."
            )
    return EndpointSettings.model_validate(
        {
            **arguments,
            "base_url": urls_of(arguments.get("base_url")),
            "answers_as": _text_or_none(arguments.get("answers_as")),
            "tokenizer": _text_or_none(arguments.get("tokenizer")),
            "tokenizer_revision": _text_or_none(arguments.get("tokenizer_revision")),
            "api": api,
            "extra_body": extra,
            "headers": _texts("headers", arguments.get("headers")),
            "query": _texts("query", arguments.get("query")),
            "rename": _texts("rename", arguments.get("rename")),
            "drop": _names("drop", arguments.get("drop")),
        }
    )


def _text_or_none(value: Any) -> str | None:
    return str(value) if value else None


def _check_number(key: str, value: Any, kind: type) -> None:
    wrong = isinstance(value, bool) or not isinstance(value, (int, kind))
    if (
        wrong
        or not value >= (1 if kind is int else 0)
        or value == float("inf")
        or (key == "timeout_s" and not value)
    ):
        raise ConfigError(f"engine.{key}: expected a positive number, got {value!r}.")


def _mapping(key: str, value: Any) -> dict[str, Json]:
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise ConfigError(
            f"engine.{key}: expected names with their values, such as {{NAME: VALUE}}, got {value!r}."
        )
    return dict(value)


def _texts(key: str, value: Any) -> dict[str, str]:
    """Return a mapping of names to texts; one that looks like a secret must name an environment variable."""
    texts: dict[str, str] = {}
    for name, text in _mapping(key, value).items():
        if isinstance(text, bool) or not isinstance(text, (str, int, float)):
            raise ConfigError(f"engine.{key}: expected a text for {name}, got a {type(text).__name__}.")
        texts[name] = str(text)
        if key != "rename" and _SECRET_NAME.search(name) and not _REFERENCE.search(texts[name]):
            raise ConfigError(
                f"engine.{key}: {name} looks like a secret, which belongs into the environment and nowhere else. Put "
                f"it into a variable, and write {name}: $VARIABLE."
            )
        if re.search(r"[\r\n\0]", name + texts[name]):
            raise ConfigError(f"engine.{key}: {name} holds a line break.")
    return texts


def _names(key: str, value: Any) -> tuple[str, ...]:
    listed = value.split(",") if isinstance(value, str) else value or ()
    if not isinstance(listed, Sequence) or not all(isinstance(name, str) for name in listed):
        raise ConfigError(
            f"engine.{key}: expected a list of names, such as [temperature, top_p], got {value!r}."
        )
    names = tuple(name.strip() for name in listed if name.strip())
    for name in names:
        if name in _DROPPABLE_NOT:
            raise ConfigError(f"engine.{key}: no server can answer without {name}. Leave it out of the list.")
    return names


def urls_of(addresses: Any) -> tuple[str, ...]:
    """Return the entries in a text with commas or a list; addresses of single requests are cut down to their base.

    Raises:
        ConfigError: If there is none, or one is no address, or holds a password or a query.

    >>> urls_of("http://a:8000/v1, http://b:8000/v1")
    ('http://a:8000/v1', 'http://b:8000/v1')
    >>> urls_of("http://a:8000/v1/chat/completions")
    ('http://a:8000/v1',)
    """
    listed = list(addresses) if isinstance(addresses, (list, tuple)) else str(addresses or "").split(",")
    urls = tuple(base_of(str(url)) for url in listed if str(url).strip())
    if not urls:
        raise ConfigError(
            "An endpoint needs engine.base_url, such as http://localhost:8000/v1; several with commas."
        )
    for url in urls:
        check_address(url)
    return urls
