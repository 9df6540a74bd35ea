"""The gate: GO, NO-GO or INCONCLUSIVE for each rule of a policy and each run, corrected for their number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

from k2eval.decide.evidence import Evidence, evidence_of, runs_needed
from k2eval.decide.policy import Policy, Rule
from k2eval.errors import ConfigError
from k2eval.leaderboard import RunScores, load_run, load_runs
from k2eval.statistics import Estimand
from k2eval.system import real_path


class Answer(StrEnum):
    """The answer of a gate."""

    GO = "GO"
    """The rule holds, as far as the confidence goes."""
    NO_GO = "NO-GO"
    """The rule does not hold."""
    INCONCLUSIVE = "INCONCLUSIVE"
    """Nothing was shown."""

    @property
    def exit_code(self) -> int:
        """The exit code of `k2eval gate`; 2 is bad input, as everywhere."""
        return {Answer.GO: 0, Answer.NO_GO: 1, Answer.INCONCLUSIVE: 3}[self]


@dataclass(frozen=True, slots=True)
class Ruling:
    """The answer to one rule about one run. Figures are in the unit of the rule's limit."""

    evidence: Evidence
    answer: Answer
    low: float = np.nan
    high: float = np.nan
    confidence: float = np.nan
    """The confidence of the interval, as a fraction; NaN if there is none."""

    @property
    def rule(self) -> Rule:
        """The rule."""
        return self.evidence.rule

    @property
    def estimand(self) -> str:
        """What the figure is about: questions like these, or these samples if the rule looks at the figure alone."""
        return Estimand.LIKE_THESE.value if self.rule.tests else "on these samples"

    @property
    def reason(self) -> str:
        """The reason for the answer, in words."""
        if self.evidence.problems:
            return "; ".join(self.evidence.problems)
        limit = f"{self.rule.limit:g}".replace("-", "−")
        if np.isnan(self.confidence) and self.answer is Answer.INCONCLUSIVE and self.evidence.could_be:
            low, high = self.evidence.could_be
            return (
                f"as measured: {self.evidence.size}; with those that failed on our side from {low:.4g} to {high:.4g}: "
                "run it again to finish them"
            )
        if np.isnan(self.confidence):
            return f"as measured: {self.evidence.size}"
        if self.answer is Answer.INCONCLUSIVE:
            return f"the interval holds {limit}: {self.evidence.size} cannot tell"
        above = self.rule.holds(np.inf) == (self.answer is Answer.GO)
        return f"the whole interval is {'above' if above else 'below'} {limit}"


@dataclass(frozen=True, slots=True)
class Gated:
    """One run at the gate."""

    run: RunScores
    rulings: tuple[Ruling, ...]

    @property
    def answer(self) -> Answer:
        """The answer to all rules together."""
        return worst([ruling.answer for ruling in self.rulings])


@dataclass(frozen=True, slots=True)
class Gate:
    """The result of `gate_of_runs`."""

    policy: Policy
    runs: tuple[Gated, ...]

    @property
    def answer(self) -> Answer:
        """The answer to all rules about all runs."""
        return worst([gated.answer for gated in self.runs])

    @property
    def tests(self) -> int:
        """The number of tested rules, over all runs, that the confidence is for."""
        return sum(bool(np.isfinite(ruling.confidence)) for gated in self.runs for ruling in gated.rulings)


def worst(answers: Sequence[Answer]) -> Answer:
    """Return NO-GO if there is one, else INCONCLUSIVE if there is one, else GO.

    >>> worst([Answer.GO, Answer.INCONCLUSIVE]).value
    'INCONCLUSIVE'
    """
    order = (Answer.NO_GO, Answer.INCONCLUSIVE, Answer.GO)
    return min(answers, key=order.index) if answers else Answer.INCONCLUSIVE


def gate_of_runs(policy: Policy, paths: Sequence[Path]) -> Gate:
    """Judge runs by a policy.

    Args:
        policy: The policy, with absolute paths (`read_policy`).
        paths: Run directories.

    Raises:
        ConfigError: If no run is given, or a run is compared with itself.
        JournalError: If a run directory cannot be read.
    """
    if not paths:
        raise ConfigError("Expected at least one run directory, got none. Name the run to judge.")
    others = {}
    for against, path in runs_needed(policy).items():
        same = [run for run in paths if real_path(run) == real_path(path)]
        if same:
            raise ConfigError(
                f"{same[0]}: expected another run than the one to compare with. Name the new run."
            )
        others[against] = load_run(path)
    runs = load_runs(paths)
    evidence = [evidence_of(run, policy, others) for run in runs]
    rulings = iter(
        rulings_of([found for of_run in evidence for found in of_run], 1 - policy.confidence / 100)
    )
    return Gate(
        policy,
        tuple(
            Gated(run, tuple(next(rulings) for _ in found)) for run, found in zip(runs, evidence, strict=True)
        ),
    )


def rulings_of(evidence: Sequence[Evidence], alpha: float) -> list[Ruling]:
    """Answer each rule, with a chance of at most ``alpha`` that any tested one gets a false answer.

    A tested rule is answered if its condition holds on its whole two-sided interval, or nowhere in it. The intervals
    begin at confidence 1 - ``alpha`` / m for m tested rules. Those that were answered leave, and the others are looked
    at again with the smaller m, until none is answered: the step-down procedure of Holm (1979, Scandinavian Journal of
    Statistics 6), with intervals in the place of p-values.

    >>> def interval(confidence):  # ± 1.5 at 95 %, ± 2.5 at 97.5 %
    ...     return (-1.5, 1.5) if confidence < 0.96 else (-2.5, 2.5)
    >>> rule = Rule(benchmark="t", not_worse_by=2)
    >>> [ruling.answer.value for ruling in rulings_of([Evidence(rule, 0.0, interval)], 0.05)]
    ['GO']
    >>> [ruling.answer.value for ruling in rulings_of([Evidence(rule, 0.0, interval)] * 2, 0.05)]
    ['INCONCLUSIVE', 'INCONCLUSIVE']
    """
    rulings: dict[int, Ruling] = {}
    waiting = {}
    for index, found in enumerate(evidence):
        if found.problems:
            rulings[index] = Ruling(found, Answer.INCONCLUSIVE)
        elif found.interval is None:
            rulings[index] = Ruling(found, _of_figure(found))
        else:
            waiting[index] = found.interval
    while waiting:
        confidence = 1 - alpha / len(waiting)
        looked = {
            index: _of_interval(evidence[index], *interval(confidence), confidence)
            for index, interval in waiting.items()
        }
        answered = [
            index for index, ruling in looked.items() if ruling.answer is not Answer.INCONCLUSIVE
        ] or list(looked)
        for index in answered:
            rulings[index] = looked[index]
            del waiting[index]
    return [rulings[index] for index in range(len(evidence))]


def _of_figure(found: Evidence) -> Answer:
    ends = found.could_be or (found.value, found.value)
    if np.isnan(found.value) or found.rule.holds(ends[0]) != found.rule.holds(ends[1]):
        return Answer.INCONCLUSIVE
    return Answer.GO if found.rule.holds(found.value) else Answer.NO_GO


def _of_interval(found: Evidence, low: float, high: float, confidence: float) -> Ruling:
    ends = found.rule.holds(low), found.rule.holds(high)
    answer = Answer.INCONCLUSIVE
    if np.isfinite(low) and np.isfinite(high) and ends[0] == ends[1]:
        answer = Answer.GO if ends[0] else Answer.NO_GO
    return Ruling(found, answer, low, high, confidence)
