"""All of a checkpoint but the values of its weights, to tell whether a running engine can take those of another."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from k2eval.engines.checkpoint import is_local
from k2eval.engines.weights import Tensor, WeightsFault, read_tensors
from k2eval.records import Json

_CONFIGS = ("config.json", "generation_config.json")
_NAMES = ("_name_or_path", "name_or_path", "transformers_version")
"""Fields of these files that change nothing."""
_SUFFIXES = (".jinja", ".model", ".tiktoken", ".py")
_WORDS = (
    "token",
    "vocab",
    "merges",
    "processor",
    "template",
    "special",
    "quant",
    "params",
    "tekken",
    "config",
)
"""Parts of the names of files that an engine or a tokenizer reads beside the weights."""
_PLACES = ("tokenizer", "hf_config_path")
"""Engine arguments that may name further folders."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """All of a checkpoint but the values of its weights."""

    configs: Mapping[str, Mapping[str, Json]]
    """The content of config.json and generation_config.json, without names and versions."""
    files: Mapping[str, str]
    """Digests of all other files that an engine reads: tokenizer, chat template, own code."""
    tensors: Mapping[str, Tensor]


def read_architecture(model: str, arguments: Mapping[str, Any]) -> Architecture | str:
    """Return the architecture of a checkpoint folder, or in words why it cannot be known.

    Args:
        model: A folder, or a name on the hub.
        arguments: The engine's arguments, which may name a tokenizer of its own.
    """
    if not is_local(model):
        return f"{model} lies on the hub"
    folder = Path(model)
    others = [Path(str(arguments[name])) for name in _PLACES if arguments.get(name)]
    try:
        return Architecture(
            configs={name: _config(folder / name) for name in _CONFIGS},
            files=_digests(place for place in (folder, *others) if place.is_dir()),
            tensors=read_tensors(folder),
        )
    except WeightsFault as fault:
        return f"{model}: {fault}"
    except (OSError, ValueError, RecursionError) as error:
        return f"{model} cannot be read: {error}"


def difference(running: Architecture | str, new: Architecture | str) -> str | None:
    """Return in words in what two checkpoints differ besides the values of their weights; None if in nothing.

    >>> tiny = Architecture({"config.json": {"num_layers": 2}}, {}, {})
    >>> difference(tiny, Architecture({"config.json": {"num_layers": 3}}, {}, {}))
    'another config.json (num_layers)'
    """
    if isinstance(running, str) or isinstance(new, str):
        return running if isinstance(running, str) else str(new)
    for name in running.configs:
        keys = _differing(running.configs[name], new.configs[name])
        if keys:
            return f"another {name} ({_some(keys)})"
    if names := _differing(running.files, new.files):
        return f"other files: {_some(names)}"
    if names := _differing(running.tensors, new.tensors):
        return f"other tensors: {_some(names)}"
    if new.configs["config.json"].get("quantization_config") or new.configs["config.json"].get(
        "compression_config"
    ):
        return "the weights are quantised"
    return None


def _differing(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    missing = object()
    return sorted(name for name in {*first, *second} if first.get(name, missing) != second.get(name, missing))


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _config(path: Path) -> dict[str, Json]:
    if not path.is_file():
        return {}
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"{path.name} is no JSON object")
    return _without_names(content)


def _without_names(content: dict[str, Json]) -> dict[str, Json]:
    return {
        key: _without_names(value) if isinstance(value, dict) else value
        for key, value in content.items()
        if key not in _NAMES
    }


def _digests(folders: Iterable[Path]) -> dict[str, str]:
    return {
        path.name if number == 0 else f"{path.parent.name}/{path.name}": _digest(path)
        for number, folder in enumerate(folders)
        for path in sorted(folder.iterdir())
        if path.is_file() and _is_read(path)
    }


def _is_read(path: Path) -> bool:
    name = path.name.lower()
    if name in _CONFIGS:
        return False
    return path.suffix in _SUFFIXES or (
        path.suffix in (".json", ".txt") and any(word in name for word in _WORDS)
    )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
