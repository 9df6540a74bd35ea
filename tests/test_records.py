"""Records: lines that survive any text, digests and seeds that stay what they are."""

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st
from pydantic import ValidationError

from k2eval.records import SWITCHES, Generation, Grade, Outcome, SampleKey, Sampling, derive_seed, digest


def generation(text: str = "a") -> Generation:
    return Generation(
        key="k",
        task="t",
        question_id="q",
        repeat_index=0,
        stage="solve",
        text=text,
        finish_reason="stop",
        prompt_tokens=1,
        output_tokens=1,
        duration_s=0.5,
        seed=7,
    )


@given(st.text(st.characters()) | st.sampled_from(["\x00", "\ud800", "a\udfff\n\r\u2028b", "𝔽"]))
def test_any_text_survives_a_line(text: str) -> None:
    line = generation(text).to_line()
    assert line.isascii() and "\n" not in line
    assert Generation.model_validate(json.loads(line)).text == text


def test_equal_records_give_equal_lines_whatever_the_order_of_their_fields() -> None:
    line = Sampling(chat_template={"a": 1, "b": 2}).to_line()
    assert Sampling(chat_template={"b": 2, "a": 1}).to_line() == line


def test_unknown_fields_are_refused() -> None:
    with pytest.raises(ValidationError, match="unknown"):
        Sampling.model_validate({"unknown": 1})


def test_records_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        generation().text = "b"  # type: ignore[misc]


def test_a_digest_is_the_same_on_every_machine() -> None:
    assert digest("a", {"b": [1, 2.5, None, True]}) == "7fb2687a51056dbd4f5b783b16d22859"


def test_digests_tell_parts_apart() -> None:
    assert len({digest("ab", "c"), digest("a", "bc"), digest(["ab", "c"]), digest("abc")}) == 4


def test_a_seed_is_the_same_on_every_machine() -> None:
    assert derive_seed(0, SampleKey("aime24", "60", 3), "solve") == 591521668


@given(st.integers(), st.text(), st.integers(0, 99), st.text())
def test_seeds_have_31_bits(run_seed: int, question_id: str, repeat_index: int, stage: str) -> None:
    assert 0 <= derive_seed(run_seed, SampleKey("t", question_id, repeat_index), stage) < 2**31


def test_every_part_of_a_place_moves_the_seed() -> None:
    places = [SampleKey("t", "q", 0), SampleKey("u", "q", 0), SampleKey("t", "r", 0), SampleKey("t", "q", 1)]
    seeds = {derive_seed(0, place, "solve") for place in places}
    seeds |= {derive_seed(1, places[0], "solve"), derive_seed(0, places[0], "plan")}
    assert len(seeds) == 6


@pytest.mark.parametrize("outcome", list(Outcome))
def test_only_failures_of_ours_and_what_no_rule_decides_have_no_score(outcome: Outcome) -> None:
    without = {Outcome.GRADER_ERROR, Outcome.ENGINE_ERROR, Outcome.PROMPT_TOO_LONG, Outcome.UNDECIDED}
    assert (Grade.of(outcome).score is None) == (outcome in without)
    assert (Grade.of(outcome).score == 1.0) == (outcome is Outcome.CORRECT)


def test_switches_that_are_not_set_are_not_written() -> None:
    assert not set(SWITCHES) & set(Sampling().model_dump())
    assert Sampling(thinking=False).model_dump()["thinking"] is False


@pytest.mark.parametrize(
    "switches", [{"thinking": False}, {"reasoning_effort": "low"}, {"thinking_budget": 0}]
)
def test_switches_are_part_of_what_a_generation_is_found_by(switches: dict[str, Any]) -> None:
    assert Sampling(**switches).identity() != Sampling().identity()


def test_what_was_generated_without_thinking_by_0_1_0_is_found_again() -> None:
    before = Sampling(chat_template={"enable_thinking": False}).model_dump(mode="json")
    assert Sampling(thinking=False).identity() == before


def test_a_sampling_is_read_as_it_was_written() -> None:
    sampling = Sampling(thinking=True, reasoning_effort="low", thinking_budget=5)
    assert Sampling.model_validate_json(sampling.model_dump_json()) == sampling


def test_a_line_names_no_boundary_unless_a_server_told_one() -> None:
    told = generation().model_copy(update={"answer_start": 1})
    assert "answer_start" not in generation().to_line()
    assert Generation.model_validate(json.loads(told.to_line())) == told
