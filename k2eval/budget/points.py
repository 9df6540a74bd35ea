"""Scores of stored samples against the tokens allowed, with the frontier over all runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from k2eval.errors import ConfigError
from k2eval.leaderboard import RunScores, TaskScores, thinking_in_words
from k2eval.records import Outcome
from k2eval.statistics import (
    Estimate,
    Ratio,
    Scores,
    average,
    dominating,
    paired_means,
    ratio,
    scores_within,
)

_MOST = 10
"""Most budgets that are chosen for the user."""
_DEVICES = ("tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size", "replicas")
"""Settings of engines whose product is the number of cards."""


@dataclass(frozen=True, slots=True)
class BudgetPoint:
    """One run on one benchmark within one budget. Scores are fractions."""

    run: RunScores
    task: TaskScores
    """With the scores within the budget, and the tokens spent in `recipe_tokens`."""
    name: str
    """The benchmark."""
    budget: int
    forced: bool
    """Whether answers were forced at the budget; else only those that ended by it count."""
    score: Estimate
    ended: float
    """The share of samples whose answer ended by the budget."""
    tokens: float
    """Mean tokens spent on a sample, which ends at the budget at the latest."""
    per_million: Ratio
    """Right answers per million tokens."""
    per_hour: Ratio
    """Right answers per hour of one GPU, at the run's own speed; NaN if that is unknown."""
    frontier: str = ""
    """``on`` the frontier, ``near`` if no point that costs no more is shown to be better, else empty."""


def budget_points(
    runs: Sequence[RunScores],
    at: Sequence[int] = (),
    forced: Mapping[tuple[str, int], RunScores] | None = None,
    gpus: int | None = None,
) -> list[BudgetPoint]:
    """Return all points: run by run, benchmark by benchmark, budget by budget.

    Args:
        runs: The runs.
        at: The budgets in tokens; powers of two if empty.
        forced: Runs with answers forced at a budget, by the name of the run and the budget.
        gpus: Number of GPUs of every run, if its settings do not tell.

    Raises:
        ConfigError: If a run chose its repeats by their scores, so that parts of these scores have no meaning.
    """
    chosen = [run for run in runs if any(task.unbiased is not None for task in run.tasks.values())]
    if chosen:
        raise ConfigError(
            f"{chosen[0].path}: expected a run with the same repeats of every question, got one of --until. Name a run "
            "without --until."
        )
    budgets = sorted(set(at)) or default_budgets(runs)
    points = [
        _point(run, name, task, budget, None, gpus)
        for run in runs
        for name, task in run.benchmarks.items()
        for budget in (budgets if at else _that_differ(budgets, task))
    ]
    for (name_of_run, budget), made in (forced or {}).items():
        [run] = [run for run in runs if run.info.name == name_of_run]
        points += [_point(run, name, task, budget, made, gpus) for name, task in made.benchmarks.items()]
    order = {id(run): number for number, run in enumerate(runs)}
    points.sort(key=lambda point: (order[id(point.run)], point.forced))
    return _with_frontier(points)


def default_budgets(runs: Sequence[RunScores]) -> list[int]:
    """Return powers of two from the shortest tenth of all samples up to the longest sample."""
    tokens = np.concatenate(
        [
            task.recipe_tokens[np.isfinite(task.scores)]
            for run in runs
            for task in run.benchmarks.values()
            if task.graded
        ]
        or [np.array([1])]
    )
    low, high = (int(np.ceil(np.log2(max(1.0, end)))) for end in (np.quantile(tokens, 0.1), tokens.max()))
    return [2**power for power in range(max(low, high - _MOST + 1), high + 1)]


