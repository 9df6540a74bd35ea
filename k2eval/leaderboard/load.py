"""Run directories -> arrays of scores. Reads ``run.json`` and ``verdicts.jsonl``, never generation texts."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from k2eval.errors import JournalError
from k2eval.leaderboard.verdicts import OUTCOMES, SCHEMA, read_verdicts
from k2eval.records import Json, Outcome
from k2eval.statistics import Scores

log = logging.getLogger(__name__)

_INFRASTRUCTURE = np.array([outcome.is_infrastructure for outcome in OUTCOMES])


class _Info(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


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
    """Questions asked in each run."""
    expected_questions: int | None = None
    """Questions the whole benchmark has."""
    fingerprint: str = ""
    """Hash of the questions; scores on different ones are not comparable."""
    source: str = ""
    runs: int = 1
    grader: str = ""
    prompt: str = ""
    """Hash of the prompt's template."""
    sampling: dict[str, Json] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()
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
    runs: int = 1
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
    """All verdicts of one run on one benchmark; arrays have the shape (questions, runs)."""

    info: TaskInfo
    questions: tuple[str, ...]
    """Ids of the questions that have verdicts, in order of first appearance."""
    scores: Scores
    """NaN where there is no verdict yet, or an infrastructure failure."""
    outcomes: NDArray[np.int8]
    """Index into `OUTCOMES`, -1 where there is no verdict."""
    output_tokens: NDArray[np.int64]
    recipe_tokens: NDArray[np.int64]
    dates: tuple[str | None, ...]
    """The questions' ``date`` tags."""
    marked: NDArray[np.bool_]
    """Whether the recipe left a mark on the sample, such as a candidate or a judgement that was lost."""

    def count(self, outcome: Outcome) -> int:
        """Samples with this outcome."""
        return int((self.outcomes == OUTCOMES.index(outcome)).sum())

    @property
    def failed(self) -> int:
        """Samples lost to infrastructure failures."""
        return int(_INFRASTRUCTURE[self.outcomes[self.outcomes >= 0]].sum())

    @property
    def graded(self) -> int:
        """Samples with a score."""
        return int(np.isfinite(self.scores).sum())

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
            dates=tuple(self.dates[i] for i in chosen),
            marked=self.marked[chosen],
        )


@dataclass(frozen=True, slots=True)
class RunScores:
    """One run directory as tables need it."""

    path: Path
    info: RunInfo
    tasks: dict[str, TaskScores]
    warnings: tuple[str, ...] = field(default=())


def load_run(path: Path) -> RunScores:
    """Reads one run directory; the last verdict about a sample counts.

    Raises:
        JournalError: a file is missing or unreadable, or a line (other than a torn last one) is no verdict.
    """
    info = _read_info(path / "run.json")
    source = path / "verdicts.jsonl"
    table, torn = read_verdicts(source)
    warnings = []
    if torn:
        warnings.append(f"{source}: the last line is torn (the run was interrupted) and was left out")
        log.warning(warnings[0])
    return RunScores(path, info, _by_task(table, info, source), tuple(warnings))


def load_runs(paths: Sequence[Path]) -> list[RunScores]:
    """`load_run` for each path; runs of one name get their folders' names in front."""
    runs = [load_run(path) for path in paths]
    names = Counter(run.info.name for run in runs)
    return [run if names[run.info.name] == 1 else _renamed(run) for run in runs]


def _renamed(run: RunScores) -> RunScores:
    name = f"{run.path.resolve().parent.name}/{run.path.resolve().name}"
    return replace(run, info=run.info.model_copy(update={"name": name}))


def _read_info(path: Path) -> RunInfo:
    try:
        return RunInfo.model_validate_json(path.read_bytes())
    except OSError as error:
        raise JournalError(
            f"Expected a run directory with a readable {path.name}, got {path.parent} ({error.strerror}). "
            "Give the directory that `k2eval run --out` wrote."
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise JournalError(
            f"{path}: expected what `k2eval run` writes, got {where or 'text'}: {first['msg']}."
        ) from error


def _by_task(table: pa.Table, info: RunInfo, source: Path) -> dict[str, TaskScores]:
    tasks = pc.dictionary_encode(table["task"].combine_chunks())
    names = tasks.dictionary.to_pylist()
    foreign = sorted(set(names) - set(info.tasks))
    if foreign:
        raise JournalError(
            f"{source}: expected verdicts on {', '.join(info.tasks) or 'no task'} (the tasks of run.json), "
            f"got some on {', '.join(foreign)}. The file seems to be another run's; restore the right one."
        )
    codes = tasks.indices.to_numpy(zero_copy_only=False)
    found = {
        name: _one_task(table.take(np.flatnonzero(codes == code)), info.tasks[name])
        for code, name in enumerate(names)
    }
    empty = SCHEMA.empty_table()
    return {name: found.get(name) or _one_task(empty, task) for name, task in info.tasks.items()}


def _one_task(table: pa.Table, info: TaskInfo) -> TaskScores:
    ids = pc.dictionary_encode(table["question_id"].combine_chunks())
    question = ids.indices.to_numpy(zero_copy_only=False)
    run = table["run_index"].to_numpy()
    shape = (len(ids.dictionary), max(info.runs, int(run.max(initial=-1)) + 1))
    last = np.full(shape, -1, dtype=np.int64)
    last[question, run] = np.arange(len(table))
    outcome = pc.index_in(table["outcome"], pa.array([str(outcome) for outcome in OUTCOMES])).to_numpy()
    outcomes = _placed(outcome.astype(np.int8), last, -1)
    scores = _placed(table["score"].to_numpy().astype(np.float64), last, np.nan)
    scores[(outcomes >= 0) & _INFRASTRUCTURE[outcomes]] = np.nan
    marks = pc.list_value_length(pc.struct_field(table["notes"].combine_chunks(), "marks"))
    marked = pc.fill_null(marks, 0).to_numpy(zero_copy_only=False) > 0
    dates = pc.struct_field(table["tags"].combine_chunks(), "date").to_pylist() if len(table) else []
    return TaskScores(
        info=info,
        questions=tuple(ids.dictionary.to_pylist()),
        scores=scores,
        outcomes=outcomes,
        output_tokens=_placed(_integers(table["output_tokens"]), last, 0),
        recipe_tokens=_placed(_integers(table["recipe_tokens"]), last, 0),
        dates=tuple(dates[row] for row in last.max(axis=1)) if dates else (),
        marked=_placed(marked, last, False),
    )


def _placed(values: NDArray[Any], last: NDArray[np.int64], gap: float) -> NDArray[Any]:
    """``values[last]``, with ``gap`` where ``last`` is -1."""
    placed = np.full(last.shape, gap, dtype=values.dtype)
    placed[last >= 0] = values[last[last >= 0]]
    return placed


def _integers(column: pa.ChunkedArray) -> NDArray[np.int64]:
    integers: NDArray[np.int64] = pc.fill_null(column, 0).to_numpy().astype(np.int64)
    return integers
