from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from k2eval.reasoning import NONE, cut, format_named, split
from k2eval.records import ReasoningFormat

THINK, HARMONY, AUTO = (format_named(name) for name in ("think", "harmony", "auto"))
PIECES = st.lists(
    st.sampled_from(["<think>", "</think>", "\n", " and so ", "2 + 2", "<answer>4</answer>"]), max_size=8
).map("".join)


@pytest.mark.parametrize(
    ("text", "place", "form", "kept"),
    [
        ("<think>add it up</think>\n\n4", 10, THINK, "<think>add</think>\n\n"),
        ("add it up</think> 4", 3, THINK, "add</think> "),
        ("<think>add it up</think>\n\nIt is 4.", 28, THINK, "<think>add it up</think>\n\nIt"),
        ("<think>add it up", 10, THINK, "<think>add</think>\n\n"),
        ("add it up", 3, THINK, "add</think>\n\n"),
        ("add it up", 3, NONE, "add"),
        ("It is 4.", 5, AUTO, "It is"),
        ("<thinking>add it up", 13, AUTO, "<thinking>add</thinking>\n\n"),
        ("<think>add</think>4", 13, THINK, "<think>add</think>"),
        ("<think>add it up</think>4", 4, THINK, ""),
        ("[THINK]add it up", 10, format_named("mistral"), "[THINK]add[/THINK]\n\n"),
        (
            "<scratch>add it up",
            12,
            format_named({"start": "<scratch>", "end": "</scratch>"}),
            "<scratch>add</scratch>\n\n",
        ),
    ],
)
def test_reasoning_that_is_cut_is_ended(text: str, place: int, form: ReasoningFormat, kept: str) -> None:
    assert cut(text, place, form) == kept


@pytest.mark.parametrize("rest", ["", "<|end|><|start|>assistant<|channel|>final<|message|>4"])
def test_harmony_goes_on_in_its_last_channel(rest: str) -> None:
    start = "<|channel|>analysis<|message|>Add"
    final = "<|end|><|start|>assistant<|channel|>final<|message|>"
    assert cut(f"{start} it up{rest}", len(start), HARMONY) == start + final


def test_a_mark_that_is_spoken_of_ends_nothing() -> None:
    text = 'Write "</think>" later, then add it up.</think>4'
    assert cut(text, 30, THINK) == text[:30] + "</think>"


@given(PIECES, st.integers(0, 80))
def test_an_answer_behind_the_cut_is_one(text: str, place: int) -> None:
    whole = "<think>" + text
    kept = cut(whole, 7 + min(place, len(text)), THINK)
    start = None if whole.startswith(kept) else len(kept)
    parts = split(kept + "The answer is 7.", THINK, start)
    assert parts.answer.endswith("The answer is 7.") or start is None


@given(PIECES, st.integers(0, 80))
def test_nothing_is_kept_from_behind_the_cut_but_the_mark(text: str, place: int) -> None:
    kept = cut(text, min(place, len(text)), THINK)
    assert any(
        kept[:end] == text[:end] and kept[end:].strip() in ("", "</think>") for end in range(place + 1)
    )
