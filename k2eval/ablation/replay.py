"""Effects of planning and choosing, measured on stored samples: recipes are replayed over the journals of runs.

The key of a generation does not contain the name of a recipe, so a run of ``bo3`` also holds ``plain``, ``bo2`` and
``maj3``, and a run of ``k2`` also holds ``plan``. Nothing is generated here. All rows of a table are about the same
samples: those for which every row in the table has all its generations.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import numpy as np

from k2eval.ablation.table import Cell, Cost, Duel, Table, row_names
from k2eval.errors import ConfigError, EngineError, JournalError
from k2eval.grading import GradingPool
from k2eval.journal import Archive, RunRecord, read_run
from k2eval.recipes import (
    BestOfN,
    Candidate,
    Majority,
    Prepare,
    Published,
    Sample,
    make_candidate,
    plain,
    plan,
)
from k2eval.records import Generation, Message, Request, Response, Role
from k2eval.run import (
    Assignment,
    NotKept,
    Work,
    check_same,
    hinting,
    identity_of,
    trusted_config,
)
from k2eval.system import cores


async def ablate(
    folders: Sequence[Path], n: int = 3, data: Path | None = None, include: Sequence[Path] = ()
) -> Table:
    """Replay every recipe that the given runs hold.

    Args:
        folders: Run directories of one checkpoint, asked the same questions with the same seed.
        n: Candidates of the best-of-N and majority rows.
        data: Folder with the benchmarks' rows; ``K2EVAL_DATA`` or the hub if None.
        include: Folders with the user's own tasks.

    Raises:
        ConfigError: If ``n`` is less than 1.
        JournalError: If the runs do not belong together, or their questions have changed.
    """
    if n < 1:
        raise ConfigError(f"--n: expected at least 1 candidate, got {n}.")
    runs = [read_run(folder) for folder in folders]
    work = _work(folders, runs, data, include)
    archive = Archive(folders)
    table = Table(n)
    for name in row_names(n):
        table.cells[name] = {}
    window = asyncio.Semaphore(64)
    async with GradingPool(cores.count()) as pool, asyncio.TaskGroup() as group:
        for assignment in work.assignments():
            table.asked += 1
            await window.acquire()
            replay = _Replay(assignment, work.config.seed, runs[0], archive, pool, table)
            group.create_task(replay.run()).add_done_callback(lambda _: window.release())
    return table


def _work(
    folders: Sequence[Path], runs: Sequence[RunRecord], data: Path | None, include: Sequence[Path]
) -> Work:
    """Return the samples that all runs asked for."""
    skipped = ("recipe", "answer_judge")
    first = {key: value for key, value in identity_of(runs[0]).items() if key not in skipped}
    for folder, run in zip(folders[1:], runs[1:], strict=True):
        other = identity_of(run)
        apart = [key for key, value in first.items() if key in other and other[key] != value]
        if apart:
            lines = "\n".join(
                f"  {key}: {first[key]!r} in {folders[0]}, {other[key]!r} there" for key in apart
            )
            raise JournalError(f"{folder} cannot be compared with {folders[0]}. The differences:\n{lines}")
    tasks = [name for name in runs[0].tasks if all(name in run.tasks for run in runs)]
    if not tasks:
        raise JournalError("The runs have no task in common.")
    limits = [run.config.limit for run in runs]
    changes = {
        "tasks": tuple(tasks),
        "recipe": "plain",
        "repeats": max(run.repeats for run in runs),
        "limit": None if None in limits else max(limit for limit in limits if limit),
    }
    with hinting(runs[0], data, include):
        work = Work(trusted_config(runs[0], data, include).model_copy(update=changes))
        for run in runs:
            check_same(run, work)
    return work


class _Replay:
    """One sample, replayed through every recipe."""

    def __init__(
        self,
        assignment: Assignment,
        seed: int,
        run: RunRecord,
        archive: Archive,
        pool: GradingPool,
        table: Table,
    ) -> None:
        self._assignment = assignment
        self._seed, self._run = seed, run
        self._archive, self._pool, self._table = archive, pool, table
        self._generations: dict[str, Generation] = {}
        self._graded: dict[tuple[str, int | None], float] = {}
        self._solved: dict[str, Response] = {}
        """Candidates made in several steps, by the key of their last generation."""

    async def run(self) -> None:
        """Fill the sample's cells."""
        n = self._table.n
        await self._row("plain", plain)
        await self._row("plan", plan)
        await self._row("k2-published", Published())
        for kind, planned in (("", False), ("plan-", True)):
            for m in range(1, n + 1):
                await self._row(f"{kind}bo{m}", BestOfN(m, planned))
                await self._row(f"{kind}maj{m}", Majority(m, planned))
            await self._row(f"{kind}adaptive{n}", Majority(n, planned, adaptive=True))
            await self._candidates(kind, planned)

    async def _row(self, name: str, recipe: Callable[[Sample], Awaitable[Response]]) -> None:
        sample = self._sample()
        try:
            response = await recipe(sample)
        except EngineError:
            return
        score = await self._score(response)
        if score is None:
            return
        self._table.cells[name][self._assignment.sample_key] = Cell(score, _cost(response))
        await self._duels(name, response, sample)

    async def _candidates(self, kind: str, planned: bool) -> None:
        """Fill the rows of a random candidate and of the oracle, which takes a right candidate if there is one."""
        n, costs, scores = self._table.n, [], []
        for index in range(n):
            try:
                candidate = await make_candidate(self._sample(), index, planned)
            except EngineError:
                return
            score = await self._score(candidate.response) if isinstance(candidate, Candidate) else None
            if score is None or not isinstance(candidate, Candidate):
                return
            costs.append(_cost(candidate.response))
            scores.append(score)
        key, cells = self._assignment.sample_key, self._table.cells
        for m in range(1, n + 1):
            cells[f"{kind}oracle{m}"][key] = Cell(max(scores[:m]), _together(costs[:m]))
        whole = _together(costs)
        mean = Cost(whole.whole / n, whole.selected, whole.calls / n)
        cells[f"{kind}random"][key] = Cell(sum(scores) / n, mean)

    async def _duels(self, name: str, response: Response, sample: Sample) -> None:
        texts = {generation.key: generation for generation in sample.generations}
        right: set[int] = set()
        for candidate in response.notes.get("candidates", []):
            key = candidate["generation"]
            if key not in self._solved and key not in texts:
                return
            score = await self._score(self._solved.get(key) or sample.respond(texts[key]))
            if score is not None and score >= 1:
                right.add(candidate["index"])
        duels = [
            Duel(
                orders=tuple(comparison["orders"]),
                shown_first=tuple(comparison["pair"])[: len(comparison["orders"])],
                winner=comparison["winner"],
                right=frozenset(right.intersection(comparison["pair"])),
            )
            for comparison in response.notes.get("comparisons", [])
            if comparison.get("orders")
        ]
        self._table.duels.setdefault(name, {})[self._assignment.sample_key] = duels

    def _sample(self) -> Sample:
        sample = self._assignment.sample(
            self._seed, self._run.engine.fingerprints, self._ask, self._run.reasoning
        )
        if sample.solver is not None:
            sample.solver = self._solve
        return sample

    async def _solve(
        self, sample: Sample, stage: str, messages: Sequence[Message], prepare: Prepare | None = None
    ) -> Response:
        response: Response = await self._assignment.solver(sample, stage, messages, prepare)
        self._solved[response.selected] = response
        return response

    async def _ask(self, request: Request, role: Role) -> Generation:
        generation = self._generations.get(request.key) or self._archive.find(request.key)
        if generation is None:
            raise NotKept("not in the journals")
        self._generations[request.key] = generation
        return generation

    async def _score(self, response: Response) -> float | None:
        """Return the response's score; None if it could not be graded."""
        key = response.text, response.answer_start
        if key not in self._graded:
            grade = await self._pool.grade_response(self._assignment.question, response)
            self._graded[key] = np.nan if grade.score is None else grade.score
        score = self._graded[key]
        return None if np.isnan(score) else score


def _together(costs: Sequence[Cost]) -> Cost:
    """Return the whole cost of several candidates; the selected one costs their mean."""
    return Cost(
        whole=sum(cost.whole for cost in costs),
        selected=sum(cost.selected for cost in costs) / len(costs),
        calls=sum(cost.calls for cost in costs),
    )


def _cost(response: Response) -> Cost:
    return Cost(response.recipe_tokens, response.output_tokens, len(response.generations))
