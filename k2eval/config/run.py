"""The configuration of one run: from flags, a YAML file and ``--set`` pairs, all with the same meaning."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from k2eval.config.fleet import FleetConfig
from k2eval.config.reading import read_yaml
from k2eval.config.speculative import parse as parse_speculative
from k2eval.errors import ConfigError, did_you_mean
from k2eval.protocols import NAMES as PROTOCOLS, NO_PROTOCOL, protocol_named
from k2eval.reasoning import format_named
from k2eval.records import SWITCHES
from k2eval.texts import fault_of_text
from k2eval.values import Count, FilePath, Integer, Number, Text, fault_of_setting

EngineKind = Literal["vllm", "endpoint", "scripted"]


class _Config(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Repeated(_Config):
    """A section with a number of repeats, which k2eval 0.1.0 called ``runs``."""

    @model_validator(mode="before")
    @classmethod
    def _read_old_name(cls, content: Any) -> Any:
        if isinstance(content, dict) and "runs" in content and "repeats" not in content:
            return {"repeats" if key == "runs" else key: value for key, value in content.items()}
        return content


class _Switched(_Repeated):
    """A section that says how much the model thinks; None leaves it to what is more general."""

    thinking: bool | None = None
    reasoning_effort: Annotated[Text, Field(min_length=1)] | None = None
    thinking_budget: Annotated[Integer, Field(ge=0)] | None = None

    @property
    def switches(self) -> dict[str, Any]:
        """The switches that are set, as fields of `Sampling`."""
        return {name: getattr(self, name) for name in SWITCHES if getattr(self, name) is not None}


class EngineConfig(_Config):
    """The kind of engine, and its own arguments."""

    kind: EngineKind | None = "vllm"
    """None if an engine object was given to the Python API: no configuration can open it again."""
    arguments: dict[str, Any] = Field(default_factory=dict)
    """Passed to the engine as they are: for vLLM any engine argument, for an endpoint its options."""


PromptLanguage = Literal["en", "zh"]
"""Languages of instructions: English and Chinese."""


def _role(role: dict[str, Any]) -> dict[str, Any]:
    """Check what every role has, whatever its engine."""
    for name in ("model", "kind"):
        value = role.get(name, "")
        if not isinstance(value, str):
            raise ValueError(f"{name}: expected a text")
        fault = fault_of_text(value)
        if fault:
            raise ValueError(f"{name}: {fault}")
    if not isinstance(role.get("sampling", {}), dict):
        raise ValueError("sampling: expected a mapping such as {temperature: 0.6}")
    return role


def _known_protocol(name: str) -> str:
    try:
        return name if name == NO_PROTOCOL else protocol_named(name).name
    except ConfigError as error:
        raise ValueError(str(error)) from error


ProtocolName = Annotated[Text, AfterValidator(_known_protocol)]
"""The name of a protocol of others, or ``none``."""


class TaskOverrides(_Switched):
    """A run's changes to one task; None means the value in the task's YAML."""

    sampling: dict[str, Any] = Field(default_factory=dict)
    system: Text | None = None
    """System text, as `RunConfig.system`; this one takes precedence."""
    prompt_language: PromptLanguage | None = None
    """Language of the instructions, as `RunConfig.prompt_language`; this one takes precedence."""
    repeats: Count | None = None
    protocol: ProtocolName | None = None
    """Protocol of the task, as `RunConfig.protocol`; this one takes precedence."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Options of the task itself, such as LiveCodeBench's ``from`` and ``until``."""