def _that_differ(budgets: Sequence[int], task: TaskScores) -> Sequence[int]:
    """Leave out budgets above the first one that no sample exceeds: there nothing changes any more."""
    longest = int(task.recipe_tokens.max(initial=0))
    return [budget for budget in budgets if budget // 2 < longest] or budgets[:1]


def cards_of(run: RunScores) -> int | None:
    """Return the number of cards that the settings of a run's engine name; None for engines that do not tell."""
    if not run.info.model.engine.startswith("vllm"):
        return None
    sizes = [run.info.engine.settings.get(name, 1) for name in _DEVICES]
    return int(np.prod([size if isinstance(size, int) and size > 0 else 1 for size in sizes]))


def _point(
    run: RunScores, name: str, task: TaskScores, budget: int, made: RunScores | None, gpus: int | None
) -> BudgetPoint:
    known = np.isfinite(task.scores)
    spent = np.minimum(task.recipe_tokens, budget) if made is None else task.recipe_tokens
    ended = known & (task.recipe_tokens <= budget) & ~task.is_of(Outcome.TRUNCATED)
    scores = task.scores if made is not None else scores_within(task.scores, task.recipe_tokens, budget)
    tokens: Scores = np.where(known, spent, np.nan)
    per_token = ratio(scores, tokens)
    speed, cards = run.info.tokens_per_s, gpus or cards_of(run) or 1
    hourly = np.nan if speed is None else 3600 * speed / cards
    return BudgetPoint(
        run=run,
        task=replace(task, scores=scores, recipe_tokens=spent),
        name=name,
        budget=budget,
        forced=made is not None,
        score=average(scores),
        ended=float(ended.sum() / known.sum()) if known.any() else np.nan,
        tokens=float(np.nanmean(tokens)) if known.any() else np.nan,
        per_million=Ratio(*(1e6 * end for end in per_token)),
        per_hour=Ratio(*(hourly * end for end in per_token)),
    )


def _with_frontier(points: Sequence[BudgetPoint]) -> list[BudgetPoint]:
    """Compare the points of each benchmark that were asked the same questions under the same protocol."""
    places: dict[tuple[str, str, int, str], list[int]] = {}
    for index, point in enumerate(points):
        info = point.task.info
        place = (point.name, info.fingerprint, info.questions, info.protocol_label)
        places.setdefault(place, []).append(index)
    placed = list(points)
    for indices in places.values():
        group = [points[index] for index in indices]
        above = dominating([point.tokens for point in group], [point.score.value for point in group])
        confidence = 1 - 0.05 / max(1, sum(other is not None for other in above))
        for index, point, other in zip(indices, group, above, strict=True):
            if other is None:
                placed[index] = replace(point, frontier="on")
            elif group[other] is not point and not _is_worse(point, group[other], confidence):
                placed[index] = replace(point, frontier="near")
    return placed


def _is_worse(point: BudgetPoint, other: BudgetPoint, confidence: float) -> bool:
    """Return whether a point is shown to be worse than another one on the questions that both have."""
    there = set(other.task.questions)
    common = [question for question in point.task.questions if question in there]
    gap = paired_means(other.task.means_of(common), point.task.means_of(common), confidence, test=False)
    return gap.high < 0


def effort_of(point: BudgetPoint) -> str:
    """Return the switches of thinking of a point's run, in a few words; empty if none is set."""
    return thinking_in_words(point.task.info.sampling)


def notes_on(points: Iterable[BudgetPoint]) -> list[str]:
    """Return what a reader of the points must know, each once."""
    points, notes = list(points), []
    protocols: dict[str, set[str]] = {}
    for point in points:
        protocols.setdefault(point.name, set()).add(point.task.info.protocol_label)
    for point in points:
        run, name = point.run, point.run.info.name
        if len(protocols[point.name]) > 1:
            label = point.task.info.protocol_label
            notes.append(
                f"{name}: {point.name} under protocol {label}; each protocol has a frontier of its own"
            )
        if point.task.missing:
            notes.append(f"{name} is not finished, and the answers that ended first may be the easy ones")
        if run.info.tokens_per_s is None:
            notes.append(f"{name} generated nothing itself, so its speed is unknown")
        elif "(cpu)" in run.info.model.engine:
            notes.append(f"{name} ran on processors: its hours are those of the machine")
        elif cards_of(run) is None:
            notes.append(
                f"{name} does not tell how many GPUs answered: its hours are those of all together, unless --gpus "
                "names their number"
            )
        if point.task.failed:
            notes.append(f"{name} failed on our side on {point.task.failed} samples of {point.name}")
        most = point.task.info.sampling.max_tokens
        if run.info.recipe == "plain" and most < point.budget and point.task.count(Outcome.TRUNCATED):
            notes.append(f"{name} was cut at {most:,} tokens an answer: larger budgets change nothing")
    return list(dict.fromkeys(notes))
