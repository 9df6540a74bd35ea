"""Tasks: benchmarks as YAML files that stock lm-eval loads too.

The prompt (``description``, ``doc_to_text``), the sampling (``generation_kwargs``) and the default number of
repeats (``repeats``) are lm-eval's own keys. Everything that lm-eval has no key for is under ``metadata.k2eval``, a
`TaskSpec`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, StrictUndefined, Template
from pydantic import ValidationError

from k2eval.config import TaskOverrides, explain
from k2eval.errors import ConfigError, did_you_mean
from k2eval.protocols import NO_PROTOCOL, TaskProtocol, protocol_named
from k2eval.records import Json, Message, Note, Question, Sampling, digest
from k2eval.tasks.files import files_by_name, names_in, task_groups, tasks_folder
from k2eval.tasks.imports import check_call, import_object, in_words
from k2eval.tasks.languages import in_language
from k2eval.tasks.lm_eval_yaml import read, repeats, sampling, text
from k2eval.tasks.spec import TaskSpec
from k2eval.texts import fault_of_text
from k2eval.values import fault_of_setting

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
    language: str = "en"
    """The language of the instructions around its questions."""
    protocol: TaskProtocol | None = None
    """The protocol of others by which it is asked; None if by its own file."""
    documented: Mapping[str, Json] = field(default_factory=dict)
    """The settings that the protocol gives, before any changes: fields of `Sampling`, ``repeats``, ``options.NAME``,
    and ``prompt``, the hash of system text and prompt."""

    @property
    def prompt_hash(self) -> str:
        """A digest of system text and prompt, as templates."""
        return prompt_hash(self.system, self.prompt)

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
            text = _template(template).render({"options": list(item.options), **item.fields})
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


def load_tasks(
    names: Sequence[str],
    overrides: Mapping[str, TaskOverrides] | None = None,
    include: Sequence[Path] = (),
) -> list[Task]:
    """Load the tasks of these names, in this order, each once.

    Warn if a user's task replaces one of k2eval's own.

    Args:
        names: Names of tasks, and of groups, which stand for their tasks.
        overrides: Changes by task name.
        include: Folders with the user's own tasks, besides those of ``K2EVAL_TASKS``.

    Raises:
        ConfigError: If a name is unknown or a task's YAML is not valid.
    """
    known, own, groups = files_by_name(include), names_in(tasks_folder()), task_groups(include)
    tasks = []
    for name in dict.fromkeys(member for given in names for member in groups.get(given, (given,))):
        if name not in known:
            close = did_you_mean(name, [*known, *groups])
            raise ConfigError(f"Unknown task {name!r}. {close} `k2eval tasks` lists them.")
        path, folder = known[name]
        if name in own and own[name] != path:
            warnings.warn(f"Task {name} is read from {path}, in place of k2eval's own.", stacklevel=2)
        tasks.append(load_task(path, (overrides or {}).get(name), folder))
    return tasks


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
    protocol = _protocol_of(changes, text(content, "task", path), block)
    given = (
        {} if protocol is None else {key: value for key, value in protocol.options.items() if key in options}
    )
    block["options"] = {**options, **given, **changes.options}
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
            system=description or "",
            prompt=text(content, "doc_to_text", path),
            sampling=sampling(content, path),
            repeats=repeats(content, path),
            bundled=_bundled(spec.data.bundled, path, folder or path.parent) if spec.data.bundled else None,
        )
        task = _changed(task if protocol is None else _by_protocol(task, protocol, given), changes)
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


def _protocol_of(changes: TaskOverrides, task: str, block: Mapping[str, Any]) -> TaskProtocol | None:
    if changes.protocol in (None, NO_PROTOCOL):
        return None
    return protocol_named(str(changes.protocol)).for_task(task, str(block.get("grader")))


def _by_protocol(task: Task, protocol: TaskProtocol, options: Mapping[str, Json]) -> Task:
    """Return the task as a protocol has it; what the protocol does not know stays as it is."""
    facts = protocol.facts
    system, prompt = protocol.text("system", task.system), protocol.text("prompt", task.prompt)
    documented: dict[str, Json] = {**protocol.sampling, **{f"options.{key}": options[key] for key in options}}
    if facts["repeats"].value is not None:
        documented["repeats"] = facts["repeats"].value
    if facts["system"].value is not None or facts["prompt"].value is not None:
        documented["prompt"] = prompt_hash(system, prompt)
    return replace(
        task,
        system=system,
        prompt=prompt,
        sampling=sampling_with(task.sampling, protocol.sampling),
        repeats=protocol.repeats(task.repeats),
        protocol=protocol,
        documented=documented,
    )


def _changed(task: Task, changes: TaskOverrides) -> Task:
    """Return the task with a run's changes; its options have them already."""
    language = changes.prompt_language or "en"
    kept = changes.system in (None, "keep")
    return replace(
        task,
        system=in_language(task.system, language, task.name) if kept else system_text(changes.system, ""),
        prompt=in_language(task.prompt, language, task.name),
        language=language,
        sampling=sampling_with(task.sampling, changes.sampling),
        repeats=changes.repeats or task.repeats,
    )


def prompt_hash(system: str, prompt: str) -> str:
    """Return 16 hexadecimal digits for the templates of a system text and a prompt."""
    return digest(system, prompt)[:16]


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
