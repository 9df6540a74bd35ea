"""Short forms of speculative decoding, in flags and in YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from k2eval.config.run import load_config
from k2eval.config.speculative import is_scheduled, parse
from k2eval.errors import ConfigError


@pytest.mark.parametrize(
    ("short", "expected"),
    [
        ("draft=a/b,tokens=5", {"method": "draft_model", "model": "a/b", "num_speculative_tokens": 5}),
        ("ngram", {"method": "ngram", "num_speculative_tokens": 4}),
        ("ngram,tokens=2,max=6", {"method": "ngram", "num_speculative_tokens": 2, "prompt_lookup_max": 6}),
        ("suffix", {"method": "suffix"}),
        ("eagle3=head", {"method": "eagle3", "model": "head", "num_speculative_tokens": 3}),
        ("mtp", {"method": "mtp", "num_speculative_tokens": 1}),
        (
            "draft=d,sample=probabilistic",
            {
                "method": "draft_model",
                "model": "d",
                "num_speculative_tokens": 3,
                "draft_sample_method": "probabilistic",
            },
        ),
    ],
)
def test_short_forms(short: str, expected: dict[str, Any]) -> None:
    assert parse(short) == expected


@pytest.mark.parametrize(
    "order", ["ngram,tokens=5,when=[[1, 64,3],[65,1024,0]]", "ngram,when=[[1,64,3],[65,1024,0]],tokens=5"]
)
def test_a_schedule_may_be_written_in_brackets(order: str) -> None:
    assert parse(order) == {
        "method": "ngram",
        "num_speculative_tokens": 5,
        "when": [[1, 64, 3], [65, 1024, 0]],
    }


@pytest.mark.parametrize(
    "when",
    [
        "often", None, True, 1, {}, [], [1, 64, 3], [[1, 64]], [[2, 4, 1]], [[1, 4, 1], [6, 8, 0]], [[1, 4, -1]],
        [[4, 1, 1]], [[1, 4, 65]], [[1, 64.5, 3]], [[1, float("inf"), 3]], [[1, float("nan"), 3]], ["119"],
        [["1", "64", "3"]], [[1, 64, True]],
    ],
)  # fmt: skip
def test_another_schedule_is_refused_with_an_example(when: Any) -> None:
    with pytest.raises(ConfigError, match=r"expected auto, always or a schedule such as \[\[1, 64, 3\]"):
        is_scheduled({"when": when})


@pytest.mark.parametrize("off", [None, "", "off", "none", {}])
def test_off(off: str | None) -> None:
    assert parse(off) is None


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("nrgam", "Did you mean ngram"),
        ("draft", "draft=PATH"),
        ("ngram=x", "takes no path"),
        ("ngram,tokens", "KEY=VALUE"),
        ("ngram,tokens=[", "a value in YAML after tokens=, got '\\['"),
        (5, "a text or a mapping, got 5"),
    ],
)
def test_wrong_forms_are_explained(wrong: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        parse(wrong)


@given(st.sampled_from(["", "ngram,tokens="]), st.text(max_size=40))
def test_any_text_is_read_or_refused(beginning: str, text: str) -> None:
    try:
        config = parse(beginning + text)
    except ConfigError:
        return
    assert config is None or "method" in config


def test_a_flag_wins_over_yaml_and_set_adds_to_it(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("speculative: {method: suffix}\n")
    flags = {"model": "m", "tasks": "smoke", "out": tmp_path, "speculative": "ngram,tokens=4"}
    config = load_config(file=file, flags=flags, sets=["speculative.prompt_lookup_max=3"])
    assert config.speculative == {"method": "ngram", "num_speculative_tokens": 4, "prompt_lookup_max": 3}


def test_yaml_takes_a_short_form(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("speculative: ngram\n")
    config = load_config(file=file, flags={"model": "m", "tasks": "smoke", "out": tmp_path})
    assert config.speculative is not None and config.speculative["method"] == "ngram"
