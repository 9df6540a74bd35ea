"""Switches of thinking under the names of templates and servers."""

from __future__ import annotations

import pytest

from k2eval.engines.thinking import no_switch, server_fields, template_arguments
from k2eval.records import Sampling

ALL = Sampling(thinking=True, reasoning_effort="low", thinking_budget=512)


@pytest.mark.parametrize(
    ("reads", "arguments"),
    [
        ({"enable_thinking"}, {"enable_thinking": True}),
        ({"thinking", "thinking_budget"}, {"thinking": True, "thinking_budget": 512}),
        ({"reasoning_effort", "tools"}, {"reasoning_effort": "low"}),
        (set(), {}),
    ],
)
def test_a_template_gets_each_switch_under_the_name_that_it_reads(
    reads: set[str], arguments: dict[str, object]
) -> None:
    assert template_arguments(ALL, reads) == arguments


def test_a_switch_wins_over_the_same_argument_given_by_hand() -> None:
    sampling = Sampling(chat_template={"enable_thinking": False, "mood": "calm"}, thinking=True)
    assert template_arguments(sampling, {"enable_thinking"}) == {"enable_thinking": True, "mood": "calm"}


def test_a_server_gets_switches_for_its_template_and_in_fields_of_its_own() -> None:
    fields = server_fields(ALL)
    assert fields["reasoning_effort"] == "low" and fields["thinking_token_budget"] == 512
    assert fields["chat_template_kwargs"]["enable_thinking"] is True
    assert fields["chat_template_kwargs"]["reasoning_effort"] == "low"


def test_a_server_without_such_fields_gets_none() -> None:
    assert server_fields(ALL, template=False, own=()) == {}


def test_a_request_without_switches_carries_nothing() -> None:
    assert server_fields(Sampling()) == {}


def test_the_words_about_a_missing_switch_say_what_the_template_reads() -> None:
    words = no_switch("models/m", "thinking", {"reasoning_effort"})
    assert "models/m has no switch for thinking on or off (--thinking)" in words
    assert "reads: reasoning_effort" in words
