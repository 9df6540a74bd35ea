"""Questions for the tests of graders."""

from collections.abc import Callable
from typing import Any

import pytest

from k2eval.errors import SandboxUnavailable
from k2eval.records import Question


def make_question(gold: Any, **more: Any) -> Question:
    return Question(task="test", id="q1", messages=(), gold=gold, **more)


@pytest.fixture
def question() -> Callable[..., Question]:
    return make_question


@pytest.fixture(scope="session")
def isolation() -> None:
    """Skips where programs cannot be isolated; what to do about it is tested with the sandbox itself."""
    from k2eval.grading.code import programs

    try:
        programs.box("plain")
    except SandboxUnavailable as error:
        pytest.skip(f"programs cannot be isolated here: {error}")
