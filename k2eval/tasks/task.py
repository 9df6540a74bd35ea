"""Tasks: benchmarks as YAML files that stock lm-eval loads too.

The prompt (``description``, ``doc_to_text``), the sampling (``generation_kwargs``) and the default number of
repeats (``repeats``) are lm-eval's own keys. What lm-eval has no key for stands under ``metadata.k2eval`` and is
a :class:`TaskSpec`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, NamedTuple

from jinja2 import Environment, StrictUndefined, Template, TemplateError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from k2eval.config.run import TaskOverrides, explain
from k2eval.errors import ConfigError, did_you_mean
from k2eval.records import Json, Message, Note, Question, Sampling
from k2eval.tasks.lm_eval_yaml import read, repeats, sampling, text

Row = Mapping[str, Any]
"""One raw row of a dataset."""


class DataSpec(BaseModel):
    """Where the rows of a task come from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    files: tuple[str, ...] = ()
    """Globs below the data folder, in order of preference; the first that matches is read, all its matches."""
    bundled: str | None = None
    """A file below the tasks folder; such a task needs no data folder and no network."""
    hub: str | None = None
    """Name of the Hugging Face dataset."""
    config: str | None = None
    split: str = "train"
    revision: str | None = None
    """Pinned revision; where None, the newest is taken and recorded."""
    hub_files: tuple[str, ...] = ()
    """JSON-lines files to read from the dataset's repository instead of its split."""


class Bounds(BaseModel):
    """Which values of a row's field are wanted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min: float | None = None
    max: float | None = None


class TaskSpec(BaseModel):
    """What k2eval needs to know of a task beyond lm-eval's keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str
    title: str
    kind: Literal["mathematics", "science", "code", "general"]
    micro: bool = False
    """Whether the task counts in the mathematics micro-average."""
    grader: str
    questions: int | None = Field(None, ge=1)
    """How many questions the benchmark has; a smaller find is said wherever scores are shown."""
    data: DataSpec
    adapter: str = "k2eval.tasks.adapters:answers"
    """Import path of the function that makes items of rows."""
    fields: dict[str, str] = Field(default_factory=dict)
    """Names of the rows' fields, by the adapter's own names (``id``, ``problem``, ``answer`` …)."""
    tags: dict[str, str] = Field(default_factory=dict)
    """What results can be broken down by: tag name to field name."""
    where: dict[str, Bounds] = Field(default_factory=dict)
    """Rows to keep, by numeric field."""
    answer_type: Literal["integer"] | None = None
    protected: bool = False
    """Whether the authors ask that the texts not be published; reports then leave them out."""
    solver: str | None = None
    """Import path of the function that solves a question in several steps; one prompt where None."""
    options: dict[str, Json] = Field(default_factory=dict)
    """Options of the adapter or the grader, open to ``--set TASK.option=value``."""


@dataclass(frozen=True, slots=True)
class Item:
    """One question before its prompt is rendered."""

    id: str
    gold: Json
    fields: dict[str, Json]
    """What the prompt template sees."""
    options: tuple[str, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, Json] = field(default_factory=dict)


class Items(NamedTuple):
    """What an adapter makes of the rows."""

    items: list[Item]
    notes: list[Note]
    """What a reader of the scores must know, such as how many questions lack hidden tests."""


Adapter = Callable[[Sequence[Row], TaskSpec, int], Items]
"""Makes items of rows for one run index; equal arguments give equal items."""


@dataclass(frozen=True, slots=True)
class Task:
    """A benchmark: how to ask it and how to grade it."""

    name: str
    version: str
    spec: TaskSpec
    system: str
    prompt: str
    """Jinja template over an item's fields."""
    sampling: Sampling
    repeats: int

    def ask(self, item: Item) -> Question:
        """The question that an item is, with its prompt rendered.

        Raises:
            ConfigError: When the template names a field that the item lacks.
        """
        try:
            messages = [
                Message(role=role, content=_template(template).render(**item.fields))
                for role, template in (("system", self.system), ("user", self.prompt))
                if template
            ]
        except TemplateError as error:
            raise ConfigError(
                f"Task {self.name}: the prompt cannot be rendered for question {item.id!r}: {error}. "
                f"Fields there: {', '.join(sorted(item.fields))}."
            ) from error
        return Question(
            task=self.name,
            id=item.id,
            grader=self.spec.grader,
            messages=tuple(messages),
            gold=item.gold,
            options=item.options,
            tags=item.tags,
            metadata=item.metadata,
        )

    def adapter(self) -> Adapter:
        """The function that makes items of this task's rows."""
        adapter: Adapter = import_object(self.spec.adapter, f"adapter of task {self.name}")
        return adapter


