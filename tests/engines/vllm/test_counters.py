"""Counts over a whole engine."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from k2eval.engines.vllm.counters import EngineCounters


def step(accepted: list[int] | None, running: int = 1) -> Any:
    drafted = None
    if accepted is not None:
        drafted = SimpleNamespace(
            num_drafts=2,
            num_draft_tokens=6,
            num_accepted_tokens=sum(accepted),
            num_accepted_tokens_per_pos=accepted,
        )
    return SimpleNamespace(spec_decoding_stats=drafted, num_running_reqs=running, num_waiting_reqs=0)


def test_steps_add_up() -> None:
    counters = EngineCounters()
    for accepted in ([2, 1], None, [1, 0, 0]):
        counters.record(step(accepted))
    result = counters.speculation
    assert result is not None
    assert (result.drafts, result.drafted_tokens, result.accepted_tokens) == (4, 12, 4)
    assert result.accepted_per_position == (3, 1, 0)


def test_without_speculation_there_are_no_counts() -> None:
    counters = EngineCounters()
    counters.record(step(None))
    assert counters.speculation is None


def test_steps_are_kept_only_where_asked_for() -> None:
    counters = EngineCounters()
    counters.record(step(None, running=3))
    counters.steps = []
    counters.record(step(None, running=5))
    assert [step.running for step in counters.steps] == [5]
