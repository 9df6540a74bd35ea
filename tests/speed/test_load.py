"""Putting a load on a target."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from k2eval.engines.measured import Load, Piece, Prompt
from k2eval.errors import EngineStopped
from k2eval.records import SpeculativeCounts
from k2eval.speed.load import put


class Scripted:
    """Answers with three pieces; fails, says nothing or dies where told to."""

    def __init__(self, fails: frozenset[int] = frozenset(), dies: bool = False) -> None:
        self.running = self.most = 0
        self.starts: list[float] = []
        self._fails, self._dies = fails, dies

    async def stream(self, prompt: Prompt, load: Load) -> AsyncIterator[Piece]:
        self.starts.append(time.perf_counter())
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            if self._dies:
                raise EngineStopped("dead")
            if prompt.seed in self._fails:
                raise ValueError("no answer")
            if prompt.seed == 99:
                return
            for _ in range(3):
                await asyncio.sleep(0.002)
                yield Piece(2, prompt.tokens)
            yield Piece(0, prompt.tokens, 7)
        finally:
            self.running -= 1

    async def refresh(self) -> None:
        return None

    async def speculation(self) -> SpeculativeCounts | None:
        return None


PROMPTS = [Prompt(tokens=5, seed=number) for number in range(12)]


async def test_as_many_as_asked_for_are_in_flight() -> None:
    target = Scripted()
    traces = await put(Load(12, 7, 5, concurrency=4), target, PROMPTS)
    assert (len(traces), target.most) == (12, 4)
    assert all(trace.error is None and len(trace.arrivals) == 3 for trace in traces)


async def test_a_servers_own_count_of_tokens_wins() -> None:
    [trace] = await put(Load(1, 7, 5, concurrency=1), Scripted(), PROMPTS)
    assert (trace.tokens, trace.prompt_tokens) == (7, 5)


async def test_arrivals_are_random_with_the_rate_asked_for_and_the_same_again() -> None:
    gaps = []
    for _ in range(2):
        target = Scripted()
        await put(Load(12, 7, 5, rate=200.0), target, PROMPTS)
        gaps.append(target.starts[-1] - target.starts[0])
    assert 0.5 * 11 / 200 < gaps[0] < 4 * 11 / 200
    assert gaps[0] == pytest.approx(gaps[1], abs=0.05)


async def test_a_failed_request_is_a_trace_with_its_reason() -> None:
    traces = await put(Load(12, 7, 5, concurrency=3), Scripted(frozenset({2})), PROMPTS)
    assert [trace.error for trace in traces if trace.error] == ["ValueError: no answer"]


async def test_an_empty_answer_is_a_failure() -> None:
    [trace] = await put(Load(1, 7, 5, concurrency=1), Scripted(), [Prompt(tokens=5, seed=99)])
    assert trace.error == "the answer was empty"


async def test_a_dead_engine_ends_the_measurement() -> None:
    with pytest.raises(EngineStopped):
        await put(Load(2, 7, 5, concurrency=2), Scripted(dies=True), PROMPTS)
