"""Protocols by name, read from the files of this folder."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml
from pydantic import ValidationError

from k2eval.errors import ConfigError, did_you_mean
from k2eval.protocols.protocol import Protocol

NAMES = ("k2-think", "matharena", "kimi", "eval360", "aa", "simple-evals")
"""The protocols, in the order of tables."""
NO_PROTOCOL = "none"
"""The name for k2eval's own settings, where a protocol for all tasks would hold."""


@cache
def protocol_named(name: str) -> Protocol:
    """Return the protocol of this name.

    >>> protocol_named("matharena").for_task("hmmt25", "math").facts["repeats"].value
    4

    Raises:
        ConfigError: If there is none.
    """
    if name not in NAMES:
        raise ConfigError(
            f"Unknown protocol {name!r:.100}. {did_you_mean(name, list(NAMES))} `k2eval protocols` shows them."
        )
    path = Path(__file__).with_name(f"{name}.yaml")
    try:
        return Protocol.model_validate(yaml.safe_load(path.read_text("utf-8")))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise ConfigError(f"{path} is no protocol: {error}. Install k2eval again.") from error
