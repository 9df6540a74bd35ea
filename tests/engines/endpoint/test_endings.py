"""Where answers end."""

import pytest

from k2eval.engines.endpoint.endings import without_end_of_turn


@pytest.mark.parametrize(
    "token", ["<|im_end|>", "<|eot_id|>\n", "</s>", "<｜end▁of▁sentence｜>", "<end_of_turn>"]
)
def test_the_token_that_ends_a_turn_is_no_part_of_the_text(token: str) -> None:
    assert without_end_of_turn("x < y > z" + token) == "x < y > z"


@pytest.mark.parametrize("text", ["a > b", "<b>bold</b>", "</think>", "x\n"])
def test_other_ends_stay(text: str) -> None:
    assert without_end_of_turn(text) == text
