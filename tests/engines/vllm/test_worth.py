"""A schedule of drafts is worth its cost if the time that it saves near the end of a run is the larger."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from k2eval.engines.vllm.worth import Level, gain_of

SCHEDULE = [[1, 1, 3], [2, 64, 0]]


def levels(idle: float) -> list[Level]:
    return [Level(1, 50.0, {0: 50.0, 3: 120.0}), Level(64, 1000.0, {0: 1000.0 * idle, 3: 500.0})]


@given(st.integers(1, 100_000), st.floats(0.5, 2.0))
def test_equal_speeds_take_equal_times(requests: int, factor: float) -> None:
    same = [Level(number, 50.0 * number, {0: factor * 50.0 * number}) for number in (1, 16, 64)]
    assert gain_of(requests, 64, same, [[1, 64, 0]]) == pytest.approx(factor)


@given(st.integers(1, 64), st.integers(65, 100_000))
def test_the_tail_weighs_less_in_a_longer_run(few: int, many: int) -> None:
    short, long = gain_of(few, 64, levels(0.9), SCHEDULE), gain_of(many, 64, levels(0.9), SCHEDULE)
    assert short is not None and long is not None
    assert short > long


def test_a_free_schedule_never_loses() -> None:
    for requests in (1, 64, 10_000):
        gain = gain_of(requests, 64, levels(1.0), SCHEDULE)
        assert gain is not None and gain >= 1


def test_without_the_speed_of_an_idle_draft_nobody_knows() -> None:
    old = [Level(1, 50.0, {3: 120.0}), Level(64, 1000.0, {3: 500.0})]
    assert gain_of(100, 64, old, SCHEDULE) is None
    assert gain_of(100, 64, [], SCHEDULE) is None


def test_a_schedule_is_compared_with_the_idle_draft_where_it_was_measured() -> None:
    level = Level(64, 1000.0, {0: 800.0, 3: 900.0})
    assert level.best(gain=1.02) == 3
    assert Level(64, 1000.0, {3: 900.0}).best(gain=1.02) == 0


def test_places_beyond_the_measured_ones_are_taken_to_draft_nothing() -> None:
    """So a draft that gains at few requests and costs speed while it is idle is not trusted with many."""
    measured = [Level(8, 400.0, {0: 200.0, 3: 600.0})]
    assert gain_of(10_000, 8, measured, [[1, 8, 3], [9, 1024, 0]]) == pytest.approx(1.5)
    beyond = gain_of(10_000, 256, measured, [[1, 8, 3], [9, 1024, 0]])
    assert beyond is not None and beyond < 0.6


def test_a_draft_gains_nothing_where_the_schedule_asks_for_none() -> None:
    """The speed at 17 requests, without drafts, is not near that at 16 with drafts."""
    measured = [Level(16, 700.0, {0: 560.0, 3: 1400.0}), Level(256, 5000.0, {0: 4000.0, 3: 2000.0})]
    gain = gain_of(200, 256, measured, [[1, 16, 3], [17, 1024, 0]])
    assert gain is not None and 0.8 < gain < 0.82


def test_the_last_range_goes_on_as_in_vllm() -> None:
    measured = [Level(8, 400.0, {0: 200.0, 3: 600.0})]
    assert gain_of(1000, 256, measured, [[1, 8, 3]]) == pytest.approx(1.5)


@given(st.integers(1, 5000), st.integers(1, 1024), st.floats(0.5, 2.0), st.floats(0.5, 2.0))
def test_a_gain_lies_between_the_gains_of_the_parts(
    requests: int, places: int, idle: float, busy: float
) -> None:
    measured = [Level(n, 50.0 * n, {0: idle * 50.0 * n, 3: busy * 50.0 * n}) for n in (1, 16, 64)]
    gain = gain_of(requests, places, measured, [[1, 16, 3], [17, 1024, 0]])
    assert gain is not None and min(idle, busy) - 1e-9 <= gain <= max(idle, busy) + 1e-9


def test_no_request_has_no_gain() -> None:
    assert gain_of(0, 64, levels(0.9), SCHEDULE) is None
