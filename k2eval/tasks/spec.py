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
    origin: str | None = None
    """Place of the rows if they are not on the hub, or where their licence is; told if none are found."""
    checked: str | None = None
    """Checksum of the questions whose golds were checked; a note tells if others are found."""
    withdrawn: dict[str, str] = Field(default_factory=dict)
    """Checksums of sets of questions, and of single ones, that must not be used, each with the reason."""
    corrupt: dict[str, str] = Field(default_factory=dict)
    """Ids of questions with a key that is known to be wrong -> that key. They are left out while the rows have it."""


class Card(BaseModel):
    """The protocol card of a benchmark: where it is from, and how its authors run it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    licence: str
    protocol: str
    """The documented protocol: prompt, repeats, grader, and where k2eval differs."""


class Bounds(BaseModel):
    """The values of a row's field: a row with another one is left out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min: float | None = None
    max: float | None = None
    among: tuple[str, ...] = ()
    """Texts that the field may have, in place of a range."""

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if not (-math.inf if self.min is None else self.min) <= (math.inf if self.max is None else self.max):
            raise ValueError("expected a min that is not above max, both numbers")
        if self.among and (self.min is not None or self.max is not None):
            raise ValueError("expected either texts (among) or a range (min, max), got both")
        return self


class TaskSpec(BaseModel):
    """The properties of a task that lm-eval has no keys for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str
    title: str
    kind: Literal["mathematics", "science", "code", "safety", "general"]
    micro: bool = False
    """Whether the task counts in the mathematics micro-average."""
    aspect: Literal["safety", "safety_control"] | None = None
    """Whether the task is one of the aspects of the safety average, or measures that harmless requests are answered."""
    grader: str
    questions: int | None = Field(None, ge=1)
    """The number of questions of the benchmark; every table of scores tells if fewer are found."""
    data: DataSpec
    card: Card | None = None
    adapter: str = "k2eval.tasks.adapters:answers"
    """Import path of the function that makes items from rows."""
    fields: dict[str, str] = Field(default_factory=dict)
    """The adapter's names of fields (``id``, ``problem``, ``answer`` …) -> names in the rows."""
    tags: dict[str, str] = Field(default_factory=dict)
    """Tags by which results can be broken down: tag name -> field name."""
    where: dict[str, Bounds] = Field(default_factory=dict)
    """Rows to keep, by the value of a field."""
    answer_type: Literal["integer"] | None = None
    error_unit: str | None = Field(None, min_length=1)
    """Unit of the errors of numeric answers; None if answers are right or wrong."""
    protected: bool = False
    """Whether the authors ask users not to publish the texts; reports then leave them out."""
    solver: str | None = None
    """Import path of the function that solves a question in several steps; None for a single prompt."""
    options: dict[str, Json] = Field(default_factory=dict)
    """Options of the adapter or the grader, open to ``--set TASK.option=value``."""

    @property
    def average_group(self) -> str | None:
        """The group of benchmarks whose average includes the task: ``math``, ``safety``, ``safety_control`` or none."""
        return "math" if self.micro else self.aspect
