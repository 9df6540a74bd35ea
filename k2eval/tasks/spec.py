"""The block ``metadata.k2eval`` of a task file: everything that lm-eval has no key for."""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from k2eval.records import Json
from k2eval.values import PathText


class DataSpec(BaseModel):
    """The sources of a task's rows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    files: tuple[str, ...] = ()
    """Globs below the data folder, in order of preference; all matches of the first glob with a match are read."""
    bundled: PathText | None = None
    """A file beside the task file, or below the tasks folder; such a task needs no data folder and no network."""
    hub: str | None = None
    """Name of the Hugging Face dataset."""
    config: str | None = None
    split: str = "train"
    revision: str | None = None
    """Pinned revision; if None, the newest is taken and recorded."""
    hub_files: tuple[str, ...] = ()
    """JSON-lines files to read from the dataset's repository instead of its split."""


class Bounds(BaseModel):
    """The range of a row's field outside of which the row is left out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if not (-math.inf if self.min is None else self.min) <= (math.inf if self.max is None else self.max):
            raise ValueError("expected a min that is not above max, both numbers")
        return self


class TaskSpec(BaseModel):
    """The properties of a task that lm-eval has no keys for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str
    title: str
    kind: Literal["mathematics", "science", "code", "general"]
    micro: bool = False
    """Whether the task counts in the mathematics micro-average."""
    grader: str
    questions: int | None = Field(None, ge=1)
    """The number of questions of the benchmark; every table of scores tells if fewer are found."""
    data: DataSpec
    adapter: str = "k2eval.tasks.adapters:answers"
    """Import path of the function that makes items from rows."""
    fields: dict[str, str] = Field(default_factory=dict)
    """The adapter's names of fields (``id``, ``problem``, ``answer`` …) -> names in the rows."""
    tags: dict[str, str] = Field(default_factory=dict)
    """Tags by which results can be broken down: tag name -> field name."""
    where: dict[str, Bounds] = Field(default_factory=dict)
    """Rows to keep, by numeric field."""
    answer_type: Literal["integer"] | None = None
    protected: bool = False
    """Whether the authors ask users not to publish the texts; reports then leave them out."""
    solver: str | None = None
    """Import path of the function that solves a question in several steps; None for a single prompt."""
    options: dict[str, Json] = Field(default_factory=dict)
    """Options of the adapter or the grader, open to ``--set TASK.option=value``."""
