"""Where servers put the text and the reasoning of a message."""

from typing import Any

import pytest

from k2eval.engines.endpoint.contents import parts_of
from k2eval.engines.endpoint.trouble import BadAnswer


@pytest.mark.parametrize(
    "field",
    ["reasoning_content", "reasoning", "thinking", "thinking_content", "reasoning_text", "thought"],
)
def test_reasoning_is_found_under_the_name_of_every_server(field: str) -> None:
    assert parts_of({"content": "4", field: "2 + 2"}) == ("4", "2 + 2")


@pytest.mark.parametrize(
    ("message", "parts"),
    [
        ({"content": None}, ("", "")),
        ({"content": ["4", {"type": "text", "text": "2"}]}, ("42", "")),
        (
            {
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "2 "}, {"text": "+ 2"}]},
                    {"type": "text", "text": "4"},
                ]
            },
            ("4", "2 + 2"),
        ),
        ({"content": {"type": "output_text", "text": "4"}}, ("4", "")),
        (
            {
                "content": "4",
                "reasoning_details": [
                    {"type": "reasoning.summary", "summary": "2 "},
                    {"type": "reasoning.text", "text": "+ 2"},
                    {"type": "reasoning.encrypted", "data": "secret"},
                ],
            },
            ("4", "2 + 2"),
        ),
        ({"content": "4", "reasoning": "2", "reasoning_details": [{"text": "2"}]}, ("4", "2")),
        ({"content": "4", "thinking_blocks": [{"type": "thinking", "thinking": "2"}]}, ("4", "2")),
        ({"content": "4", "reasoning": {"content": "2"}}, ("4", "2")),
        ({"content": "4", "reasoning": {"effort": "high"}, "thinking": True}, ("4", "")),
        ({"content": None, "refusal": "I will not."}, ("I will not.", "")),
    ],
)
def test_contents_of_many_shapes(message: dict[str, Any], parts: tuple[str, str]) -> None:
    assert parts_of(message) == parts


def test_a_part_that_is_no_text_is_no_answer() -> None:
    with pytest.raises(BadAnswer, match="'image_url' instead of text"):
        parts_of({"content": [{"type": "image_url", "image_url": {"url": "x"}}]})


@pytest.mark.parametrize("content", [42, [42], True, {"type": "text", "text": 4}])
def test_numbers_are_no_text(content: object) -> None:
    with pytest.raises(TypeError):
        parts_of({"content": content})
