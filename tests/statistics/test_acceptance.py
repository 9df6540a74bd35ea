"""Counts of speculation: sums, ratios and words."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from k2eval.records import SpeculativeCounts
from k2eval.statistics.acceptance import add_counts, closing_words, ratios, subtract_counts, total_speculation

SOME = SpeculativeCounts(drafts=10, drafted_tokens=30, accepted_tokens=15, accepted_per_position=(8, 5, 2))
counts = st.lists(st.integers(0, 99), max_size=5).map(
    lambda by_position: SpeculativeCounts(
        drafts=100,
        drafted_tokens=500,
        accepted_tokens=sum(by_position),
        accepted_per_position=tuple(by_position),
    )
)


@given(counts, counts)
def test_what_was_added_can_be_taken_away(one: SpeculativeCounts, other: SpeculativeCounts) -> None:
    left = subtract_counts(add_counts(one, other), other)
    assert left is not None
    assert left.accepted_tokens == one.accepted_tokens
    assert sum(left.accepted_per_position) == sum(one.accepted_per_position)


def test_nothing_drafted_between_two_readings_is_none() -> None:
    assert subtract_counts(SOME, SOME) is None


def test_the_acceptance_length_counts_the_targets_own_token() -> None:
    assert ratios(SOME) == {
        "acceptance_rate": 0.5,
        "acceptance_length": 2.5,
        "acceptance_per_position": [0.8, 0.5, 0.2],
    }


def test_tasks_have_the_counts_of_their_requests_and_the_run_those_of_the_engine() -> None:
    plain = SOME.model_dump(mode="json")
    twice = add_counts(SOME, SOME).model_dump(mode="json")
    found = total_speculation([{"speculative": {"aime24": plain}, "engine_speculative": twice}])
    assert found is not None
    assert (found["counted"], found["drafts"]) == ("request", 20)
    assert found["tasks"]["aime24"]["drafts"] == 10
    assert found["tasks"]["aime24"]["acceptance_length"] == 2.5


def test_a_session_that_was_killed_has_the_counts_of_its_requests() -> None:
    killed = {"speculative": {"aime24": SOME.model_dump(mode="json")}}
    found = total_speculation([killed, {"engine_speculative": SOME.model_dump(mode="json")}])
    assert found is not None
    assert found["drafts"] == 20


def test_engine_counts_stand_in_and_have_no_tasks() -> None:
    session = {"speculative": {}, "engine_speculative": SOME.model_dump(mode="json")}
    found = total_speculation([session, session])
    assert found is not None
    assert (found["counted"], found["drafts"], found["tasks"]) == ("engine", 20, {})


def test_without_speculation_there_is_nothing_to_say_of_it() -> None:
    assert total_speculation([{"speculative": {}}, {}]) is None
    assert closing_words({"sessions": [{"prompt_tokens": 0}]}) == []


def test_closing_words_tell_cache_acceptance_and_seeds() -> None:
    session = {"prompt_tokens": 200, "cached_tokens": 150, "speculative": {"a": SOME.model_dump(mode="json")}}
    run = {
        "sessions": [session],
        "speculative": total_speculation([session]),
        "engine": {"settings": {"speculative_config": {"method": "ngram"}}},
    }
    text = "\n".join(closing_words(run))
    assert "75.0 % of 200 prompt tokens" in text
    assert "acceptance length 2.50, 50.0 % of 30 drafted tokens accepted (by position, %: 80 50 20)" in text
    assert "reproducible: false" in text


def test_generations_that_were_not_counted_are_told() -> None:
    session = {
        "generated": 20,
        "generations_with_speculation": 19,
        "speculative": {"a": SOME.model_dump(mode="json")},
    }
    run = {"sessions": [session], "speculative": total_speculation([session])}
    assert any("(19 of 20 generations; vLLM" in line for line in closing_words(run))


def test_counts_of_an_engine_say_that_they_are() -> None:
    session = {"engine_speculative": SOME.model_dump(mode="json")}
    run = {"sessions": [session], "speculative": total_speculation([session])}
    assert any("counts per engine, not per task" in line for line in closing_words(run))


def test_speculation_that_drafted_nothing_is_said() -> None:
    run = {"sessions": [], "engine": {"settings": {"speculative_config": {"method": "ngram"}}}}
    assert "Speculation: nothing was drafted." in closing_words(run)
