"""The evidence of runs on the rules of a policy: figures, their intervals, and reasons why there are none."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np

from k2eval.decide.policy import BASELINE, SHARES, Policy, Rule
from k2eval.errors import did_you_mean
from k2eval.leaderboard import CONTROL, SAFETY, RunScores, TaskScores, asked_of, differences, left_out
from k2eval.records import Outcome
from k2eval.statistics import (
    Difference,
    Estimate,
    Scores,
    average,
    combine,
    paired_means,
    pool,
    question_means,
    unpaired_means,
)

Interval: TypeAlias = Callable[[float], tuple[float, float]]
"""From a confidence to both ends, in the unit of the figure."""
_APART = (SAFETY, CONTROL)
"""Groups of benchmarks that are in no average of all: whoever refuses everything is safe, and of no use."""
QUESTIONS = "questions"
"""The word in `Policy.may_differ` that allows other questions."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one run says about one rule. Scores, differences and shares are in percent."""

    rule: Rule
    value: float = np.nan
    interval: Interval | None = None
    """None if the rule looks at the figure alone."""
    could_be: tuple[float, float] | None = None
    """Least and largest figure, whatever the samples that failed on our side would have been; None if none did."""
    size: str = ""
    """The denominator, in words."""
    problems: tuple[str, ...] = ()
    """The reasons why the figure decides nothing."""
    notes: tuple[str, ...] = ()


def evidence_of(run: RunScores, policy: Policy, others: Mapping[str, RunScores]) -> list[Evidence]:
    """Return the evidence of a run on each rule of a policy.

    Args:
        run: The run.
        policy: The policy.
        others: The runs to compare with, by the rules' `against`.
    """
    return [_evidence(run, rule, policy, others) for rule in policy.rules]


def runs_needed(policy: Policy) -> dict[str, Path]:
    """Return the run directories that a policy compares with, by the rules' `against`."""
    names = dict.fromkeys(rule.against for rule in policy.rules if rule.compares)
    return {name: Path(policy.baseline or "" if name == BASELINE else name) for name in names}


def _evidence(run: RunScores, rule: Rule, policy: Policy, others: Mapping[str, RunScores]) -> Evidence:
    if rule.measure is not None:
        return _measured(run, rule)
    if rule.compares:
        return _compared(run, rule, others[rule.against], policy.may_differ)
    return _scored(run, rule)


@dataclass(slots=True)
class _Doubts:
    """Reasons against a verdict, and notes, while evidence is gathered."""

    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def task_of(self, run: RunScores, name: str, failures: bool = False) -> TaskScores | None:
        """Return the scores of a run on a benchmark, with a problem if they are missing or unfinished.

        Args:
            run: The run.
            name: The benchmark.
            failures: Whether failures on our side are what is measured.
        """
        task = run.tasks.get(name)
        if task is None:
            self.problems.append(f"{run.info.name} has no {name}. {did_you_mean(name, list(run.tasks))}")
            return None
        if task.error_unit is not None:
            self.problems.append(
                f"{name} has sizes of errors ({task.error_unit}), of which less is better, and no rule is about these. "
                f"Name {name.removesuffix('_mae')}, the share within the tolerance"
            )
            return None
        if task.missing:
            early = f" (stopped early: {run.info.stopped_early})" if run.info.stopped_early else ""
            planned = task.info.questions * task.info.repeats
            self.problems.append(
                f"{run.info.name} is unfinished on {name}: {task.missing:,} of {planned:,} samples are missing{early}"
            )
        if not task.graded and not (failures and task.failed):
            self.problems.append(f"{run.info.name} has no score on {name}")
        if task.failed and not failures:
            words = f"{run.info.name} failed on our side on {task.failed:,} samples of {name}"
            if task.unbiased is None:
                self.notes.append(f"{words}; the answer holds whatever they would have been")
            else:
                self.problems.append(f"{words}, and chose its repeats by scores; run it again to finish them")
        expected = task.info.expected_questions
        if expected is not None and task.info.questions < expected:
            self.notes.append(
                f"{run.info.name} was asked {task.info.questions} of {expected} questions of {name}"
            )
        return task

    def shared(self, rule: Rule, tasks: Mapping[str, Sequence[TaskScores]]) -> Mapping[str, Collection[str]]:
        """Return the questions of each benchmark that an average counts elsewhere, with a note on them.

        Args:
            rule: The rule.
            tasks: The benchmarks, each with its verdicts in one run or two.
        """
        if rule.average is None:
            return dict.fromkeys(tasks, ())
        out, notes = left_out([asked_of(name, sides) for name, sides in tasks.items()])
        self.notes += notes
        return out

    def same(self, task: TaskScores, other: TaskScores, may_differ: Sequence[str]) -> bool:
        """Return whether two runs were asked the same data; other questions or settings are a problem or a note."""
        name = task.info.title or "the benchmark"
        asked = [(side.info.fingerprint, side.info.questions) for side in (task, other)]
        if asked[0] != asked[1]:
            words = " and ".join(f"{count} questions ({print_[:8]})" for print_, count in asked)
            self._differs(QUESTIONS, f"other questions of {name} than the other run: {words}", may_differ)
        for setting, words in differences(task.info.settings, other.info.settings).items():
            self._differs(setting, f"{name}: {words} in the other run", may_differ)
        return asked[0][0] == asked[1][0]

    def _differs(self, setting: str, words: str, may_differ: Sequence[str]) -> None:
        if setting in may_differ:
            self.notes.append(words)
        else:
            self.problems.append(f"{words}. `may_differ: [{setting}]` allows it")


