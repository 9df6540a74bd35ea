"""Candidates: several responses to one question, of which a recipe selects one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

from k2eval.errors import EngineError, EngineStopped
from k2eval.recipes.answers import said
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
        """What a verdict keeps of it."""
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
        """What a verdict keeps of it."""
        return {"index": self.index, "stage": self.stage, "reason": str(self.error)[:300]}


Made = Candidate | Lost


def stage_of(step: str, index: int) -> str:
    """The stage of a candidate's step: the first candidate's is that of a recipe without candidates.

    So ``solve`` of ``plain`` and of ``bo3`` are one generation, and ``solve-1`` is the same in ``bo2`` and
    ``maj8``. What a step needs beyond that follows after a dot.
    """
    return step if index == 0 else f"{step}-{index}"


async def make_candidate(sample: Sample, index: int, planned: bool) -> Made:
    """One candidate, with a plan of its own if ``planned``.

    Raises:
        EngineError: When the planner's engine has given up.
        EngineStopped: When an engine has died.
    """
    # Each sees only its own generations, so that what a candidate cost does not depend on the others' pace.
    own = replace(sample, generations=[])
    stage = stage_of("solve", index)
    planner = Planner(stage_of("plan", index)) if planned else None
    try:
        response = await own.solve(stage, prepare=planner)
    except EngineStopped:
        raise
    except EngineError as error:
        if planner is not None and planner.failure is error:
            raise
        return Lost(index, stage, error)
    finally:
        sample.generations.extend(own.generations)
    found = said(sample.question, response)
    notes = planner.notes() if planner else {}
    return Candidate(index, own.select(response, **notes), found.answer, found.vote)


async def all_of(*awaitables: Awaitable[T]) -> list[T]:
    """All results; waits for every one before it raises the first error, so that nothing runs on unseen."""
    results = await asyncio.gather(*awaitables, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]


@asynccontextmanager
async def being_made(
    sample: Sample, indices: Sequence[int], planned: bool
) -> AsyncIterator[list[asyncio.Task[Made]]]:
    """Candidates that are being made at once, one task each; none outlives the block."""
    tasks = [asyncio.create_task(make_candidate(sample, index, planned)) for index in indices]
    try:
        yield tasks
    except asyncio.CancelledError:
        for task in tasks:
            task.cancel()
        raise
    finally:
        await asyncio.gather(*tasks, return_exceptions=True)


def split(made: Sequence[Made]) -> tuple[list[Candidate], list[Lost]]:
    """The candidates that are there, and those that were lost.

    Raises:
        EngineError: When none is there; the first one's.
    """
    candidates = [one for one in made if isinstance(one, Candidate)]
    lost = [one for one in made if isinstance(one, Lost)]
    if not candidates:
        raise lost[0].error
    return candidates, lost


def notes_of(candidates: Sequence[Candidate], lost: Sequence[Lost], wanted: int) -> dict[str, Json]:
    """What a verdict keeps of the candidates; ``marks`` are the sentences that a reader must see."""
    marks = [mark for one in candidates for mark in one.response.notes.get("marks", [])]
    if lost:
        marks.append(f"{len(candidates)} of {wanted} candidates: the engine gave up on the others")
    return {
        "candidates": [candidate.note() for candidate in candidates],
        **({"lost": [one.note() for one in lost]} if lost else {}),
        **({"marks": marks} if marks else {}),
    }
