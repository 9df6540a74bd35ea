"""How much of an engine is taken."""

from __future__ import annotations

import pytest

from benchmarks.busy import taken
from k2eval.engines.vllm.counters import Step


def test_places_are_weighed_by_time() -> None:
    steps = [Step(0.0, 4, 0), Step(3.0, 2, 0), Step(4.0, 0, 0)]
    finished = [3.0, 3.0, 4.0, 4.0, 4.0]
    assert taken(steps, 4, finished, len(finished)) == pytest.approx((3 * 1.0 + 1 * 0.5) / 4)


def test_places_without_work_do_not_count() -> None:
    steps = [Step(0.0, 4, 0), Step(3.0, 2, 0), Step(4.0, 0, 0)]
    assert taken(steps, 4, [3.0, 3.0, 4.0, 4.0]) == 1.0


def test_the_last_answers_do_not_count() -> None:
    steps = [Step(float(second), 4 if second < 50 else 1, 0) for second in range(100)]
    finished = [second / 2 for second in range(100)] + [99.0]
    assert taken(steps, 4, finished, len(finished)) == 1.0
