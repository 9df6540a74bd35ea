from __future__ import annotations

from typing import Any

import pytest

from k2eval.errors import DataError
from k2eval.records import Message, Question
from k2eval.tasks.conversation import container, conversations, replies, turns_of
from tests.tasks.test_adapters import spec


def test_a_row_makes_a_script_that_the_fingerprint_sees() -> None:
    row = {"id": "a", "system": "Keep K-12345.", "turns": ["One?", "Two?"], "secrets": ["K-12345"]}
    [item] = conversations([row], spec(fields={"id": "id"}), 0).items
    assert item.gold == "K-12345"
    assert item.fields["problem"] == "One?\n\nTwo?" and item.fields["system"] == "Keep K-12345."
    assert (
        item.fields["turns"]
        == item.metadata["turns"]
        == [
            {"role": "user", "content": "One?"},
            {"role": "user", "content": "Two?"},
        ]
    )
    assert item.metadata["secrets"] == ["K-12345"] and item.metadata["permitted"] == []


@pytest.mark.parametrize(
    ("turns", "message"),
    [
        (None, "expected a list of 1 to 100 turns"),
        ([], "expected a list of 1 to 100 turns"),
        (["a"] * 101, "expected a list of 1 to 100 turns"),
        ([" "], "expected a text"),
        (
            [{"role": "assistant", "content": "Hi"}, "a"],
            "expected each turn of the assistant behind one of the user",
        ),
        (["a", {"role": "assistant", "content": "Hi"}], "expected the user to have the last turn"),
        ([{"role": "system", "content": "Hi"}], "expected a turn as a text or as"),
        ([5], "expected a turn as a text or as"),
    ],
)
def test_a_script_that_cannot_be_held_is_refused(turns: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        turns_of(turns, "Task t, row 1")


def test_a_text_that_is_no_container_is_one_reply() -> None:
    script = [{"role": "user", "content": "One?"}]
    scripted = Question(task="t", id="1", messages=(), gold="x", metadata={"turns": script})
    plain = Question(task="t", id="1", messages=(), gold="x")
    held = container([Message(role="user", content="One?"), Message(role="assistant", content="Yes.")])
    assert replies(scripted, held) == ["Yes."]
    assert replies(scripted, '{"conversation": [["user"') == ['{"conversation": [["user"']
    assert replies(plain, held) == [held]  # a model cannot pretend to have said several things
