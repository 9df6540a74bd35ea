"""The race of checkpoints and servers while they answer: nothing is generated that no decision needs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.status import Status

from k2eval.config import RunConfig
from k2eval.decide.contest import Contest, Entry, Rules
from k2eval.decide.race import Result, asked, check_protocols, check_samples, decision_words, result_of
from k2eval.engines import cards_of_configs, open_engines
from k2eval.errors import ConfigError, EngineError, first_error
from k2eval.journal import TaskRecord, read_run, read_verdicts
from k2eval.leaderboard import load_run, load_runs
from k2eval.records import SampleKey, Verdict
from k2eval.run import Interruption, Runner, Work
from k2eval.statistics import Scores
from k2eval.system import open_file, write_text
from k2eval.values import read_json

RACE = "race.json"
Verdicts = Mapping[SampleKey, Verdict]


@dataclass(frozen=True, slots=True)
class Contestant:
    """One who runs: a configuration whose samples are made, or a run directory that has them."""

    name: str
    out: Path
    config: RunConfig | None
    """None of a run directory, to which nothing is added."""


class LiveRace:
    """A race whose contestants answer side by side, each in a run directory of its own.

    After each batch the contestants wait for each other, and the race is looked at. A race that was interrupted goes on
    where it stood: the order of the samples is fixed, and what is there is not made again.

    Args:
        contestants: The contestants, the one that others are compared with first.
        rules: The rules.
        out: Folder for ``race.json``.
        console: The console for progress.

    Raises:
        ConfigError: If the contestants are asked different questions, or ``out`` holds a race by other rules.
    """

    def __init__(self, contestants: Sequence[Contestant], rules: Rules, out: Path, console: Console) -> None:
        self._contestants = tuple(contestants)
        self._out = out
        self._console = console
        self._works = {
            index: Work(contestant.config)
            for index, contestant in enumerate(contestants)
            if contestant.config
        }
        self._verdicts: dict[int, Verdicts] = {
            index: _verdicts_of(contestant.out)
            for index, contestant in enumerate(contestants)
            if contestant.config is None
        }
        self._finished = tuple(self._verdicts)
        self.contest = Contest([contestant.name for contestant in contestants], self._entries(), rules)
        for index in self._finished:
            run = load_run(contestants[index].out)
            for entry in self.contest.entries:
                check_samples(run, entry)
        self._cards = cards_of_configs([contestant.config for contestant in contestants])
        self._batches: list[list[SampleKey]] = [[] for _ in contestants]
        self._rows = {
            entry.name: {question: row for row, question in enumerate(entry.questions)}
            for entry in self.contest.entries
        }
        self._tables: list[dict[str, Scores]] = [
            {
                entry.name: np.full((len(entry.questions), entry.repeats), np.nan)
                for entry in self.contest.entries
            }
            for _ in contestants
        ]
        for index in self._finished:
            self._take_in(index, self._verdicts[index])
        self._arrived: set[int] = set()
        self._turned = asyncio.Condition()
        self._turns = 0
        self._status: Status | None = None
        _check_rules(out / RACE, self._description())

    def _entries(self) -> list[Entry]:
        entries: dict[str, list[tuple[str, dict[str, str], int]]] = {}
        protocols: dict[str, dict[str, str]] = {}
        for index, contestant in enumerate(self._contestants):
            work = self._works.get(index)
            if work is None:
                run = load_run(contestant.out)
                tasks: Mapping[str, TaskRecord] = {name: task.info for name, task in run.benchmarks.items()}
                found = {
                    name: (task.info.title, asked(task.info, task.questions), task.info.repeats)
                    for name, task in run.benchmarks.items()
                }
            else:
                tasks = {questions.task.name: work.describe_task(questions) for questions in work.sets}
                found = {
                    questions.task.name: (
                        questions.task.spec.title,
                        questions.hashes,
                        work.repeats_of(questions),
                    )
                    for questions in work.sets
                }
            for name, facts in found.items():
                entries.setdefault(name, []).append(facts)
                protocols.setdefault(name, {})[contestant.name] = tasks[name].protocol_label
        shared = {name: sides for name, sides in entries.items() if len(sides) == len(self._contestants)}
        if not shared:
            raise ConfigError(
                "Expected contestants with a benchmark in common, got none. Give --tasks that all have."
            )
        for name, sides in shared.items():
            if any(hashes != sides[0][1] for _, hashes, _ in sides):
                raise ConfigError(
                    f"{name}: expected the same questions for all contestants, got different ones. Give all the same "
                    "--data and --limit."
                )
            check_protocols(name, protocols[name])
        return [
            Entry(
                name, sides[0][0] or name, tuple(sorted(sides[0][1])), min(repeats for *_, repeats in sides)
            )
            for name, sides in shared.items()
        ]

    def _description(self) -> dict[str, object]:
        rules = asdict(self.contest.rules) | {"estimand": self.contest.rules.estimand.value}
        return {
            "rules": rules,
            "contestants": [contestant.name for contestant in self._contestants],
            "benchmarks": {
                entry.name: [len(entry.questions), entry.repeats] for entry in self.contest.entries
            },
        }

    async def run(self) -> tuple[Result | None, int | None]:
        """Race until all is decided or the budget is used up.

        Returns:
            The result, and the signal that stopped the race. The result is None if the race was stopped before its
            first look, the signal is None if none came.

        Raises:
            EngineStopped: If an engine died; everything finished is kept, and the same command goes on.
        """
        write_text(self._out / RACE, json.dumps(self._description(), indent=1) + "\n", of_run=True)
        with Interruption(self._console) as interruption, self._console.status("Starting …") as self._status:
            try:
                async with asyncio.TaskGroup() as group:
                    for index in self._works:
                        group.create_task(self._run(index))
            except BaseExceptionGroup as errors:
                if not (interruption.happened and isinstance(first_error(errors), EngineError)):
                    raise first_error(errors) from errors
            except asyncio.CancelledError:
                if not interruption.happened:
                    raise
        if not self.contest.standings:  # a contestant may have no run.json yet
            return None, interruption.signal
        result = self._result()
        self._write(result)
        return result, interruption.signal

    async def _run(self, index: int) -> None:
        config = self._contestants[index].config
        assert config is not None  # only those with a configuration have work
        runner = Runner(
            config,
            open_engines(config, cards=self._cards[index]),
            Console(quiet=True),
            work=self._works[index],
            signals=False,
            batches=_Side(self, index),
        )
        await runner.run()

    async def next(self, index: int, verdicts: Verdicts) -> Collection[SampleKey] | None:
        """Wait for the others, and return the next samples of a contestant; None once the race is over."""
        async with self._turned:
            turn = self._turns
            self._verdicts[index] = verdicts
            self._arrived.add(index)
            if len(self._arrived) == len(self._works):
                self._turn()
                self._turned.notify_all()
            else:
                await self._turned.wait_for(lambda: self._turns > turn)
            return None if self._is_over else self._batches[index]

    @property
    def _is_over(self) -> bool:
        return not any(self._batches)

    def _turn(self) -> None:
        self._turns += 1
        self._arrived.clear()
        if self._turns > 1:
            for index in self._works:
                self._take_in(index, self._batches[index])
            self.contest.look(self._tables)
            self._show()
        self._batches = self.contest.draw()

    def _take_in(self, index: int, keys: Iterable[SampleKey]) -> None:
        """Enter the scores of these samples; a look costs what is new, not what there is."""
        verdicts, tables = self._verdicts[index], self._tables[index]
        for key in keys:
            verdict, rows = verdicts.get(key), self._rows.get(key.task)
            if rows is None or verdict is None or verdict.score is None or key.question_id not in rows:
                continue
            table = tables[key.task]
            if key.repeat_index < table.shape[1]:
                table[rows[key.question_id], key.repeat_index] = verdict.score

    def _show(self) -> None:
        contest = self.contest
        open_ones = [standing for standing in contest.standings if not standing.decision]
        for hypothesis, standing in zip(contest.hypotheses, contest.standings, strict=True):
            if standing.look == contest.looks:
                where = ", ".join(contest.entries[index].title for index, _ in hypothesis.weights)
                self._console.print(
                    f"Look {contest.looks}: {contest.names[hypothesis.second]} against "
                    f"{contest.names[hypothesis.first]} on {where}: {decision_words(contest, standing.decision)} "
                    f"({100 * standing.value:+.1f} points after {standing.pairs} pairs of samples)",
                    soft_wrap=True,
                    highlight=False,
                    markup=False,
                )
        drawn = sum(sum(contest.drawn(index).values()) for index in range(len(contest.names)))
        budget = len(contest.names) * sum(entry.samples for entry in contest.entries)
        words = f"{drawn} of {budget} samples, {len(open_ones)} of {len(contest.standings)} comparisons open"
        if self._status is not None:
            self._status.update(words)
        if not self._console.is_terminal:
            self._console.print(f"Look {contest.looks}: {words}", soft_wrap=True, highlight=False)

    def ending(self, index: int) -> str:
        """Return why a contestant's other samples were not made."""
        drawn, contest = sum(self.contest.drawn(index).values()), self.contest
        whole = sum(entry.samples for entry in contest.entries)
        return f"{drawn} of {whole} samples decided a race ({self._out.name})"

    def _result(self) -> Result:
        runs = load_runs([contestant.out for contestant in self._contestants])
        return result_of(self.contest, runs)

    def _write(self, result: Result) -> None:
        contest = self.contest
        decisions = [
            {
                "first": contest.names[hypothesis.first],
                "second": contest.names[hypothesis.second],
                "benchmarks": [contest.entries[index].name for index, _ in hypothesis.weights],
            }
            | asdict(standing)
            for hypothesis, standing in zip(contest.hypotheses, contest.standings, strict=False)
        ]
        ends = {"looks": contest.looks, "over": contest.is_over, "decisions": decisions}
        costs = {"tokens": result.tokens, "budget_tokens": result.budget}
        write_text(
            self._out / RACE, json.dumps(self._description() | ends | costs, indent=1) + "\n", of_run=True
        )


@dataclass(frozen=True, slots=True)
class _Side:
    """A contestant as its runner sees it: the samples to make, batch by batch."""

    race: LiveRace
    index: int

    async def next(self, verdicts: Verdicts) -> Collection[SampleKey] | None:
        return await self.race.next(self.index, verdicts)

    @property
    def ending(self) -> str:
        return self.race.ending(self.index)


def _verdicts_of(run: Path) -> Verdicts:
    return {verdict.sample_key: verdict for verdict in read_verdicts(run, read_run(run))}


def _check_rules(path: Path, now: Mapping[str, object]) -> None:
    """Make sure that a race goes on by the rules with which it began: to change them on the way breaks the level.

    Raises:
        ConfigError: If it does not.
    """
    try:
        with open_file(path) as file:
            before = read_json(file.read())
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise ConfigError(f"Cannot read {path}: {error}. Give another --out.") from error
    changed = [key for key, value in now.items() if not isinstance(before, dict) or before.get(key) != value]
    if changed:
        raise ConfigError(
            f"{path} is a race with other {', '.join(changed)}. Rules that change on the way decide too often by "
            "chance; give another --out."
        )
