"""Where answers end."""

import pytest

from k2eval.engines.endpoint.endings import cut_behind_stop, without_end_of_turn

STOPS = ("</answer>",)


@pytest.mark.parametrize(
    ("text", "opened", "cut"),
    [
        ("<answer>1</answer> more", False, "<answer>1</answer>"),
        (
            "so </answer> it is</think><answer>2</answer> more",
            True,
            "so </answer> it is</think><answer>2</answer>",
        ),
        ("<think>no </answer> here", False, None),
        ("no </answer> here", True, None),
        ("nothing", False, None),
    ],
)
def test_the_first_stop_string_of_the_answer_ends_it(text: str, opened: bool, cut: str | None) -> None:
    assert cut_behind_stop(text, STOPS, opened) == cut


def test_of_several_stop_strings_the_first_in_the_text_counts() -> None:
    assert cut_behind_stop("a STOP b END", ("END", "STOP"), False) == "a STOP"


@pytest.mark.parametrize(
    "token", ["<|im_end|>", "<|eot_id|>\n", "</s>", "<｜end▁of▁sentence｜>", "<end_of_turn>"]
)
def test_the_token_that_ends_a_turn_is_no_part_of_the_text(token: str) -> None:
    assert without_end_of_turn("x < y > z" + token) == "x < y > z"


@pytest.mark.parametrize("text", ["a > b", "<b>bold</b>", "</think>", "x\n"])
def test_other_ends_stay(text: str) -> None:
    assert without_end_of_turn(text) == text
