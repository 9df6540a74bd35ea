"""Formats by name."""

import pytest

from k2eval.config import load_config
from k2eval.errors import ConfigError
from k2eval.reasoning import NAMES, PARSERS, format_named, setting_of


def test_every_parser_of_vllm_reads_a_format_that_there_is() -> None:
    assert set(PARSERS.values()) <= set(NAMES)


@pytest.mark.slow
def test_every_parser_of_the_installed_vllm_has_a_format() -> None:
    from vllm.reasoning import ReasoningParserManager

    assert set(ReasoningParserManager.list_registered()) <= set(PARSERS)


@pytest.mark.parametrize("value", ["thikn", {"start": "<a>"}, {"start": "", "end": "x"}, 7, {}])
def test_a_setting_that_names_no_format_is_refused(value: object) -> None:
    with pytest.raises(ConfigError, match="reasoning"):
        load_config(file=None, flags={"model": "m", "tasks": "smoke", "out": "x", "reasoning": value})


@pytest.mark.parametrize("value", ["harmony", {"start": "<a>", "end": "</a>"}])
def test_a_format_is_written_as_it_is_read(value: object) -> None:
    import yaml

    assert yaml.safe_load(setting_of(format_named(value))) == value  # type: ignore[arg-type]