def _scored(run: RunScores, rule: Rule) -> Evidence:
    """Return the evidence on a score or an average of one run."""
    doubts = _Doubts()
    names = [rule.benchmark] if rule.benchmark is not None else list(rule.over)
    found = [doubts.task_of(run, name) for name in names]
    tasks = [task for task in found if task is not None]
    if doubts.problems:
        return Evidence(rule, problems=tuple(doubts.problems), notes=tuple(doubts.notes))
    out = doubts.shared(rule, {name: (task,) for name, task in zip(names, tasks, strict=True)})
    kept = [task.without(out[name]) for name, task in zip(names, tasks, strict=True)]
    tasks = [task for task in kept if task.questions]

    def pooled(confidence: float, fill: float | None = None) -> Estimate:
        estimates = [average(_filled(task, fill).values, confidence) for task in tasks]
        weights = _weights(rule, [estimate.questions for estimate in estimates])
        return estimates[0] if len(estimates) == 1 else pool(estimates, weights)

    def interval(confidence: float) -> tuple[float, float]:
        return 100 * pooled(confidence, 0.0).low, 100 * pooled(confidence, 1.0).high

    return Evidence(rule, 100 * pooled(0.95).value, interval, size=_size(tasks), notes=tuple(doubts.notes))


def _compared(run: RunScores, rule: Rule, other: RunScores, may_differ: Sequence[str]) -> Evidence:
    """Return the evidence on the difference of a run from another one."""
    doubts = _Doubts()
    names = _members(rule, other, doubts)
    more = [name for name in run.benchmarks if name not in other.benchmarks]
    if more and rule.average and not rule.over:
        doubts.notes.append(f"{other.info.name} lacks {', '.join(more)}: left out of {rule.average}")
    pairs = []
    for name in names:
        mine, theirs = doubts.task_of(run, name), doubts.task_of(other, name)
        if mine is not None and theirs is not None:
            pairs.append((name, mine, theirs, doubts.same(mine, theirs, may_differ)))
    if doubts.problems:
        return Evidence(rule, problems=tuple(doubts.problems), notes=tuple(doubts.notes))
    out = doubts.shared(rule, {name: (mine, theirs) for name, mine, theirs, _ in pairs})
    kept = [
        (mine.without(out[name]), theirs.without(out[name]), paired) for name, mine, theirs, paired in pairs
    ]
    counted = [pair for pair in kept if pair[0].questions and pair[1].questions]
    if not (run.info.reproducible and other.info.reproducible):
        doubts.notes.append("samples follow no seeds in one of the runs: only questions are paired")

    def combined(confidence: float, fill: float | None = None) -> Difference:
        back = None if fill is None else 1 - fill
        parts = [
            _difference(_filled(mine, fill), _filled(theirs, back), paired, confidence)
            for mine, theirs, paired in counted
        ]
        return (
            parts[0]
            if len(parts) == 1
            else combine(parts, _weights(rule, [part.questions for part in parts]))
        )

    def interval(confidence: float) -> tuple[float, float]:
        return 100 * combined(confidence, 0.0).low, 100 * combined(confidence, 1.0).high

    whole = combined(0.95)
    if not whole.questions:
        doubts.problems.append("no question has scores on both sides")
    return Evidence(
        rule, 100 * whole.value, interval, size=_size([mine for mine, _, _ in counted]),
        problems=tuple(doubts.problems), notes=tuple(doubts.notes),
    )  # fmt: skip


def _members(rule: Rule, other: RunScores, doubts: _Doubts) -> list[str]:
    """Return the benchmarks that a comparison is about."""
    if rule.benchmark is not None:
        return [rule.benchmark]
    if rule.over:
        return list(rule.over)
    group = str(rule.average).rpartition("_")[0]
    tasks = other.benchmarks.items()
    if group:
        names = [name for name, task in tasks if task.info.micro == group]
    else:
        names = [
            name for name, task in tasks if task.info.error_unit is None and task.info.micro not in _APART
        ]
        apart = [name for name in other.benchmarks if name not in names]
        if apart:
            doubts.notes.append(f"{', '.join(apart)}: left out of {rule.average}, as in the leaderboard")
    if not names:
        doubts.problems.append(f"{other.info.name} has no benchmark of {rule.average}")
    return names


