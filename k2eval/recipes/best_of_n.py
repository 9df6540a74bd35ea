"""Best of N: several candidates at once, and a judge that compares them two by two as they come in."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from k2eval.recipes.candidates import Candidate, Made, all_of, being_made, notes_of, split
from k2eval.recipes.judge import Comparison, compare
from k2eval.recipes.sample import Sample
from k2eval.records import Response


@dataclass(frozen=True, slots=True)
class BestOfN:
    """A recipe that selects one of ``n`` candidates.

    A scan holds each candidate, in order, against the best so far; of N candidates stored, the choice among
    any first M of them therefore needs nothing new. A tournament pairs them off, which takes fewer rounds.
    Neither ever looks at a clock: which candidates take part does not depend on how fast they came.
    """

    n: int
    planned: bool = False
    """Whether each candidate has a plan of its own."""
    tournament: bool = False

    async def __call__(self, sample: Sample) -> Response:
        """Make the candidates, compare, select."""
        async with being_made(sample, range(self.n), self.planned) as tasks:
            contest = _Contest(sample)
            if self.tournament:
                best = await contest.tournament(tasks)
            else:
                best = await contest.scan(tasks)
            candidates, lost = split([await task for task in tasks])
        assert best is not None
        notes = notes_of(candidates, lost, self.n)
        comparisons = sorted(contest.comparisons, key=lambda one: (one.pair[1], one.pair[0]))
        marks = [*notes.pop("marks", []), *(mark for one in comparisons for mark in one.marks())]
        return sample.select(
            best.response,
            selected=best.index,
            **notes,
            comparisons=[one.note() for one in comparisons],
            **({"marks": marks} if marks else {}),
        )


@dataclass(slots=True)
class _Contest:
    sample: Sample
    comparisons: list[Comparison] = field(default_factory=list)

    async def scan(self, tasks: Sequence[asyncio.Task[Made]]) -> Candidate | None:
        best: Candidate | None = None
        in_play: list[Candidate] = []
        for task in tasks:
            made = await task
            if isinstance(made, Candidate):
                in_play.append(made)
                best = made if best is None else await self._better(best, made, in_play)
        return best

    async def tournament(self, tasks: Sequence[asyncio.Task[Made]]) -> Candidate | None:
        best, _ = await self._bracket(tasks)
        return best

    async def _bracket(self, tasks: Sequence[asyncio.Task[Made]]) -> tuple[Candidate | None, list[Candidate]]:
        if len(tasks) == 1:
            made = await tasks[0]
            return (made, [made]) if isinstance(made, Candidate) else (None, [])
        half = (len(tasks) + 1) // 2
        (left, seen), (right, also) = await all_of(self._bracket(tasks[:half]), self._bracket(tasks[half:]))
        in_play = [*seen, *also]
        if left is None or right is None:
            return left or right, in_play
        return await self._better(left, right, in_play), in_play

    async def _better(self, one: Candidate, other: Candidate, in_play: Sequence[Candidate]) -> Candidate:
        comparison = await compare(self.sample, one, other, in_play)
        self.comparisons.append(comparison)
        return one if comparison.winner == one.index else other
