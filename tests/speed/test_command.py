"""What `k2eval speed` is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from k2eval.cli.app import app
from k2eval.config import RunConfig
from k2eval.errors import ConfigError
from k2eval.speed.command import (
    SpeedOptions,
    configurations,
    loads,
    numbers,
    questions_of,
    speed_command,
    temperature_of,
)

USUAL: dict[str, Any] = {
    "requests": None, "input_tokens": 8, "output_tokens": 4, "temperature": 1.0, "ignore_eos": True,
}  # fmt: skip


def test_levels_come_before_rates_with_enough_requests_each() -> None:
    result = loads([1, 16], [2.5], **USUAL)
    assert [(load.title, load.requests) for load in result] == [
        ("1 at a time", 8),
        ("16 at a time", 64),
        ("2.5 per second", 50),
    ]


def test_no_load_is_refused() -> None:
    with pytest.raises(ConfigError, match="--concurrency 1,16 or --rate 2"):
        loads([], [], **USUAL)


@pytest.mark.parametrize("wrong", ["0", "1,-2", "two", "1.5"])
def test_levels_are_positive_whole_numbers(wrong: str) -> None:
    with pytest.raises(ConfigError, match="positive numbers"):
        numbers(wrong, int)


def test_files_name_the_configurations(tmp_path: Path) -> None:
    for name, text in (("plain", "{}"), ("looked-up", "speculative: ngram")):
        (tmp_path / f"{name}.yaml").write_text(text)
    files = [tmp_path / "plain.yaml", tmp_path / "looked-up.yaml"]
    (first, plain), (second, drafted) = configurations(files, {"model": "m"}, [], None)
    assert (first, second) == ("plain", "looked-up")
    assert plain.speculative is None and drafted.speculative is not None


def test_files_of_one_name_keep_their_folders(tmp_path: Path) -> None:
    files = [tmp_path / folder / "c.yaml" for folder in ("a", "b")]
    for file in files:
        file.parent.mkdir()
        file.write_text("model: m\n")
    assert [title for title, _ in configurations(files, {}, [], None)] == [str(file) for file in files]


def test_an_endpoint_needs_no_model() -> None:
    [(_, config)] = configurations([], {}, [], "http://host:8000/v1")
    assert config.engine.kind == "endpoint"
    assert config.engine.arguments["base_url"] == "http://host:8000/v1"


def test_the_scripted_engine_has_no_speed() -> None:
    configs = configurations([], {"model": "m"}, ["engine.kind=scripted"], None)
    with pytest.raises(ConfigError, match="of vllm or of an endpoint"):
        speed_command(SpeedOptions(configs, loads([1], [], **USUAL)))


def with_protocol(name: str | None) -> RunConfig:
    [(_, config)] = configurations([], {"model": "m", "protocol": name}, [], None)
    return config


def test_a_task_is_asked_with_the_prompts_of_a_protocol() -> None:
    own, other = (questions_of("smoke", with_protocol(name)) for name in (None, "matharena"))
    assert len(own) == len(other) and own[0] != other[0]


@pytest.mark.parametrize(
    ("given", "task", "protocol", "temperature"),
    [
        (None, "smoke", "kimi", 1.0),
        (None, "smoke", "aa", 0.6),
        (0.3, "smoke", "aa", 0.3),
        (None, "smoke", None, 1.0),
        (None, None, None, 1.0),
    ],
)
def test_the_temperature_is_the_given_one_else_that_of_the_protocol(
    given: float | None, task: str | None, protocol: str | None, temperature: float
) -> None:
    assert temperature_of(given, task, with_protocol(protocol)) == temperature


@pytest.mark.parametrize("options", [(), ("--task", "smoke", "--start")])
def test_a_protocol_without_a_task_to_ask_is_refused(options: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match="--protocol aa sets how a task is asked"):
        CliRunner().invoke(
            app, ["speed", "--model", "m", "--protocol", "aa", *options], catch_exceptions=False
        )
