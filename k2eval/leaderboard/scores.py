"""A run for tables: ``run.json``, and verdicts as arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from k2eval.journal import RunRecord, TaskRecord
from k2eval.leaderboard.verdicts import OUTCOMES
from k2eval.records import Outcome
from k2eval.statistics import Scores, question_means

INFRASTRUCTURE = np.array([outcome.is_infrastructure for outcome in OUTCOMES])
"""For each code of an outcome, whether the outcome is a failure of ours."""


@dataclass(frozen=True, slots=True)
class TaskScores:
    """All verdicts of one run on one benchmark; arrays have the shape (questions, repeats)."""

    info: TaskRecord
    questions: tuple[str, ...]
    """Ids of the questions that have verdicts, in order of first appearance."""
    scores: Scores
    """NaN if there is no verdict yet, or an infrastructure failure."""
    outcomes: NDArray[np.int8]
    """Index into `OUTCOMES`, -1 if there is no verdict."""
    output_tokens: NDArray[np.int64]
    recipe_tokens: NDArray[np.int64]
    saved_tokens: NDArray[np.int64]
    """Tokens that an adaptive vote did not need, by its own estimate."""
    dates: tuple[str | None, ...]
    """The questions' ``date`` tags, or else ``month`` tags."""
    marked: NDArray[np.bool_]
    """Whether the recipe marked the sample, for example because it lost a candidate or a judgement."""
    judged: Scores
    """Scores by the answer judge; NaN if it was not asked or gave no score."""
    unjudged: NDArray[np.bool_]
    """Whether the answer judge failed on the sample."""

    weights: NDArray[np.float64] | None = None
    """Weight of each question; None if all count the same."""

    @property
    def values(self) -> Scores:
        """The scores, transformed so that their plain mean over questions is the weighted mean.

        With weights w, mean weight W and weighted average R, a value is R + w (score - R) / W, the linearisation of a
        ratio. The spread of these values over questions gives the standard error of R (Cochran 1977, ch. 2.11).
        """
        if self.weights is None:
            return self.scores
        means = question_means(self.scores)
        known = np.isfinite(means)
        if not known.any():
            return self.scores
        relative = self.weights / self.weights[known].mean()
        ratio = float((relative[known] * means[known]).mean())
        values: Scores = ratio + relative[:, None] * (self.scores - ratio)
        return values

    def count(self, outcome: Outcome) -> int:
        """Count the samples with this outcome."""
        return int((self.outcomes == OUTCOMES.index(outcome)).sum())

    @property
    def failed(self) -> int:
        """Number of samples lost to infrastructure failures."""
        return int(INFRASTRUCTURE[self.outcomes[self.outcomes >= 0]].sum())

    @property
    def graded(self) -> int:
        """Number of samples with a score."""
        return int(np.isfinite(self.scores).sum())

    @property
    def missing(self) -> int:
        """Number of samples without a verdict yet."""
        return max(self.info.questions * self.info.repeats - self.failed - self.graded, 0)

    def only(self, keep: NDArray[np.bool_]) -> TaskScores:
        """Return the verdicts on the questions whose entry in ``keep`` is true."""
        chosen = np.flatnonzero(keep)
        return replace(
            self,
            questions=tuple(self.questions[i] for i in chosen),
            scores=self.scores[chosen],
            outcomes=self.outcomes[chosen],
            output_tokens=self.output_tokens[chosen],
            recipe_tokens=self.recipe_tokens[chosen],
            saved_tokens=self.saved_tokens[chosen],
            dates=tuple(self.dates[i] for i in chosen),
            marked=self.marked[chosen],
            judged=self.judged[chosen],
            unjudged=self.unjudged[chosen],
            weights=None if self.weights is None else self.weights[chosen],
        )


@dataclass(frozen=True, slots=True)
class RunScores:
    """One run directory for tables."""

    path: Path
    info: RunRecord
    tasks: dict[str, TaskScores]
    warnings: tuple[str, ...] = ()

    @property
    def benchmarks(self) -> dict[str, TaskScores]:
        """The tasks, without those that are another view of a task."""
        return {name: task for name, task in self.tasks.items() if not task.info.part}