class RunConfig(_Switched):
    """One checkpoint × recipe × tasks. Everything a run directory is made from."""

    model: Text
    """A local checkpoint folder, a hub name, or the name an endpoint serves."""
    tasks: tuple[Text, ...] = Field(min_length=1)
    protocol: ProtocolName | None = None
    """A protocol of others (`k2eval.protocols`), whose settings are the defaults; explicit ones take precedence."""
    recipe: Text = "plain"
    """The recipe; if it is not given, that of the protocol."""
    repeats: Count | None = None
    """Independent repeats of every question; None takes each task's own default."""
    until: Annotated[Number, Field(gt=0, le=50)] | None = None
    """Half the width, in points, of the interval that each task's score shall have on its questions.

    Repeats then go where they narrow it most, and ``repeats`` is the most that one question gets (256 if None).
    """
    seed: Integer = Field(0, gt=-(2**63), lt=2**63)
    out: FilePath
    data: FilePath | None = None
    include_path: tuple[FilePath, ...] = ()
    """Folders with task files of the user's own, besides those of ``K2EVAL_TASKS``; they win over k2eval's own."""
    limit: Count | None = None
    """At most this many questions of each task, the first ones."""
    system: Text | None = None
    """System text of all tasks: ``keep`` for each task's own, ``none`` for no system turn, or the text itself."""
    prompt_language: PromptLanguage = "en"
    """Language of the instructions that tasks put around their questions; the questions stay as they are."""
    sampling: dict[str, Any] = Field(default_factory=dict)
    """Sampling changes for all tasks."""
    overrides: dict[str, TaskOverrides] = Field(default_factory=dict)
    """Changes per task."""
    engine: EngineConfig = EngineConfig()
    fleet: FleetConfig = FleetConfig()
    """Number and place of the replicas of the engine; no part of the run's identity."""
    roles: dict[Text, Annotated[dict[str, Any], AfterValidator(_role)]] = Field(default_factory=dict)
    """Other engines and sampling for ``planner``, ``judge`` or ``answer_judge``; the solver if absent.

    Each is a mapping of ``model``, ``kind`` and engine arguments, and of ``sampling``, ``thinking``,
    ``reasoning_effort`` and ``thinking_budget``, changes to how the role draws. Naming ``answer_judge``, with an
    empty mapping too, is what switches it on.
    """
    reuse: tuple[FilePath, ...] = ()
    """Run directories whose generations are taken over if this run would ask for the very same ones."""
    lengths_from: tuple[FilePath, ...] = ()
    """Run directories that tell which questions take long. They decide about the order of samples, and nothing else."""
    reasoning: str | dict[str, str] = "auto"
    """The marks of the checkpoint's reasoning: a name that `k2eval.reasoning` knows, or ``start`` and ``end``."""
    speculative: dict[str, Any] | None = None
    """vLLM's ``speculative_config``; a short form such as ``ngram,tokens=4`` is turned into one."""
    workers: Annotated[Count, Field(le=4096)] | None = None
    """Grading processes; None leaves it to k2eval. On a cluster, those beyond this host's cores are on other nodes."""

    def overrides_of(self, task: str) -> TaskOverrides:
        """Return what the run changes about one task, changes for all tasks included."""
        own = self.overrides.get(task, TaskOverrides())
        sampling = {**self.sampling, **self.switches, **own.sampling, **own.switches}
        system = self.system if own.system is None else own.system
        language = own.prompt_language or self.prompt_language
        protocol = self.protocol if own.protocol is None else own.protocol
        changes = {"sampling": sampling, "system": system, "prompt_language": language, "protocol": protocol}
        return own.model_copy(update=changes)

    def role_sampling(self, role: str) -> dict[str, Any]:
        """Return what the run changes about the sampling of a role other than the solver."""
        settings = self.roles.get(role, {})
        return {**settings.get("sampling", {}), **{key: settings[key] for key in SWITCHES if key in settings}}

    @model_validator(mode="before")
    @classmethod
    def _take_recipe_of_protocol(cls, content: Any) -> Any:
        if not isinstance(content, dict) or not isinstance(content.get("protocol"), str):
            return content
        if content["protocol"] == NO_PROTOCOL:
            return {**content, "protocol": None}
        if content["protocol"] not in PROTOCOLS or content.get("recipe") is not None:
            return content
        recipe = protocol_named(content["protocol"]).recipe.value
        return content if recipe is None else {**content, "recipe": recipe}

    @field_validator("include_path", mode="before")
    @classmethod
    def _read_one_folder(cls, value: Any) -> Any:
        return (value,) if isinstance(value, (str, Path)) else value

    @field_validator("reasoning", mode="before")
    @classmethod
    def _check_reasoning(cls, value: Any) -> Any:
        try:
            format_named(value)
        except ConfigError as error:
            raise ValueError(str(error)) from error
        return value


