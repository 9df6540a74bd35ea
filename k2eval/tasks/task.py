"""Tasks: benchmarks as YAML files that stock lm-eval loads too.

The prompt (``description``, ``doc_to_text``), the sampling (``generation_kwargs``) and the default number of
repeats (``repeats``) are lm-eval's own keys. Everything that lm-eval has no key for is under ``metadata.k2eval``, a
`TaskSpec`.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, StrictUndefined, Template
from pydantic import ValidationError

from k2eval.config import TaskOverrides, explain
from k2eval.errors import ConfigError, did_you_mean
from k2eval.records import Json, Message, Note, Question, Sampling
from k2eval.system import shipped_path
from k2eval.tasks.imports import check_call, import_object, in_words
from k2eval.tasks.lm_eval_yaml import read, repeats, sampling, text
from k2eval.tasks.spec import TaskSpec
from k2eval.values import fault_of_setting, fault_of_text

Row = Mapping[str, Any]
"""One raw row of a dataset."""


@dataclass(frozen=True, slots=True)
class Item:
    """One question before its prompt is rendered."""

    id: str
    gold: Json
    fields: dict[str, Json]
    """Values for the prompt template."""
    options: tuple[str, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, Json] = field(default_factory=dict)


class Items(NamedTuple):
    """The result of an adapter."""

    items: list[Item]
    notes: list[Note]
    """Notes for a reader of the scores, such as the number of questions without hidden tests."""


Adapter = Callable[[Sequence[Row], TaskSpec, int], Items]
"""A function that makes items from rows for one repeat index; equal arguments give equal items."""


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
    bundled: Path | None = None
    """The file with its rows, if they come with the task file."""

    def ask(self, item: Item) -> Question:
        """Render the prompt of an item, and return its question.

        Raises:
            ConfigError: If the template names a field that the item lacks or raises any other error, or if the prompt
                is empty or no text that UTF-8 can hold.
        """
        messages = [
            Message(role=role, content=self._rendered(template, item))
            for role, template in (("system", self.system), ("user", self.prompt))
            if template
        ]
        if not messages[-1].content.strip():
            raise ConfigError(
                f"Task {self.name}: expected a prompt for question {item.id!r}, got an empty text. Correct doc_to_text."
            )
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

    def _rendered(self, template: str, item: Item) -> str:
        try:
            text = _template(template).render(**item.fields)
        except Exception as error:  # an expression in a template may raise anything
            raise ConfigError(
                f"Task {self.name}: the prompt cannot be rendered for question {item.id!r}: {in_words(error)}. "
                f"Fields there: {', '.join(sorted(item.fields))}. Correct description or doc_to_text."
            ) from error
        fault = fault_of_text(text)
        if fault:
            raise ConfigError(f"Task {self.name}: the prompt for question {item.id!r}: {fault}. Correct it.")
        return text

    def adapter(self) -> Adapter:
        """Return the function that makes items from this task's rows.

        Raises:
            ConfigError: If there is none, or it takes other arguments.
        """
        adapter: Adapter = import_object(self.spec.adapter, f"adapter of task {self.name}")
        purpose = f"Adapter {self.spec.adapter} of task {self.name}"
        check_call(adapter, purpose, ["rows", "spec", "repeat_index"])
        return adapter

    def solver(self) -> Any:
        """Return the function that solves a question in several steps, or None if the task has none.

        Raises:
            ConfigError: If it cannot be imported, or takes other arguments.
        """
        path = self.spec.solver
        if not path:
            return None
        solver = import_object(path, f"solver of task {self.name}")
        check_call(solver, f"Solver {path} of task {self.name}", ["sample", "stage", "messages", "prepare"])
        return solver


_JINJA = Environment(undefined=StrictUndefined, keep_trailing_newline=True)


@cache
def _template(text: str) -> Template:
    return _JINJA.from_string(text)


def tasks_folder() -> Path:
    """Return the folder with k2eval's own task files."""
    return shipped_path("tasks")


def tasks_folders(include: Sequence[Path] = ()) -> tuple[Path, ...]:
    """Return all folders with task files, in order of precedence: the first folder that has a task wins.

    Args:
        include: Folders of ``--include-path``. They come first, then the folders that ``K2EVAL_TASKS`` lists
            (separated as in ``PATH``), and k2eval's own folder last.
    """
    listed = [Path(entry) for entry in os.environ.get("K2EVAL_TASKS", "").split(os.pathsep) if entry]
    return tuple(dict.fromkeys([*(folder.absolute() for folder in (*include, *listed)), tasks_folder()]))


