"""Tokens/s is tokens over the time in which the engine had requests, and nothing else."""

from __future__ import annotations

import pytest

from k2eval.run.session import Session
from tests.run.records import generation


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("k2eval.run.session.time.monotonic", clock)
    return clock


def test_time_without_requests_does_not_count(clock: Clock) -> None:
    session = Session()
    with session.asking():
        clock.now += 10
    clock.now += 50  # only graders work
    with session.asking():
        clock.now += 5
    clock.now += 50
    assert session.generation_s == 15


def test_requests_side_by_side_count_once(clock: Clock) -> None:
    session = Session()
    with session.asking():
        clock.now += 4
        with session.asking():
            clock.now += 4
        clock.now += 2
    assert session.generation_s == 10


def test_while_requests_are_inside_the_time_runs(clock: Clock) -> None:
    session = Session()
    with session.asking():
        clock.now += 4
        assert session.generation_s == 4


def test_a_request_that_fails_is_no_longer_inside(clock: Clock) -> None:
    session = Session()
    with pytest.raises(ValueError, match="broken"), session.asking():
        clock.now += 3
        raise ValueError("broken")
    clock.now += 3
    assert session.generation_s == 3


def test_tokens_per_second_in_run_json_is_that_of_the_display(clock: Clock) -> None:
    session = Session()
    with session.asking():
        clock.now += 20
        session.count(generation(output_tokens=500))
    clock.now += 100
    entry = session.describe(None)
    assert session.tokens_per_s == 25
    assert entry.generated_tokens / entry.generation_s == 25


def test_before_the_first_answer_there_is_no_speed(clock: Clock) -> None:
    assert Session().tokens_per_s is None