TaskNames = Iterable[str] | Callable[[Sequence[Path]], Iterable[str]]
"""Names of tasks, or a function from folders with the user's own tasks to names."""


TaskGroups = Callable[[Sequence[Path]], Mapping[str, tuple[str, ...]]]
"""A function from folders with the user's own tasks to groups of tasks, by name."""


def load_config(
    *,
    file: Path | None,
    flags: Mapping[str, Any],
    sets: Iterable[str] = (),
    task_names: TaskNames = (),
    task_groups: TaskGroups | None = None,
) -> RunConfig:
    """Merge a YAML file, command line flags and ``--set a.b=value`` pairs; later ones take precedence.

    Args:
        file: YAML with the fields of `RunConfig`; ``engine`` may be given flat (``kind`` beside
            its arguments), and a top-level key that is a task's name holds that task's overrides.
        flags: Fields given as flags; None means not given.
        sets: ``section.key=value`` with a YAML value, where section is ``engine``, ``fleet``, ``sampling``,
            ``roles``, ``speculative`` or a task's name.
        task_names: Names that may be overridden. A function, such as `k2eval.tasks.task.task_files`, is
            called with ``include_path``, so that the user's own tasks may be overridden too.
        task_groups: Groups, whose names stand for all of their tasks, as `k2eval.tasks.task_groups` gives them.

    Raises:
        ConfigError: If a key is unknown or a value has the wrong type.
    """
    merged = read_yaml(file) if file else {}
    for key, value in flags.items():
        if value is not None:
            merged[key] = value
    if isinstance(merged.get("speculative"), str):
        merged["speculative"] = parse_speculative(merged["speculative"])
    for pair in sets:
        _apply_set(merged, pair)
    for key, value in merged.items():
        fault = fault_of_setting(value)
        if fault:
            raise ConfigError(f"{str(key)[:100]!r}: {fault}. Correct it.")
    _rename(merged, "")
    if isinstance(merged.get("tasks"), str):
        merged["tasks"] = tuple(name.strip() for name in merged["tasks"].split(",") if name.strip())
    if task_groups is not None and isinstance(merged.get("tasks"), (list, tuple)):
        groups = task_groups(_folders(merged))
        merged["tasks"] = tuple(
            member
            for name in merged["tasks"]
            for member in (groups.get(name, (name,)) if isinstance(name, str) else (name,))
        )
    return _build(merged, list(task_names(_folders(merged)) if callable(task_names) else task_names))


def _folders(merged: Mapping[str, Any]) -> Sequence[Path]:
    value = merged.get("include_path") or ()
    values = (value,) if isinstance(value, (str, Path)) else value
    if not isinstance(values, Sequence) or not all(isinstance(entry, (str, Path)) for entry in values):
        raise ConfigError(f"include_path: expected folders with task files, got {value!r:.200}.")
    return [Path(entry) for entry in values]


def _apply_set(merged: dict[str, Any], pair: str) -> None:
    path, separator, raw = pair.partition("=")
    keys = path.strip().split(".")
    if not separator or len(keys) < 2 or not all(keys):
        raise ConfigError(
            f"--set expects section.key=value, such as engine.max_model_len=8192; got {pair!r}."
        )
    try:
        text = raw.strip()
        # YAML has no plain text that begins with @.
        value = text if text[:1] in ("", "@") else yaml.safe_load(raw)
    except Exception as error:  # see read_yaml
        raise ConfigError(f"--set {path}: the value {raw[:200]!r} is not valid YAML: {error}") from error
    target = merged
    for depth, key in enumerate(keys[:-1]):
        target = target.setdefault(key, {})
        if not isinstance(target, dict):
            raise ConfigError(f"--set {path}: {'.'.join(keys[: depth + 1])} is {target!r}, not a section.")
    target[keys[-1]] = value


