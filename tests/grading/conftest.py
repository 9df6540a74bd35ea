"""Questions for the tests of graders."""

from collections.abc import Callable
from typing import Any

import pytest

from k2eval.records import Question


def make_question(gold: Any, **more: Any) -> Question:
    return Question(task="test", id="q1", messages=(), gold=gold, **more)


@pytest.fixture
def question() -> Callable[..., Question]:
    return make_question
