"""The options of ``k2eval run`` as values, and the configuration that they make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from k2eval.config import RunConfig, load_config
from k2eval.tasks import task_files, task_groups

_PLAIN = (
    "model", "tasks", "protocol", "recipe", "out", "data", "limit", "seed", "workers", "speculative", "system",
    "prompt_language",
    "thinking", "reasoning_effort", "thinking_budget",
)  # fmt: skip
_LISTS = ("reuse", "lengths_from", "include_path")
_OF_FLEET = ("replicas", "cluster")


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The options of ``k2eval run``."""

    file: Path | None
    """YAML file with settings."""
    flags: Mapping[str, Any]
    """Settings by name, which take precedence over the file; None if not set."""
    sets: Sequence[str]
    """Further settings, as ``SECTION.KEY=VALUE``."""
    track: str | None
    """The tracker."""
    server: bool = False
    """Whether a server that `k2eval serve` keeps up may answer."""

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> RunOptions:
        """Return the options that the parameters of the command are.

        >>> options = RunOptions.of({"tasks": "smoke", "runs": 2, "engine": "scripted", "replicas": "2"})
        >>> options.flags["repeats"], options.sets
        (2, ('fleet.replicas=2', 'engine.kind=scripted'))
        """
        given = {name: value for name, value in parameters.items() if value is not None}
        flags = {name: given.get(name) for name in _PLAIN}
        flags |= {name: tuple(given[name]) if given.get(name) else None for name in _LISTS}
        flags["repeats"] = given.get("repeats", given.get("runs"))
        until = given.get("until")
        flags["until"] = until.strip().lstrip("±+-").strip() if until else None
        flags["reasoning"] = reasoning_setting(given.get("reasoning"))
        sets = [*given.get("set_", ())]
        sets += [f"fleet.{name}={given[name]}" for name in _OF_FLEET if name in given]
        sets += [f"engine.kind={given['engine']}"] if "engine" in given else []
        return cls(given.get("config"), flags, tuple(sets), given.get("track"), bool(given.get("server")))

    def with_flags(self, **flags: Any) -> RunOptions:
        """Return these options with other flags."""
        return replace(self, flags={**self.flags, **flags})

    def configuration(self) -> RunConfig:
        """Return the configuration.

        Raises:
            ConfigError: If a setting is missing, unknown or wrong.
        """
        return load_config(
            file=self.file, flags=self.flags, sets=self.sets, task_names=task_files, task_groups=task_groups
        )


def reasoning_setting(reasoning: str | None) -> Any:
    """Return the value of ``--reasoning``: a name, or a mapping in YAML."""
    try:
        return None if reasoning is None else yaml.safe_load(reasoning)
    except Exception:  # PyYAML raises more than its own errors; the text is then no format's name either
        return reasoning
