"""The workers of the queue."""

from pathlib import Path

import pytest
from rich.console import Console

from k2eval.engines.scripted import ScriptedEngine
from k2eval.records import Generation, Request
from k2eval.run import queue
from k2eval.run.runner import Runner
from tests.scripted_runs import config, golds, student


class Growing(ScriptedEngine):
    """An engine whose capacity changes as it answers."""

    def __init__(self, capacities: dict[int, int]) -> None:
        super().__init__(lambda request: "no answer", delay_s=0.02, capacity=capacities[0])
        self._capacities = capacities
        self.now = 0
        self.seen: list[tuple[int, int]] = []

    async def generate(self, request: Request) -> Generation:
        self.now += 1
        self.seen.append((self.capacity, self.now))
        try:
            return await super().generate(request)
        finally:
            self.now -= 1
            self.capacity = self._capacities.get(len(self.seen), self.capacity)


async def test_workers_follow_the_capacity_of_the_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "_FOLLOW_EVERY_S", 0.01)
    engine = Growing({0: 2, 20: 12, 80: 3})
    run = config(tmp_path / "run", limit=20, repeats=8)
    summary = await Runner(run, {"solver": engine}, Console(quiet=True)).run()
    assert summary.done == 160
    most = {capacity: max(now for known, now in engine.seen if known == capacity) for capacity in (2, 12)}
    assert most == {2: 2, 12: 12}
    assert {now for capacity, now in engine.seen[-40:] if capacity == 3} == {3}


async def test_first_samples_go_first_and_then_those_with_the_most_tokens_left(tmp_path: Path) -> None:
    run = config(tmp_path / "run", recipe="k2", limit=2, repeats=2)
    asked: list[Request] = []
    script = student(golds(run), lambda request: True)

    def watched(request: Request) -> str:
        asked.append(request)
        return script(request)

    await Runner(run, {"solver": ScriptedEngine(watched, capacity=2)}, Console(quiet=True)).run()
    priorities: dict[tuple[str, int], list[int]] = {}
    for request in asked:
        priorities.setdefault((request.question_id, request.repeat_index), []).append(request.priority)
    *firsts, third, fourth = priorities.values()
    assert len(firsts) == 2 and {each for sample in firsts for each in sample} == {-(1 << 30)}
    for sample in (third, fourth):
        assert -(1 << 30) < sample[0] < sample[-1], "what a sample has written is no longer left"


@pytest.mark.parametrize(("recipe", "most"), [("plain", 8), ("plan", 10)])
async def test_more_samples_are_in_work_where_each_asks_for_one_thing_after_another(
    tmp_path: Path, recipe: str, most: int
) -> None:
    run = config(tmp_path / "run", recipe=recipe, limit=20, repeats=1)
    script = student(golds(run), lambda request: True)
    in_work: set[str] = set()
    seen = 0

    class Watching(ScriptedEngine):
        async def generate(self, request: Request) -> Generation:
            nonlocal seen
            in_work.add(request.question_id)
            seen = max(seen, len(in_work))
            answer = await super().generate(request)
            if request.stage == "solve":
                in_work.discard(request.question_id)
            return answer

    await Runner(run, {"solver": Watching(script, delay_s=0.01, capacity=8)}, Console(quiet=True)).run()
    assert seen == most
