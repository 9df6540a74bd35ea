"""Repeats until each task's score is as precise as wanted."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping

import numpy as np

from k2eval.records import SampleKey, Verdict
from k2eval.run import Work
from k2eval.statistics import PILOT, Counts, Precise, next_stage, precise_mean, stage_of


class UntilPrecise:
    """A choice of samples: a pilot of every question, then repeats where they narrow the interval most.

    Args:
        work: The work of a run whose configuration has ``until``.
    """

    def __init__(self, work: Work) -> None:
        assert work.config.until is not None  # nobody asks for this without
        self._half_width = work.config.until / 100
        self._tasks = [
            _Task(
                questions.task.name,
                questions.task.spec.title or questions.task.name,
                tuple(sorted(questions.hashes)),
                work.repeats_of(questions),
                self._half_width,
            )
            for questions in work.sets
        ]

    async def next(self, verdicts: Mapping[SampleKey, Verdict]) -> Collection[SampleKey] | None:
        """Return the samples of the next stage of all tasks; None if all have had their last one."""
        keys = [key for task in self._tasks for key in task.next(verdicts)]
        return keys or None

    @property
    def ending(self) -> str:
        """The precision that was reached, task by task."""
        return "; ".join(
            f"{task.title} ± {100 * task.result.margin:.1f} points on these questions"
            f" (± {100 * self._half_width:.3g} wanted)"
            for task in self._tasks
            if task.result is not None
        )


class _Task:
    """The stages of one task."""

    def __init__(
        self, name: str, title: str, questions: tuple[str, ...], most: int, half_width: float
    ) -> None:
        self.title = title
        self.result: Precise | None = None
        self._name = name
        self._questions = questions
        self._most = most
        self._half_width = half_width
        self._ends = np.zeros((1, len(questions)), dtype=np.intp)
        """Number of repeats of each question at the end of each stage; the first row is before the pilot."""

    def next(self, verdicts: Mapping[SampleKey, Verdict]) -> list[SampleKey]:
        before = self._ends[-1]
        after = np.minimum(before + self._counts(verdicts), self._most)
        self._ends = np.vstack([self._ends, after])
        return [
            SampleKey(self._name, question, repeat)
            for question, first, last in zip(self._questions, before, after, strict=True)
            for repeat in range(first, last)
        ]

    def _counts(self, verdicts: Mapping[SampleKey, Verdict]) -> Counts:
        """Return how many repeats each question gets in the next stage."""
        if len(self._ends) == 1:
            return np.full(len(self._questions), PILOT, dtype=np.intp)
        scores = np.full((len(self._questions), int(self._ends[-1].max())), np.nan)
        for row, question in enumerate(self._questions):
            for repeat in range(self._ends[-1][row]):
                verdict = verdicts.get(SampleKey(self._name, question, repeat))
                if verdict is not None and verdict.score is not None:
                    scores[row, repeat] = verdict.score
        columns = np.arange(scores.shape[1])
        stages = [
            stage_of(scores, (columns >= start[:, None]) & (columns < end[:, None]))
            for start, end in itertools.pairwise(self._ends)
            if (end > start).any()
        ]
        self.result = precise_mean(stages, self._half_width)
        return next_stage(stages, self._half_width)
