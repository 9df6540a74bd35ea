"""Best of N: several candidates at once, and a judge that compares them in pairs as they arrive."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from k2eval.recipes.candidates import Candidate, CandidateOrLost, all_of, being_made, notes_of, split
from k2eval.recipes.judge import Comparison, compare
from k2eval.recipes.sample import Sample
from k2eval.records import Response


@dataclass(frozen=True, slots=True)
class BestOfN:
    """A recipe that selects one of ``n`` candidates.

    A scan compares each candidate, in order, with the best so far. So the choice among the first M of N stored
    candidates needs nothing new. A tournament pairs the candidates off, which takes fewer rounds. Neither uses a
    clock: the candidates that take part do not depend on their speed.
    """

    n: int
    planned: bool = False
    """Whether each candidate has its own plan."""
    tournament: bool = False

    async def __call__(self, sample: Sample) -> Response:
        """Make the candidates, compare them, and select one."""
        async with being_made(sample, range(self.n), self.planned) as tasks:
            contest = _Contest(sample)
            if self.tournament:
                best = await contest.tournament(tasks)
            else:
                best = await contest.scan(tasks)
            candidates, lost = split([await task for task in tasks])
        assert best is not None
        notes = notes_of(candidates, lost, self.n)
        comparisons = sorted(contest.comparisons, key=lambda comparison: comparison.pair[::-1])
        marks = notes.pop("marks", [])
        marks = [*marks, *(mark for comparison in comparisons for mark in comparison.marks())]
        return sample.select(
            best.response,
            selected=best.index,
            **notes,
            comparisons=[comparison.note() for comparison in comparisons],
            **({"marks": marks} if marks else {}),
        )


@dataclass(slots=True)
class _Contest:
    sample: Sample
    comparisons: list[Comparison] = field(default_factory=list)

    async def scan(self, tasks: Sequence[asyncio.Task[CandidateOrLost]]) -> Candidate | None:
        best: Candidate | None = None
        in_play: list[Candidate] = []
        for task in tasks:
            candidate = await task
            if isinstance(candidate, Candidate):
                in_play.append(candidate)
                best = candidate if best is None else await self._better(best, candidate, in_play)
        return best

    async def tournament(self, tasks: Sequence[asyncio.Task[CandidateOrLost]]) -> Candidate | None:
        best, _ = await self._bracket(tasks)
        return best

    async def _bracket(
        self, tasks: Sequence[asyncio.Task[CandidateOrLost]]
    ) -> tuple[Candidate | None, list[Candidate]]:
        if len(tasks) == 1:
            candidate = await tasks[0]
            return (candidate, [candidate]) if isinstance(candidate, Candidate) else (None, [])
        half = (len(tasks) + 1) // 2
        sides = await all_of(self._bracket(tasks[:half]), self._bracket(tasks[half:]))
        (first, _), (second, _) = sides
        in_play = [candidate for _, candidates in sides for candidate in candidates]
        if first is None or second is None:
            return first or second, in_play
        return await self._better(first, second, in_play), in_play

    async def _better(self, first: Candidate, second: Candidate, in_play: Sequence[Candidate]) -> Candidate:
        comparison = await compare(self.sample, first, second, in_play)
        self.comparisons.append(comparison)
        return first if comparison.winner == first.index else second