def _difference(mine: TaskScores, theirs: TaskScores, paired: bool, confidence: float) -> Difference:
    if not paired:
        return unpaired_means(question_means(theirs.values), question_means(mine.values), confidence)
    there = set(theirs.questions)
    common = [question for question in mine.questions if question in there]
    return paired_means(theirs.means_of(common), mine.means_of(common), confidence, test=False)


def _measured(run: RunScores, rule: Rule) -> Evidence:
    """Return the evidence on a measure: the samples as they are, or their share with an interval."""
    doubts = _Doubts()
    names = [rule.benchmark] if rule.benchmark is not None else list(run.benchmarks)
    found = [doubts.task_of(run, name, rule.measure == "failed") for name in names]
    tasks = [task for task in found if task is not None]
    if not names:
        doubts.problems.append(f"{run.info.name} has no benchmark")
    if doubts.problems:
        return Evidence(rule, problems=tuple(doubts.problems), notes=tuple(doubts.notes))
    if rule.measure not in SHARES:
        return _of_tokens(tasks, rule, doubts)
    hits = [_hits(task, rule) for task in tasks]
    count = sum(int(np.isfinite(table).sum()) for table in hits)
    hit = sum(int(np.nansum(table)) for table in hits)
    lost = sum(int((task.lost & np.isnan(table)).sum()) for task, table in zip(tasks, hits, strict=True))
    value, size = 100 * hit / count, f"{hit:,} of {count:,} samples"
    if not rule.test:
        ends = (100 * hit / (count + lost), 100 * (hit + lost) / (count + lost)) if lost else None
        return Evidence(rule, value, None, ends, size, notes=tuple(doubts.notes))

    def interval(confidence: float) -> tuple[float, float]:
        ends = []
        for fill in (0.0, 1.0):
            filled = [
                np.where(task.lost & np.isnan(table), fill, table)
                for task, table in zip(tasks, hits, strict=True)
            ]
            estimates = [average(table, confidence) for table in filled]
            samples = [float(np.isfinite(table).sum()) for table in filled]
            ends.append(estimates[0] if len(estimates) == 1 else pool(estimates, samples))
        return 100 * ends[0].low, 100 * ends[1].high

    return Evidence(rule, value, interval, size=size, notes=tuple(doubts.notes))


def _of_tokens(tasks: Sequence[TaskScores], rule: Rule, doubts: _Doubts) -> Evidence:
    """Return the mean tokens of a sample; one that failed on our side may have had none, or as many as were allowed."""
    tables = [task.output_tokens if rule.measure == "tokens" else task.recipe_tokens for task in tasks]
    graded = [np.isfinite(task.scores) for task in tasks]
    count = sum(int(known.sum()) for known in graded)
    lost = sum(task.failed for task in tasks)
    total = sum(float(table[known].sum()) for table, known in zip(tables, graded, strict=True))
    if lost and rule.measure == "recipe_tokens":
        doubts.problems.append(
            f"nothing tells how many tokens {lost:,} samples that failed on our side take; run it again to finish them"
        )
    most = sum(task.failed * task.info.sampling.max_tokens for task in tasks)
    ends = (total / (count + lost), (total + most) / (count + lost)) if lost else None
    return Evidence(
        rule, total / count, None, ends, f"mean of {count:,} samples",
        problems=tuple(doubts.problems), notes=tuple(doubts.notes),
    )  # fmt: skip


def _hits(task: TaskScores, rule: Rule) -> Scores:
    """Return 1 for each sample that a share counts, 0 for the others, NaN for none; shape (questions, repeats)."""
    graded = np.isfinite(task.scores)
    if rule.measure == "failed":
        return np.where(graded | task.lost, task.lost.astype(float), np.nan)
    return np.where(graded, task.is_of(Outcome(str(rule.measure))).astype(float), np.nan)


def _filled(task: TaskScores, fill: float | None) -> TaskScores:
    """Return the scores with one value for all samples that failed on our side; None leaves them out."""
    if fill is None or not task.failed:
        return task
    return replace(task, scores=np.where(task.lost, fill, task.scores))


def _weights(rule: Rule, questions: Sequence[int]) -> list[float]:
    return [float(count) if str(rule.average).endswith("micro") else 1.0 for count in questions]


def _size(tasks: Sequence[TaskScores]) -> str:
    questions = sum(len(task.questions) for task in tasks)
    repeats = sorted({task.info.repeats for task in tasks})
    return f"{questions:,} questions × {' or '.join(map(str, repeats))} repeats"
