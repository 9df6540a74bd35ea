"""The race of finished or half-finished runs, and the words for its result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from k2eval.decide.contest import Contest, Entry, Rules
from k2eval.decide.power import amount
from k2eval.errors import ConfigError
from k2eval.journal import TaskRecord
from k2eval.leaderboard import ABSENT, RunScores, differences
from k2eval.statistics import Scores


@dataclass(frozen=True, slots=True)
class Result:
    """The end of a race, or where it stands."""

    contest: Contest
    tokens: tuple[float, ...]
    """Tokens of the samples that were drawn, of each contestant."""
    budget: tuple[float, ...]
    """Tokens of the fixed evaluation: as far as it was made, else estimated from the samples drawn."""
    notes: tuple[str, ...] = ()
    """Facts that a reader of the decisions must know."""

    @property
    def share(self) -> float:
        """The share of the budget's tokens that the race took."""
        whole = sum(self.budget)
        return sum(self.tokens) / whole if whole else float("nan")


def entries_of(runs: Sequence[RunScores], tasks: Sequence[str] = ()) -> list[Entry]:
    """Return the benchmarks that all runs share, with the questions and repeats that they were asked.

    Raises:
        ConfigError: If they share none, questions differ, or a run is not finished.
    """
    names = [name for name in runs[0].benchmarks if all(name in run.benchmarks for run in runs[1:])]
    wrong = [name for name in tasks if name not in names]
    if wrong or not names:
        raise ConfigError(
            f"Expected runs that share {', '.join(tasks) or 'a benchmark'}, got {', '.join(names) or 'none'}. Name "
            "runs of the same benchmarks."
        )
    entries = []
    for name in names:
        if tasks and name not in tasks:
            continue
        sides = [run.benchmarks[name] for run in runs]
        others = [
            run.path
            for run, side in zip(runs, sides, strict=True)
            if asked(side.info, side.questions) != asked(sides[0].info, sides[0].questions)
        ]
        if others:
            raise ConfigError(
                f"{name}: expected the same questions as in {runs[0].path}, got others in {others[0]}."
            )
        check_protocols(
            name, {str(run.path): side.info.protocol_label for run, side in zip(runs, sides, strict=True)}
        )
        repeats = min(side.info.repeats for side in sides)
        questions = tuple(sorted(asked(sides[0].info, sides[0].questions)))
        if not questions:
            raise ConfigError(
                f"{runs[0].path}: expected a finished run, got no sample of {name}. Finish it first."
            )
        entry = Entry(name, sides[0].info.title or name, questions, repeats)
        for run in runs:
            check_samples(run, entry)
        entries.append(entry)
    return entries


def asked(info: TaskRecord, seen: Iterable[str]) -> dict[str, str]:
    """Return the questions of a run's benchmark, each with what tells it from others.

    Args:
        info: The benchmark in ``run.json``. Runs of k2eval 0.1.0 do not name their questions there.
        seen: Questions that have verdicts.
    """
    return dict(info.hashes) or dict.fromkeys(seen, info.fingerprint)


def check_protocols(task: str, protocols: Mapping[str, str]) -> None:
    """Make sure that a race decides about its contestants, not about protocols.

    Args:
        task: The benchmark.
        protocols: The protocol of each contestant.

    Raises:
        ConfigError: If they differ.
    """
    if len(set(protocols.values())) > 1:
        words = ", ".join(f"{name} ({protocol})" for name, protocol in protocols.items())
        raise ConfigError(
            f"{task}: expected contestants that are asked under one protocol, got {words}. Give all the same "
            "--protocol."
        )


def check_samples(run: RunScores, entry: Entry) -> None:
    """Make sure that a race may draw any sample of a run.

    Raises:
        ConfigError: If samples are missing, or their number follows from their scores.
    """
    task = run.benchmarks[entry.name]
    if task.unbiased is not None:
        raise ConfigError(
            f"{run.path}: expected a run with the same repeats of every question, got one of --until. Name a run "
            "without --until."
        )
    there = int((np.isfinite(task.scores) | task.lost)[:, : entry.repeats].sum())
    planned = task.info.questions * entry.repeats
    if there < entry.samples or task.info.questions > len(entry.questions):
        raise ConfigError(
            f"{run.path}: expected a finished run, got {there:,} of {max(entry.samples, planned):,} samples of "
            f"{entry.name}. Those that are there may be the easy ones; finish the run with its own command."
        )


def race_of_runs(runs: Sequence[RunScores], rules: Rules, tasks: Sequence[str] = ()) -> Result:
    """Race runs that are finished: draw their samples as a live race would, and stop where it would.

    Raises:
        ConfigError: If there are fewer than two, or if they share no benchmark.
    """
    if len(runs) < 2:
        raise ConfigError(f"Expected at least two contestants, got {len(runs)}.")
    entries = entries_of(runs, tasks)
    contest = Contest([run.info.name for run in runs], entries, rules)
    tables = [{entry.name: aligned(run, entry, "scores") for entry in entries} for run in runs]
    while not contest.is_over:
        contest.draw()
        contest.look(tables)
    return result_of(contest, runs)


