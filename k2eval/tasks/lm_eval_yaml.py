"""Read the keys of a task file that lm-eval has too, with lm-eval's own reader, and check them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from k2eval.errors import ConfigError
from k2eval.records import Sampling
from k2eval.values import fault_of_setting


@cache
def _loader() -> Any:
    """Load lm-eval's module that reads task files, without the rest of lm-eval, whose import takes a second.

    Raises:
        ConfigError: If lm-eval is not installed, or has no such module.
    """
    package = find_spec("lm_eval")
    place = Path(package.origin if package and package.origin else "lm_eval").parent / "tasks/_yaml_loader.py"
    spec = spec_from_file_location("k2eval_lm_eval_yaml_loader", place)
    if spec is None or spec.loader is None or not place.is_file():
        raise ConfigError(
            f"Expected lm-eval's reader of task files at {place}, got none. Install the pinned lm-eval: `make setup`."
        )
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read(path: Path) -> dict[str, Any]:
    """Read a task file as a mapping: includes are merged, functions stay names.

    Raises:
        ConfigError: If the file cannot be read, or holds no mapping of settings.
    """
    loader = _loader()
    try:
        content = loader.load_yaml(path, resolve_func=False)
    except Exception as error:  # lm-eval's loader raises whatever PyYAML or the file system does
        raise ConfigError(f"Cannot read the task file {path}: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected a mapping with the keys of a task, got {content!r:.100}.")
    fault = fault_of_setting(content, finite=False)
    if fault:
        raise ConfigError(f"{path}: {fault}. Correct the file.")
    return dict(content)


def text(content: Mapping[str, Any], key: str, path: Path) -> str:
    """Return the text of a key that must be there and not empty.

    Raises:
        ConfigError: If it is not.
    """
    value = content.get(key)
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{path}: {key} must be a text, got {value!r}.")
    return value


def repeats(content: Mapping[str, Any], path: Path) -> int:
    """Return the default number of repeats: ``metadata.repeats``, or else lm-eval's own ``repeats``.

    ``metadata.runs``, the name of ``metadata.repeats`` in k2eval 0.1.0, is still read.
    """
    key = "runs" if "runs" in content["metadata"] else "repeats"
    if key == "runs":
        warnings.warn(f"{path}: metadata.runs is now metadata.repeats; rename it.", stacklevel=2)
    default = _count(content.get("repeats", 1), "repeats", path)
    return _count(content["metadata"].get(key, default), f"metadata.{key}", path)


def _count(value: Any, key: str, path: Path) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigError(f"{path}: {key} must be a whole number of at least 1, got {value!r}.")
    return value


_LM_EVAL_SAMPLING = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "min_p": "min_p",
    "max_gen_toks": "max_tokens",
    "until": "stop",
}


def sampling(content: Mapping[str, Any], path: Path) -> Sampling:
    """Return the sampling that lm-eval's ``generation_kwargs`` set."""
    settings = content.get("generation_kwargs") or {}
    if not isinstance(settings, Mapping):
        raise ConfigError(f"{path}: generation_kwargs must be a mapping, got {settings!r:.200}.")
    unknown = [key for key in settings if key not in _LM_EVAL_SAMPLING and key != "do_sample"]
    if unknown:
        raise ConfigError(
            f"{path}: unknown generation_kwargs {unknown}. Known: {', '.join(_LM_EVAL_SAMPLING)}."
        )
    fields = {_LM_EVAL_SAMPLING[key]: value for key, value in settings.items() if key != "do_sample"}
    if isinstance(fields.get("stop"), str):
        fields["stop"] = [fields["stop"]]
    if settings.get("do_sample") is False:
        fields["temperature"] = 0.0  # as lm-eval does
    return Sampling.model_validate(fields)