def _build(merged: dict[str, Any], known_tasks: list[str]) -> RunConfig:
    fields = dict(merged)
    if isinstance(fields.get("engine"), Mapping):
        fields["engine"] = _engine_section(dict(fields["engine"]))
    overrides = dict(_mapping("overrides", fields.pop("overrides", None)))
    for key in [key for key in fields if key not in RunConfig.model_fields]:
        if key not in known_tasks:
            raise ConfigError(
                f"Unknown setting {key!r}. {did_you_mean(str(key), [*RunConfig.model_fields, *known_tasks])}"
            )
        overrides[key] = _task_section(key, fields.pop(key))
    for key in overrides:
        if key not in known_tasks:
            raise ConfigError(f"overrides: unknown task {key!r}. {did_you_mean(str(key), known_tasks)}")
    fields["overrides"] = overrides
    missing = [key for key in ("model", "tasks", "out") if fields.get(key) in (None, (), "")]
    if missing:
        raise ConfigError(
            f"Expected {', '.join('--' + key for key in missing)}, on the command line or in the configuration file. "
            "`k2eval run --help` explains them."
        )
    try:
        return RunConfig.model_validate(fields)
    except ValidationError as error:
        raise ConfigError(explain(error, "The configuration is not valid")) from error


def _engine_section(section: dict[str, Any]) -> dict[str, Any]:
    arguments = dict(_mapping("engine.arguments", section.pop("arguments", None)))
    kind = section.pop("kind", "vllm")
    return {"kind": kind, "arguments": {**arguments, **section}}


def _task_section(name: str, section: Any) -> Any:
    if not isinstance(section, Mapping):
        raise ConfigError(
            f"{name}: expected a mapping such as {{sampling: {{temperature: 0.6}}}}, got {section!r}."
        )
    section = dict(section)
    _rename(section, f"{name}.")
    known = {key: value for key, value in section.items() if key in TaskOverrides.model_fields}
    options = {key: value for key, value in section.items() if key not in TaskOverrides.model_fields}
    known["options"] = {**_mapping(f"{name}.options", known.get("options")), **options}
    return known


def _rename(section: dict[str, Any], prefix: str) -> None:
    """Rename ``runs``, the name of ``repeats`` in k2eval 0.1.0, and tell the user."""
    if "runs" in section:
        warnings.warn(f"{prefix}runs is now called {prefix}repeats; the old name still works.", stacklevel=2)
        section.setdefault("repeats", section.pop("runs"))


def _mapping(name: str, value: Any) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ConfigError(f"{name}: expected a mapping of settings, got {value!r:.200}.")
    return value


def explain(error: ValidationError, heading: str, known: Sequence[str] = ()) -> str:
    """Explain a pydantic error in lines that name the field, the expected value and the value that was got.

    A list that is too short only for items that are wrong themselves is not told of.

    Args:
        error: The error.
        heading: The line above.
        known: Names of fields, one of which an unknown name may have meant.
    """
    lines = []
    problems = error.errors(include_url=False)
    places = [problem["loc"] for problem in problems]
    for problem in problems:
        inner = any(place[: len(problem["loc"])] == problem["loc"] != place for place in places)
        if problem["type"] == "too_short" and inner:
            continue
        where = ".".join(str(part) for part in problem["loc"]) or "value"
        if problem["type"] == "extra_forbidden":
            meant = f". {did_you_mean(str(problem['loc'][-1]), list(known))}" if known else ""
            lines.append(f"  {where}: there is no such setting here, got {problem['input']!r:.200}{meant}")
            continue
        got = "" if problem["type"] == "missing" else f", got {problem['input']!r:.200}"
        lines.append(f"  {where}: {problem['msg']}{got}")
    return f"{heading}:\n" + "\n".join(lines)
