"""A run for tables: ``run.json``, and verdicts as arrays."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from k2eval.journal import RunRecord, TaskRecord
from k2eval.leaderboard.verdicts import OUTCOMES
from k2eval.records import Outcome
from k2eval.statistics import Array, Estimate, Scores, average, mean_absolute_error, question_means

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

    unbiased: Scores | None = None
    """Scores whose plain means have no bias (`k2eval.statistics.weighted_scores`); None if repeats were not chosen."""
    ended: bool = False
    """Whether the samples that are missing were not to be made, since the score was precise enough without."""
    weights: NDArray[np.float64] | None = None
    """Weight of each question; None if all count the same."""
    error_unit: str | None = None
    """Unit of the scores if they are sizes of errors, of which less is better; None if they are shares."""
    readings: Scores | None = None
    """The numbers that were read, NaN if none was; only if the scores are sizes of errors."""
    golds: Array | None = None
    """The right number of each question, NaN if nothing was read; only if the scores are sizes of errors."""

    @property
    def values(self) -> Scores:
        """The scores, transformed so that their plain mean over questions is the weighted mean.

        With weights w, mean weight W and weighted average R, a value is R + w (score - R) / W, the linearisation of a
        ratio. The spread of these values over questions gives the standard error of R (Cochran 1977, ch. 2.11).
        """
        scores = self.scores if self.unbiased is None else self.unbiased
        if self.weights is None:
            return scores
        means = question_means(scores)
        known = np.isfinite(means)
        if not known.any():
            return scores
        relative = self.weights / self.weights[known].mean()
        ratio = float((relative[known] * means[known]).mean())
        values: Scores = ratio + relative[:, None] * (scores - ratio)
        return values

    def count(self, outcome: Outcome) -> int:
        """Count the samples with this outcome."""
        return int(self.is_of(outcome).sum())

    def is_of(self, outcome: Outcome) -> NDArray[np.bool_]:
        """Return which samples have this outcome; shape (questions, repeats)."""
        return np.equal(self.outcomes, OUTCOMES.index(outcome))

    @property
    def lost(self) -> NDArray[np.bool_]:
        """Which samples are lost to infrastructure failures; shape (questions, repeats)."""
        lost: NDArray[np.bool_] = (self.outcomes >= 0) & INFRASTRUCTURE[self.outcomes]
        return lost

    @property
    def failed(self) -> int:
        """Number of samples lost to infrastructure failures."""
        return int(self.lost.sum())

    @property
    def graded(self) -> int:
        """Number of samples with a score."""
        return int(np.isfinite(self.scores).sum())

    @property
    def decided(self) -> int:
        """Number of samples with a verdict that says something about the model."""
        return int((self.outcomes >= 0).sum()) - self.failed

    @property
    def missing(self) -> int:
        """Number of samples without a verdict yet."""
        return (
            0 if self.ended else max(self.info.questions * self.info.repeats - self.failed - self.decided, 0)
        )

    @property
    def estimate(self) -> Estimate:
        """The average over questions with its interval: avg@k as a fraction, or the mean absolute error."""
        return average(self.values) if self.error_unit is None else mean_absolute_error(self.scores)

    def means_of(self, questions: Sequence[str]) -> Array:
        """Return the means of these questions, in this order; if questions have weights, they are among these alone."""
        chosen = set(questions)
        part = self.only(np.array([question in chosen for question in self.questions], dtype=bool))
        row_of = {question: row for row, question in enumerate(part.questions)}
        return question_means(part.values)[[row_of[question] for question in questions]]

    def without(self, questions: Collection[str]) -> TaskScores:
        """Return the verdicts on all but these questions."""
        if not questions:
            return self
        return self.only(np.array([question not in questions for question in self.questions], dtype=bool))

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
            unbiased=None if self.unbiased is None else self.unbiased[chosen],
            readings=None if self.readings is None else self.readings[chosen],
            golds=None if self.golds is None else self.golds[chosen],
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