def load_tasks(
    names: Sequence[str],
    overrides: Mapping[str, TaskOverrides] | None = None,
    include: Sequence[Path] = (),
) -> list[Task]:
    """Load the tasks of these names, in this order, each once.

    Warn if a user's task replaces one of k2eval's own.

    Args:
        names: Names of tasks.
        overrides: Changes by task name.
        include: Folders with the user's own tasks, besides those of ``K2EVAL_TASKS``.

    Raises:
        ConfigError: If a name is unknown or a task's YAML is not valid.
    """
    known, own = _by_name(include), _names_in(tasks_folder())
    tasks = []
    for name in dict.fromkeys(names):
        if name not in known:
            raise ConfigError(
                f"Unknown task {name!r}. {did_you_mean(name, list(known))} `k2eval tasks` lists them."
            )
        path, folder = known[name]
        if name in own and own[name] != path:
            warnings.warn(f"Task {name} is read from {path}, in place of k2eval's own.", stacklevel=2)
        tasks.append(load_task(path, (overrides or {}).get(name), folder))
    return tasks


def task_files(include: Sequence[Path] = ()) -> dict[str, Path]:
    """Return all task files by task name: k2eval's own first, then those that the user adds.

    A user's task replaces k2eval's own task of the same name.

    Args:
        include: Folders with the user's own tasks, besides those of ``K2EVAL_TASKS``.

    Raises:
        ConfigError: If a folder does not exist, or two files of one folder are the same task.
    """
    return {name: path for name, (path, _) in _by_name(include).items()}


def _by_name(include: Sequence[Path]) -> dict[str, tuple[Path, Path]]:
    """Return each task's file and the tasks folder that contains it."""
    files: dict[str, tuple[Path, Path]] = {}
    for folder in reversed(tasks_folders(include)):
        files |= {name: (path, folder) for name, path in _names_in(folder).items()}
    return files


def _names_in(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise ConfigError(
            f"No tasks folder at {folder}. Give --include-path and K2EVAL_TASKS existing folders with task files."
        )
    files: dict[str, Path] = {}
    for path in sorted(folder.rglob("*.yaml")):
        if path.name.startswith("_"):
            continue
        try:
            changed_ns = path.stat().st_mtime_ns
        except OSError as error:
            raise ConfigError(f"Cannot read the task file {path}: {error}. Remove or repair it.") from error
        name = _name_of(path, changed_ns)
        if name in files:
            raise ConfigError(
                f"Expected one file per task, got {files[name]} and {path} for {name!r}. Rename one."
            )
        files[name] = path
    return files


@cache
def _name_of(path: Path, changed_ns: int) -> str:
    """Return the name of the task in a file; read the file again if it changed."""
    return str(read(path).get("task", path.stem))


def load_task(path: Path, overrides: TaskOverrides | None = None, folder: Path | None = None) -> Task:
    """Read one task file, with its includes.

    Args:
        path: The file.
        overrides: Changes to the task.
        folder: The tasks folder that contains the file; the file's own folder if None.

    Raises:
        ConfigError: If a key is missing or a value has the wrong type.
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
            known = [*map(str, options), *(name for name in TaskOverrides.model_fields if name != "options")]
            raise ConfigError(f"Task {content.get('task')} has no option {key!r}. {did_you_mean(key, known)}")
    block["options"] = {**options, **changes.options}
    fault = fault_of_setting(block["options"])
    if fault:
        raise ConfigError(f"Task {content.get('task')}: options: {fault}. Correct it.")
    description = content.get("description")
    if not isinstance(description, str | None):
        raise ConfigError(f"{path}: description must be a text, got {description!r:.200}.")
    try:
        spec = TaskSpec.model_validate(block)
        task = Task(
            name=text(content, "task", path),
            version=str(metadata.get("version", "1")),
            spec=spec,
            system=system_text(changes.system, description or ""),
            prompt=text(content, "doc_to_text", path),
            sampling=sampling_with(sampling(content, path), changes.sampling),
            repeats=changes.repeats or repeats(content, path),
            bundled=_bundled(spec.data.bundled, path, folder or path.parent) if spec.data.bundled else None,
        )
    except ValidationError as error:
        raise ConfigError(explain(error, f"{path} is not a valid task")) from error
    if "," in task.name or "/" in task.name or task.name != task.name.strip():
        raise ConfigError(
            f"{path}: task must be a name without commas, slashes and blanks at its ends, got {task.name!r}."
        )
    if spec.task != task.name:
        raise ConfigError(
            f"{path}: task is {task.name!r} but metadata.k2eval.task is {spec.task!r}; make them equal."
        )
    return task


def system_text(setting: str | None, own: str) -> str:
    """Return a task's system text; nothing means no system turn.

    Args:
        setting: The setting of the run: None or ``keep``, ``none``, or a text.
        own: The task's own system text.

    >>> system_text("none", "Be brief."), system_text("Think.", "Be brief."), system_text("keep", "Be brief.")
    ('', 'Think.', 'Be brief.')
    """
    if setting is None or setting == "keep":
        return own
    return "" if setting == "none" else setting


def _bundled(name: str, task_file: Path, folder: Path) -> Path:
    beside = task_file.parent / name
    return beside if beside.exists() else folder / name


def sampling_with(sampling: Sampling, changes: Mapping[str, Any]) -> Sampling:
    """Return ``sampling`` with some fields changed.

    Raises:
        ConfigError: If a field is unknown or its value is not valid.
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
