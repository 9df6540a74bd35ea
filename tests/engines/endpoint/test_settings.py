"""What can be set about an endpoint."""

from typing import Any

import pytest

from k2eval.engines.endpoint.engine import EndpointEngine
from k2eval.engines.endpoint.settings import Secrets, checked
from k2eval.errors import ConfigError
from k2eval.records import digest

URL = "http://h/v1"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "base_url"),
        ({"base_url": "localhost:8000"}, "http://host:port/v1"),
        ({"base_url": "http://me:secret@host/v1"}, "password"),
        ({"base_url": URL, "api_key": "sk-secret"}, "environment"),
        ({"base_url": URL, "concurency": 3}, "Did you mean concurrency"),
        ({"base_url": URL, "attempts": 0}, "positive number"),
        ({"base_url": URL, "timeout_s": 0}, "positive number"),
        ({"base_url": URL, "timeout_s": float("nan")}, "positive number"),
        ({"base_url": URL, "timeout_s": float("inf")}, "positive number"),
        ({"base_url": "http://h:port/v1"}, "http://host:port/v1"),
        ({"base_url": "http://h/v1?key=secret"}, "no query"),
        ({"base_url": URL, "api_key_env": "sk-secret"}, "name of an environment variable"),
        ({"base_url": URL, "opens_think": "maybe"}, "true or false"),
        ({"base_url": URL, "stream": 1}, "true or false"),
        ({"base_url": URL, "api": "responses"}, "auto, chat or completions"),
        ({"base_url": URL, "api": "completions"}, "engine.tokenizer"),
        ({"base_url": URL, "extra_body": [1]}, "extra_body"),
        ({"base_url": URL, "extra_body": {"messages": []}}, "k2eval's own"),
        ({"base_url": URL, "extra_body": {"stop": ["x"]}}, "k2eval's own"),
        ({"base_url": URL, "extra_body": {"chat_template_kwargs": {}}}, "sampling.chat_template"),
        ({"base_url": URL, "extra_body": {"reasoning_effort": "low"}}, "--reasoning-effort"),
        ({"base_url": URL, "extra_body": {"max_tokens": 9}}, "sampling.max_tokens"),
        ({"base_url": URL, "extra_body": {"seed": 7}}, "--seed"),
        ({"base_url": URL, "headers": {"X-Api-Key": "secret"}}, "belongs into the environment"),
        ({"base_url": URL, "headers": {"X-Y": "a\r\nb"}}, "line break"),
        ({"base_url": URL, "query": {"a": {}}}, "expected a text"),
        ({"base_url": URL, "rename": "x"}, "rename"),
        ({"base_url": URL, "drop": 5}, "list of names"),
        ({"base_url": URL, "drop": ["messages"]}, "no server can answer without"),
        ({"base_url": URL, "headers": {"X-Api-Key": "$K2EVAL_NOT_SET"}}, "K2EVAL_NOT_SET"),
    ],
)
def test_wrong_settings(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        EndpointEngine("fake", arguments)
    assert "secret" not in str(caught.value).replace("looks like a secret", "")


def test_secrets_come_from_the_environment_and_stay_out_of_the_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PROVIDER_KEY", "sk-very-secret")
    settings = checked({"base_url": URL, "headers": {"api-key": "Bearer $PROVIDER_KEY"}, "query": {"v": 2}})
    secrets = Secrets(settings)
    assert secrets.headers == {"api-key": "Bearer sk-very-secret"}
    assert secrets.query == {"v": "2"}
    assert "sk-very-secret" not in settings.model_dump_json()
    assert secrets.redacted("no sk-very-secret here") == "no *** here"


def test_without_new_settings_the_fingerprint_is_that_of_0_1_0() -> None:
    plain = {
        "base_url": URL,
        "timeout_s": 5,
        "attempts": 2,
        "concurrency": 3,
        "probe": False,
        "opens_think": True,
    }
    assert checked(plain).fingerprint("m") == digest("endpoint", "m", "m")
    assert checked({**plain, "answers_as": "n"}).fingerprint("m") == digest("endpoint", "m", "n")


@pytest.mark.parametrize(
    "unshaping", [{"headers": {"X": "1"}}, {"query": {"v": "1"}}, {"stream": True}, {"api": "auto"}]
)
def test_how_a_server_is_reached_is_no_part_of_the_fingerprint(unshaping: dict[str, Any]) -> None:
    assert checked({"base_url": URL, **unshaping}).fingerprint("m") == checked({"base_url": URL}).fingerprint(
        "m"
    )


@pytest.mark.parametrize(
    "shaping",
    [
        {"extra_body": {"reasoning": {"effort": "high"}}},
        {"drop": "temperature"},
        {"rename": {"max_tokens": "max_completion_tokens"}},
        {"api": "completions", "tokenizer": "folder"},
    ],
)
def test_what_shapes_answers_is_part_of_the_fingerprint(shaping: dict[str, Any]) -> None:
    assert checked({"base_url": URL, **shaping}).fingerprint("m") != checked({"base_url": URL}).fingerprint(
        "m"
    )