def result_of(contest: Contest, runs: Sequence[RunScores]) -> Result:
    """Return the result of a race; tokens are those of the samples that the runs have.

    Args:
        contest: The race.
        runs: The runs of its contestants.
    """
    tokens = [{entry.name: aligned(run, entry, "recipe_tokens") for entry in contest.entries} for run in runs]
    used, budget = [], []
    for contestant, of_contestant in enumerate(tokens):
        drawn, whole = 0.0, 0.0
        for entry in contest.entries:
            table = of_contestant[entry.name]
            mask = contest.mask(entry, contestant)
            drawn += float(np.nansum(np.where(mask, table, np.nan)))
            known = np.isfinite(table)
            whole += float(np.nanmean(table)) * entry.samples if known.any() else 0.0
        used.append(drawn)
        budget.append(whole)
    return Result(contest, tuple(used), tuple(budget), tuple(_notes(contest.entries, runs)))


def _notes(entries: Sequence[Entry], runs: Sequence[RunScores]) -> list[str]:
    """Return how the contestants' settings differ from those of the first one, and which samples failed."""
    notes = []
    for entry in entries:
        first = runs[0].benchmarks[entry.name]
        for run in runs:
            task = run.benchmarks[entry.name]
            found = differences(first.info.settings, task.info.settings).values()
            notes += [f"{entry.title}: {runs[0].info.name} has {words} in {run.info.name}" for words in found]
            if task.failed:
                lost = f"{task.failed:,} of {run.info.name} failed on our side"
                notes.append(f"{entry.title}: samples are left out with their pairs, since {lost}")
    return notes


def aligned(run: RunScores, entry: Entry, field: str) -> Scores:
    """Return a table of a run in the entry's order of questions; shape (questions, repeats).

    Args:
        run: The run.
        entry: The benchmark.
        field: The table of `k2eval.leaderboard.TaskScores`: ``scores``, ``recipe_tokens`` …
    """
    task = run.benchmarks[entry.name]
    table = np.full((len(entry.questions), entry.repeats), np.nan)
    row_of = {question: row for row, question in enumerate(task.questions)}
    values = np.where(np.isfinite(task.scores), getattr(task, field), np.nan)
    for row, question in enumerate(entry.questions):
        if question in row_of:
            part = values[row_of[question], : entry.repeats]
            table[row, : len(part)] = part
    return table


def race_table(result: Result) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of the table that `k2eval race` shows."""
    contest = result.contest
    header = ["Pair", "Benchmark", "Difference", "Confidence sequence", "Decision", "Pairs of samples"]
    rows = []
    for hypothesis, standing in zip(contest.hypotheses, contest.standings, strict=True):
        entries = [contest.entries[index] for index, _ in hypothesis.weights]
        budget = sum(entry.samples for entry in entries)
        title = entries[0].title if len(entries) == 1 else "mean of all"
        bounds = f"{_points(standing.low)} to {_points(standing.high)}"
        rows.append(
            [
                f"{contest.names[hypothesis.second]} against {contest.names[hypothesis.first]}",
                title,
                _points(standing.value),
                ABSENT if standing.high - standing.low >= 2 else bounds,
                decision_words(contest, standing.decision),
                f"{standing.pairs} of {budget}",
            ]
        )
    return header, rows


def _points(fraction: float) -> str:
    """Return points with their sign; no sign for what rounds to zero."""
    rounded = round(100 * fraction, 1)
    return f"{rounded:+.1f}" if rounded else "0.0"


def decision_words(contest: Contest, decision: str | None) -> str:
    """Return a decision as people read it."""
    if decision == "equivalent":
        return f"equivalent within ± {100 * (contest.rules.margin or 0):.3g}"
    if decision:
        return decision
    return "not decided within the budget" if contest.is_over else "open"


def race_words(result: Result) -> list[str]:
    """Return the sentences below the table: what is estimated, the level, and the tokens."""
    contest, rules = result.contest, result.contest.rules
    pairs = len(contest.hypotheses)
    level = f"{100 * rules.alpha:.3g} %"
    scope = f"over all looks and all {pairs} comparisons (Holm)" if pairs > 1 else "over all looks"
    sequences = "Confidence sequences hold all together, so one may still hold 0 where it is decided. "
    return [
        f"Differences are {rules.estimand.value}. The chance of any false decision is at most {level} {scope}. "
        f"{sequences if pairs > 1 else ''}".rstrip(),
        f"The race took {contest.looks} looks and {amount(sum(result.tokens))} tokens, {100 * result.share:.0f} % of "
        f"the fixed evaluation's {amount(sum(result.budget))}.",
        *(f"Note: {note}." for note in result.notes),
    ]