_JINJA = Environment(undefined=StrictUndefined, keep_trailing_newline=True)


@cache
def _template(text: str) -> Template:
    return _JINJA.from_string(text)


def import_object(path: str, what: str) -> Any:
    """The object at ``package.module:name``.

    Raises:
        ConfigError: When there is none.
    """
    module, separator, name = path.partition(":")
    try:
        if not separator:
            raise ImportError("no ':' in it")
        return getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise ConfigError(
            f"Cannot import {path!r} ({what}): expected package.module:name; {error}."
        ) from error


def tasks_folder() -> Path:
    """The folder with the task files: ``K2EVAL_TASKS`` or the ``tasks`` beside the package."""
    return Path(os.environ.get("K2EVAL_TASKS") or Path(__file__).resolve().parents[2] / "tasks")


def load_tasks(names: Sequence[str], overrides: Mapping[str, TaskOverrides] | None = None) -> list[Task]:
    """The tasks of these names, in this order, each once.

    Raises:
        ConfigError: When a name is unknown or a task's YAML is not valid.
    """
    known = task_files()
    tasks = []
    for name in dict.fromkeys(names):
        if name not in known:
            raise ConfigError(
                f"Unknown task {name!r}. {did_you_mean(name, list(known))} `k2eval tasks` lists them."
            )
        tasks.append(load_task(known[name], (overrides or {}).get(name)))
    return tasks


def task_files(folder: Path | None = None) -> dict[str, Path]:
    """All task files below the tasks folder, by task name, in the order of their paths.

    Raises:
        ConfigError: When there is no such folder, or two files are the same task.
    """
    return dict(_task_files(folder or tasks_folder()))


@cache
def _task_files(root: Path) -> dict[str, Path]:
    if not root.is_dir():
        raise ConfigError(f"No tasks folder at {root}. Set K2EVAL_TASKS to the folder with the task files.")
    found: dict[str, Path] = {}
    for path in sorted(root.rglob("*.yaml")):
        if path.name.startswith("_"):
            continue
        name = str(read(path).get("task", path.stem))
        if name in found:
            raise ConfigError(
                f"Expected one file per task, got {found[name]} and {path} for {name!r}. Rename one."
            )
        found[name] = path
    return found


def load_task(path: Path, overrides: TaskOverrides | None = None) -> Task:
    """Read one task file, with its includes.

    Raises:
        ConfigError: When a key is missing or a value has the wrong type.
    """
    content = read(path)
    changes = overrides or TaskOverrides()
    metadata = content.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("k2eval"), dict):
        raise ConfigError(f"{path}: expected a mapping metadata.k2eval, got {metadata!r:.200}.")
    block = dict(metadata["k2eval"])
    options = block.get("options") or {}
    if not isinstance(options, dict):
        raise ConfigError(f"{path}: metadata.k2eval.options must be a mapping, got {options!r:.200}.")
    for key in changes.options:
        if key not in options:
            known = [*options, "sampling", "system", "repeats"]
            raise ConfigError(f"Task {content.get('task')} has no option {key!r}. {did_you_mean(key, known)}")
    block["options"] = {**options, **changes.options}
    try:
        spec = TaskSpec.model_validate(block)
        task = Task(
            name=text(content, "task", path),
            version=str(metadata.get("version", "1")),
            spec=spec,
            system=changes.system if changes.system is not None else str(content.get("description") or ""),
            prompt=text(content, "doc_to_text", path),
            sampling=sampling_with(sampling(content, path), changes.sampling),
            repeats=changes.repeats or repeats(content, path),
        )
    except ValidationError as error:
        raise ConfigError(explain(error, f"{path} is not a valid task")) from error
    if spec.task != task.name:
        raise ConfigError(
            f"{path}: task is {task.name!r} but metadata.k2eval.task is {spec.task!r}; make them equal."
        )
    return task


def sampling_with(sampling: Sampling, changes: Mapping[str, Any]) -> Sampling:
    """``sampling`` with some fields changed.

    Raises:
        ConfigError: When a field is unknown or its value is not valid.
    """
    for key in changes:
        if key not in Sampling.model_fields:
            raise ConfigError(
                f"Unknown sampling setting {key!r}. {did_you_mean(key, list(Sampling.model_fields))}"
            )
    try:
        return Sampling.model_validate({**sampling.model_dump(), **changes})
    except ValidationError as error:
        raise ConfigError(explain(error, "The sampling is not valid")) from error
