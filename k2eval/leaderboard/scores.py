"""What tables know of a run: ``run.json`` as types, verdicts as arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from k2eval.leaderboard.verdicts import OUTCOMES
from k2eval.records import Json, Outcome
from k2eval.statistics import Scores, question_means

INFRASTRUCTURE = np.array([outcome.is_infrastructure for outcome in OUTCOMES])
"""For each code of an outcome, whether it says nothing about the model."""


class _Info(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    @model_validator(mode="before")
    @classmethod
    def _read_old_name(cls, content: Json) -> Json:
        if isinstance(content, dict) and "runs" in content:
            return {"repeats" if key == "runs" else key: value for key, value in content.items()}
        return content


class ModelInfo(_Info):
    """Which checkpoint was asked."""

    name: str
    fingerprint: str = ""
    engine: str = ""


class TaskInfo(_Info):
    """What ``run.json`` says of a benchmark."""

    version: int | str = 1
    title: str = ""
    kind: str = ""
    questions: int
    """Questions asked in each repeat."""
    expected_questions: int | None = None
    """Questions the whole benchmark has."""
    fingerprint: str = ""
    """Hash of the questions; scores on different ones are not comparable."""
    source: str = ""
    repeats: int = 1
    grader: str = ""
    prompt: str = ""
    """Hash of the prompt's template."""
    sampling: dict[str, Json] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()
    part: bool = False
    """Whether it is another view of a benchmark, such as its steps: shown, but in no total or average."""
    micro: str | None = None
    """Name of the group of benchmarks whose average this one is part of; ``true`` in run.json means maths."""
    hashes: dict[str, str] = Field(default_factory=dict)
    """Digests of the questions' texts by id, where the run kept them."""

    @field_validator("micro", mode="before")
    @classmethod
    def _group(cls, value: Json) -> Json:
        return ("math" if value else None) if isinstance(value, bool) else value

    @property
    def settings(self) -> dict[str, Json]:
        """What shapes the scores besides checkpoint, recipe and questions."""
        return {"prompt": self.prompt, "version": self.version, "grader": self.grader, **self.sampling}


class Session(_Info):
    """One start of the program that added to the run."""

    generated_tokens: int = 0
    generation_s: float = 0.0
    prompt_tokens: int = 0
    cached_tokens: int = 0


class RunInfo(_Info):
    """What ``run.json`` says."""

    name: str
    model: ModelInfo
    recipe: str
    repeats: int = 1
    reproducible: bool = True
    variant: str | None = None
    tasks: dict[str, TaskInfo] = Field(default_factory=dict)
    sessions: tuple[Session, ...] = ()
    speculative: dict[str, Json] | None = None
    complete: bool = True

    @property
    def tokens_per_s(self) -> float | None:
        """Generated tokens per second of generation; replayed generations count in neither."""
        seconds = sum(session.generation_s for session in self.sessions)
        tokens = sum(session.generated_tokens for session in self.sessions)
        return tokens / seconds if seconds > 0 and tokens > 0 else None

    @property
    def prefix_cache_hits(self) -> float | None:
        """Share of prompt tokens that the prefix cache served."""
        prompt = sum(session.prompt_tokens for session in self.sessions)
        return sum(session.cached_tokens for session in self.sessions) / prompt if prompt else None

    def acceptance_length(self, task: str | None = None) -> float | None:
        """Mean tokens per verification step of speculative decoding, the target's own one included."""
        counts = self.speculative or {}
        if task is not None:
            counts = (counts.get("tasks") or {}).get(task) or {}
        drafts = counts.get("drafts") or 0
        return 1 + counts.get("accepted_tokens", 0) / drafts if drafts else None


@dataclass(frozen=True, slots=True)
class TaskScores:
    """All verdicts of one run on one benchmark; arrays have the shape (questions, repeats)."""

    info: TaskInfo
    questions: tuple[str, ...]
    """Ids of the questions that have verdicts, in order of first appearance."""
    scores: Scores
    """NaN where there is no verdict yet, or an infrastructure failure."""
    outcomes: NDArray[np.int8]
    """Index into `OUTCOMES`, -1 where there is no verdict."""
    output_tokens: NDArray[np.int64]
    recipe_tokens: NDArray[np.int64]
    saved_tokens: NDArray[np.int64]
    """Tokens that an adaptive vote did not need, by its own estimate."""
    dates: tuple[str | None, ...]
    """The questions' ``date`` tags, or else ``month`` tags."""
    marked: NDArray[np.bool_]
    """Whether the recipe left a mark on the sample, such as a candidate or a judgement that was lost."""
    judged: Scores
    """Scores by the answer judge; NaN where it was not asked or had no word."""
    unjudged: NDArray[np.bool_]
    """Whether the answer judge failed on the sample."""

    weights: NDArray[np.float64] | None = None
    """How much each question counts; None: all the same."""

    @property
    def values(self) -> Scores:
        """The scores, shaped so that a plain mean over questions is the weighted one.

        With weights w, mean weight W and weighted average R that is R + w (score - R) / W, the linearisation of a
        ratio: the spread of these values over questions gives the standard error of R (Cochran 1977, ch. 2.11).
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
        """Samples with this outcome."""
        return int((self.outcomes == OUTCOMES.index(outcome)).sum())

    @property
    def failed(self) -> int:
        """Samples lost to infrastructure failures."""
        return int(INFRASTRUCTURE[self.outcomes[self.outcomes >= 0]].sum())

    @property
    def graded(self) -> int:
        """Samples with a score."""
        return int(np.isfinite(self.scores).sum())

    @property
    def missing(self) -> int:
        """Samples without a verdict as yet."""
        return max(self.info.questions * self.info.repeats - self.failed - self.graded, 0)

    def only(self, keep: NDArray[np.bool_]) -> TaskScores:
        """The same for the questions where ``keep`` is true."""
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
    """One run directory as tables need it."""

    path: Path
    info: RunInfo
    tasks: dict[str, TaskScores]
    warnings: tuple[str, ...] = ()

    @property
    def benchmarks(self) -> dict[str, TaskScores]:
        """The tasks, without those that are another view of one."""
        return {name: task for name, task in self.tasks.items() if not task.info.part}
