"""Short forms of speculative decoding, which become vLLM's ``speculative_config``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from k2eval.errors import ConfigError, did_you_mean

FORMS = (
    "draft=PATH,tokens=3 (a small model with the same tokenizer), ngram or ngram,tokens=4 (looks the next words up "
    "in the text so far), suffix, eagle=PATH, eagle3=PATH, mtp, or off"
)
_METHODS = {
    "draft": "draft_model", "draft_model": "draft_model", "ngram": "ngram", "suffix": "suffix", "eagle": "eagle",
    "eagle3": "eagle3", "mtp": "mtp", "medusa": "medusa", "mlp_speculator": "mlp_speculator", "dflash": "dflash",
}  # fmt: skip
METHODS_WITH_PATH = ("draft_model", "eagle", "eagle3", "medusa", "mlp_speculator", "dflash")
_TOKENS = {"draft_model": 3, "ngram": 4, "eagle": 3, "eagle3": 3, "mtp": 1}
"""Drafted tokens per step if the user names none; vLLM asks for a number, or reads the head's."""
SHORT_NAMES = {
    "tokens": "num_speculative_tokens", "max": "prompt_lookup_max", "min": "prompt_lookup_min",
    "sample": "draft_sample_method",
}  # fmt: skip
OFF = ("off", "none", "no")
WHEN = "when"
"""The setting of ours; vLLM does not know it."""
ALWAYS, AUTO = "always", "auto"
_MOST = 64
"""Tokens that a schedule asks for at most."""
Schedule = list[list[int]]
"""``[first, last, tokens]`` for each range of running requests."""


def schedule_in(content: object) -> Schedule | None:
    """Return a schedule as it is written; None for anything else. Ranges follow each other from 1 on.

    >>> schedule_in([[1, 64, 3], [65, 1024, 0]])
    [[1, 64, 3], [65, 1024, 0]]
    >>> schedule_in([[1, 64, 3], [66, 1024, 0]]) is None
    True
    """
    if not isinstance(content, (list, tuple)) or not content:
        return None
    after = 0
    for entry in content:
        if not isinstance(entry, (list, tuple)) or [type(number) for number in entry] != [int] * 3:
            return None
        first, last, tokens = entry
        if first != after + 1 or last < first or not 0 <= tokens <= _MOST:
            return None
        after = last
    return [list(entry) for entry in content]


def is_scheduled(speculative: Mapping[str, Any] | None) -> bool:
    """Return whether speculation is to follow the load.

    Raises:
        ConfigError: If ``when`` is neither ``auto`` nor ``always`` nor a schedule.
    """
    when = (speculative or {}).get(WHEN, ALWAYS)
    if when in (ALWAYS, AUTO):
        return bool(when == AUTO)
    if schedule_in(when) is None:
        raise ConfigError(
            f"speculative.{WHEN}: expected {AUTO}, {ALWAYS} or a schedule such as [[1, 64, 3], [65, 1024, 0]], got "
            f"{when!r:.100}. That schedule drafts 3 tokens while 1 to 64 requests run, and none while 65 or more run. "
            f"Give whole numbers, begin at 1, begin each range behind the one before, and draft {_MOST} tokens at most."
        )
    return True


def parse(setting: str | Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the ``speculative_config`` for vLLM from a short form or a mapping; None without speculation.

    >>> parse("ngram,tokens=2")
    {'method': 'ngram', 'num_speculative_tokens': 2}
    >>> parse("draft=models/nano/draft,tokens=3")
    {'method': 'draft_model', 'model': 'models/nano/draft', 'num_speculative_tokens': 3}
    >>> parse("off") is None
    True
    >>> parse("ngram,when=[[1,64,3],[65,1024,0]]")["when"]
    [[1, 64, 3], [65, 1024, 0]]

    Args:
        setting: ``METHOD[=PATH][,KEY=VALUE …]``, where KEY is ``tokens``, ``max``, ``min``, ``sample``, ``when`` or
            any of vLLM's own; or a mapping in vLLM's words. A value in brackets may hold commas.

    Raises:
        ConfigError: If the form cannot be understood.
    """
    if setting is None or (isinstance(setting, str) and setting.strip().lower() in (*OFF, "")):
        return None
    if isinstance(setting, Mapping):
        return {str(key): value for key, value in setting.items()} or None
    if not isinstance(setting, str):
        raise ConfigError(
            f"speculative: expected a text or a mapping, got {setting!r:.100}. Expected {FORMS}."
        )
    head, _, words = setting.strip().partition(",")
    head, rest = head.strip(), _parts(words) if words else []
    name, _, path = head.partition("=")
    if name not in _METHODS:
        raise ConfigError(
            f"--speculative {setting}: unknown method {name!r}. {did_you_mean(name, list(_METHODS))} Expected {FORMS}."
        )
    method = _METHODS[name]
    config: dict[str, Any] = {"method": method}
    if method in METHODS_WITH_PATH and not path:
        raise ConfigError(f"--speculative {setting}: {name} needs a checkpoint: {name}=PATH.")
    if path and method not in (*METHODS_WITH_PATH, "mtp"):
        raise ConfigError(
            f"--speculative {setting}: {name} takes no path. Expected {name} or {name},tokens=4."
        )
    if path:
        config["model"] = path
    if method in _TOKENS:
        config["num_speculative_tokens"] = _TOKENS[method]
    for part in rest:
        key, separator, value = part.partition("=")
        if not separator or not key or not value:
            raise ConfigError(f"--speculative {setting}: expected KEY=VALUE after the method, got {part!r}.")
        try:
            config[SHORT_NAMES.get(key, key)] = yaml.safe_load(value)
        except Exception as error:  # PyYAML raises more than its own errors
            words = " ".join(str(error).split())
            raise ConfigError(
                f"--speculative {setting}: expected a value in YAML after {key}=, got {value!r:.100} ({words:.200})."
            ) from error
    try:
        is_scheduled(config)
    except ConfigError as error:
        raise ConfigError(f"--speculative {setting}: {error}") from error
    return config


def _parts(words: str) -> list[str]:
    """Split at commas, but not at those within brackets.

    >>> _parts("tokens=3,when=[[1, 64, 3], [65, 1024, 0]]")
    ['tokens=3', 'when=[[1, 64, 3], [65, 1024, 0]]']
    """
    parts, depth = [""], 0
    for letter in words:
        depth += (letter in "[{") - (letter in "]}")
        if letter == "," and depth <= 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]
