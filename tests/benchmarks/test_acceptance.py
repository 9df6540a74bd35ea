"""The table of acceptance."""

from __future__ import annotations

from benchmarks.acceptance import table


def test_a_task_that_was_not_counted_has_a_dash() -> None:
    entry = {
        "acceptance_length": 2.4,
        "acceptance_rate": 0.466,
        "acceptance_per_position": [0.63, 0.44, 0.33],
        "tasks": {"a": {"acceptance_length": 2.07}},
    }
    assert table({3: entry}, ["a", "b"])[-1] == "| 3 | 2.40 | 2.07 | - | 46.6 | 63 44 33 |"
