"""Candidates: several responses to one question, of which a recipe selects one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

from k2eval.errors import EngineError, EngineStopped, RecipeFailed
from k2eval.recipes.answers import answer_of
from k2eval.recipes.planning import Planner
from k2eval.recipes.sample import Sample
from k2eval.records import Json, Response

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Candidate:
    """One response among several."""

    index: int
    response: Response
    answer: str | None
    vote: str | None
    """Equal for candidates with equal answers; None without an answer."""

    def note(self) -> dict[str, Json]:
        """Return the entry in a verdict's notes."""
        return {
            "index": self.index,
            "generation": self.response.selected,
            "answer": self.answer,
            "tokens": self.response.output_tokens,
            **({"plan": self.response.notes["plan"]} if "plan" in self.response.notes else {}),
        }


@dataclass(frozen=True, slots=True)
class Lost:
    """A candidate that the solver's engine gave up on."""

    index: int
    stage: str
    error: EngineError

    def note(self) -> dict[str, Json]:
        """Return the entry in a verdict's notes."""
        return {"index": self.index, "stage": self.stage, "reason": str(self.error)[:300]}


CandidateOrLost = Candidate | Lost


def stage_of(step: str, index: int) -> str:
    """Return the stage of a candidate's step; that of the first candidate is as in a recipe without candidates.

    So ``solve`` of ``plain`` and of ``bo3`` are one generation, and ``solve-1`` is the same in ``bo2`` and ``maj8``.
    Further parts of a stage's name follow after a dot.

    >>> stage_of("solve", 0), stage_of("solve", 2)
    ('solve', 'solve-2')
    """
    return step if index == 0 else f"{step}-{index}"


async def make_candidate(sample: Sample, index: int, planned: bool) -> CandidateOrLost:
    """Make one candidate, with its own plan if ``planned``.

    Raises:
        EngineError: If the planner's engine has given up.
        EngineStopped: If an engine has died.
        RecipeFailed: If the task's own solver failed.
    """
    # Each sample has only its own generations, so that the cost of a candidate does not depend on the others' pace.
    own = replace(sample, generations=[])
    stage = stage_of("solve", index)
    planner = Planner(stage_of("plan", index)) if planned else None
    try:
        response = await own.solve(stage, prepare=planner)
    except (EngineStopped, RecipeFailed):
        raise
    except EngineError as error:
        if planner is not None and planner.failure is error:
            raise
        return Lost(index, stage, error)
    finally:
        sample.generations.extend(own.generations)
    answer = answer_of(sample.question, response)
    notes = planner.notes() if planner else {}
    return Candidate(index, own.select(response, **notes), answer.text, answer.vote)


async def all_of(*awaitables: Awaitable[T]) -> list[T]:
    """Return all results; wait for every one before raising the first error, so that nothing runs on unseen."""
    results = await asyncio.gather(*awaitables, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]


@asynccontextmanager
async def being_made(
    sample: Sample, indices: Sequence[int], planned: bool
) -> AsyncIterator[list[asyncio.Task[CandidateOrLost]]]:
    """Make candidates at once, one task each; no task outlives the block."""
    tasks = [asyncio.create_task(make_candidate(sample, index, planned)) for index in indices]
    try:
        yield tasks
    except asyncio.CancelledError:
        for task in tasks:
            task.cancel()
        raise
    finally:
        await asyncio.gather(*tasks, return_exceptions=True)


def split(results: Sequence[CandidateOrLost]) -> tuple[list[Candidate], list[Lost]]:
    """Split results into the candidates and those that were lost.

    Raises:
        EngineError: If all were lost; the error of the first.
    """
    candidates = [result for result in results if isinstance(result, Candidate)]
    lost = [result for result in results if isinstance(result, Lost)]
    if not candidates:
        raise lost[0].error
    return candidates, lost


def notes_of(candidates: Sequence[Candidate], lost: Sequence[Lost], n: int) -> dict[str, Json]:
    """Return the notes on ``n`` candidates for a verdict; ``marks`` are the sentences that a reader must see."""
    marks = [mark for candidate in candidates for mark in candidate.response.notes.get("marks", [])]
    if lost:
        marks.append(f"{len(candidates)} of {n} candidates: the engine gave up on the others")
    return {
        "candidates": [candidate.note() for candidate in candidates],
        **({"lost": [candidate.note() for candidate in lost]} if lost else {}),
        **({"marks": marks} if marks else {}),
    }
