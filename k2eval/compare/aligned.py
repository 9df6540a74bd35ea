"""One benchmark of two runs, question by question."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from k2eval.leaderboard import Asked, TaskScores, asked_of
from k2eval.statistics import (
    Array,
    Difference,
    Estimate,
    average_of,
    mean_of,
    paired_means,
    question_means,
    unpaired_means,
)


@dataclass(frozen=True, slots=True)
class Aligned:
    """One benchmark of two runs, on the questions that are compared."""

    name: str
    first: TaskScores
    second: TaskScores
    paired: bool
    means: tuple[Array, Array]
    """Per-question means; aligned if the questions are paired."""
    questions: tuple[str, ...]
    """Ids of the aligned questions."""
    difference: Difference
    scores: tuple[Estimate, Estimate]
    """Averages over the questions that are compared, so that the difference is that of these numbers."""

    @property
    def title(self) -> str:
        """The benchmark's name for people."""
        return self.first.info.title or self.name

    @property
    def protocols(self) -> tuple[str, str] | None:
        """The protocols of the two runs, if they differ."""
        first, second = self.first.info.protocol_label, self.second.info.protocol_label
        return None if first == second else (first, second)

    @property
    def asked(self) -> Asked:
        """The questions of both runs."""
        return asked_of(self.name, (self.first, self.second))

    def without(self, questions: Collection[str]) -> Aligned:
        """Return the benchmark without these questions."""
        if not questions:
            return self
        return align(self.name, self.first.without(questions), self.second.without(questions))


def align(name: str, first: TaskScores, second: TaskScores) -> Aligned:
    """Pair the questions by their ids if both runs were asked the same data, else compare all questions."""
    means = question_means(first.values), question_means(second.values)
    shares = first.error_unit is None
    if first.info.fingerprint != second.info.fingerprint:
        difference = unpaired_means(*means, bounded=shares)
        return Aligned(name, first, second, False, means, (), difference, (first.estimate, second.estimate))
    there = set(first.questions) & set(second.questions)
    common = tuple(question for question in first.questions if question in there)
    left, right = (side.means_of(common) for side in (first, second))
    both = np.isfinite(left) & np.isfinite(right)
    mean = average_of if shares else mean_of
    scores = mean(left[both]), mean(right[both])
    difference = paired_means(left, right, bounded=shares)
    return Aligned(name, first, second, True, (left, right), common, difference, scores)
