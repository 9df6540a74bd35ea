"""A stop string ends an answer, never its reasoning."""

import itertools
import time

import pytest
from hypothesis import given, strategies as st

from k2eval.reasoning import AUTO, MARKS, NAMES, StopWatch, format_named, split, stop_place

STOP = ("</answer>",)
THOUGHT = "They want <answer> and </answer> tags."


@pytest.mark.parametrize(
    ("name", "opening", "end"),
    [(name, *pairs[0]) for name, pairs in MARKS.items() if pairs]
    + [("harmony", "<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>")],
)
@pytest.mark.parametrize("prefilled", [False, True])
def test_a_stop_string_within_reasoning_is_passed_over(
    name: str, opening: str, end: str, prefilled: bool
) -> None:
    text = f"{THOUGHT}\n{end}\n<answer>4</answer>"
    response = text if prefilled else opening + text
    place = stop_place(response + " and more", format_named(name), STOP, prefill=opening if prefilled else "")
    assert place == len(response)


def test_a_response_without_reasoning_ends_at_its_stop_string() -> None:
    assert stop_place("<answer>4</answer>5", format_named("think"), STOP) == len("<answer>4</answer>")


def test_reasoning_without_end_is_not_stopped() -> None:
    assert stop_place(f"<think>{THOUGHT}", format_named("think"), STOP) is None


def test_white_space_between_reasoning_and_answer_is_no_stop() -> None:
    text = "<think>a\n\nb</think>\n\nThe answer\n\nmore"
    assert stop_place(text, format_named("think"), ("\n\n",)) == text.index("more")


def test_the_stop_string_that_ends_first_counts() -> None:
    assert stop_place("abcd", format_named("think"), ("bcd", "c")) == 3


def test_a_second_block_of_reasoning_is_passed_over_too() -> None:
    text = f"<think>a</think>\nNo.\n<think>\n{THOUGHT}\n</think>\n<answer>4</answer>"
    assert stop_place(text + "5", format_named("think"), STOP) == len(text)


PIECES = st.lists(
    st.sampled_from(
        [
            "<think>",
            "</think>",
            "</answer>",
            "<answer>",
            "the ",
            " tag",
            "`",
            "\n",
            " ",
            "a",
            "<|channel|>",
            "final",
            "analysis",
            "<|message|>",
            "<|end|>",
            "<|start|>assistant",
            "[THINK]",
            "[/THINK]",
            "x" * 90,
            "assistantfinal",
        ]
    ),
    max_size=25,
)


@given(pieces=PIECES, name=st.sampled_from(NAMES), sizes=st.lists(st.integers(1, 40), min_size=1, max_size=5))
def test_the_place_does_not_depend_on_how_the_text_comes(
    pieces: list[str], name: str, sizes: list[int]
) -> None:
    text = "".join(pieces)
    watch = StopWatch(format_named(name), ("</answer>", "\n\n"))
    place, position = None, 0
    for size in itertools.cycle(sizes):
        piece, position = text[position : position + size], position + size
        place = watch.feed(piece, last=position >= len(text))
        if place is not None or position >= len(text):
            break
    assert place == StopWatch(format_named(name), ("</answer>", "\n\n")).feed(text, last=True)


@given(pieces=PIECES, name=st.sampled_from([name for name in NAMES if name != "none"]))
def test_a_response_that_was_stopped_has_ended_its_reasoning(pieces: list[str], name: str) -> None:
    text = "".join(pieces)
    place = stop_place(text, format_named(name), STOP)
    if place is not None:
        assert split(text[:place], format_named(name)).complete


def test_watching_costs_in_proportion_to_the_text() -> None:
    def seconds(length: int) -> float:
        watch = StopWatch(format_named("think"), STOP, "<think>")
        start = time.process_time()
        for _ in range(length):
            watch.feed("So we compute 12 * 7 = 84. Let me check that again, step by step.\n")
        return time.process_time() - start

    assert seconds(20_000) < 40 * max(seconds(2_000), 0.002)


def test_behind_a_servers_boundary_only_the_answer_is_searched() -> None:
    text = "<think>a</think>b</answer></think>It is 4.</answer> Bye"
    end = stop_place(text, AUTO, ["</answer>"], answer_start=text.index("It"))
    assert text[:end] == "<think>a</think>b</answer></think>It is 4.</answer>"


@pytest.mark.parametrize("name", ["auto", "think"])
def test_the_end_of_reasoning_that_nothing_opened_tells_that_no_answer_stood_before_it(name: str) -> None:
    text = f"{THOUGHT} <answer>1</answer>?</think>\n<answer>4</answer>"
    assert stop_place(f"{text} and <answer>5</answer>", format_named(name), STOP) == len(text)
