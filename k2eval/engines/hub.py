"""Models, tokenizers and drafts on the hub: which commit is asked. The newest one moves, and a run must not mix two."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from k2eval.config import RunConfig, parse
from k2eval.engines.checkpoint import hub_fingerprint, is_local
from k2eval.errors import ConfigError
from k2eval.records import digest

_COMMIT = re.compile(r"[0-9a-f]{40}")
_PATIENCE_S = 10.0


def pinned(model: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return vLLM's engine arguments with the commits of what lies on the hub: weights and tokenizer.

    Raises:
        ConfigError: If neither the hub nor the cache tells a commit.
    """
    if is_local(model):
        return pinned_tokenizer(arguments)
    commit = commit_of(model, arguments.get("revision"))
    own = arguments.get("tokenizer_revision")
    tokenizer = {} if arguments.get("tokenizer") else {"tokenizer_revision": commit_of(model, own or commit)}
    return {**pinned_tokenizer(arguments), "revision": commit, **tokenizer}


def pinned_tokenizer(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return engine arguments with the commit of a tokenizer that was set and lies on the hub.

    Raises:
        ConfigError: If neither the hub nor the cache tells the commit.
    """
    name = arguments.get("tokenizer")
    if not isinstance(name, str) or not is_on_hub(name):
        return dict(arguments)
    return {**arguments, "tokenizer_revision": commit_of(name, arguments.get("tokenizer_revision"))}


def pinned_draft(speculative: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return vLLM's ``speculative_config`` with the commit of a draft model or a head on the hub.

    Raises:
        ConfigError: If neither the hub nor the cache tells the commit.
    """
    name = speculative.get("model") if speculative else None
    if not speculative or not isinstance(name, str) or "/" not in name or not is_on_hub(name):
        return dict(speculative) if speculative else None
    return {**speculative, "revision": commit_of(name, speculative.get("revision"))}


def pinned_config(config: RunConfig) -> RunConfig:
    """Return a configuration with the commits of tokenizers and draft models on the hub, as a run records it.

    The commit of the model itself is part of its fingerprint, so nothing needs to be added for it.

    Raises:
        ConfigError: If neither the hub nor the cache tells a commit.
    """
    engine = config.engine.model_copy(update={"arguments": pinned_tokenizer(config.engine.arguments)})
    roles = {}
    for name, settings in config.roles.items():
        draft = pinned_draft(parse(settings.get("speculative")))
        roles[name] = pinned_tokenizer(settings) | ({"speculative": draft} if draft else {})
    speculative = pinned_draft(config.speculative)
    return config.model_copy(update={"engine": engine, "roles": roles, "speculative": speculative})


def with_tokenizer(fingerprint: str, arguments: Mapping[str, Any]) -> str:
    """Return the fingerprint of a checkpoint with a tokenizer on the hub of its own; without one, its own."""
    name = arguments.get("tokenizer")
    if not isinstance(name, str) or not is_on_hub(name):
        return fingerprint
    return _joined(fingerprint, arguments)


def hub_fingerprints(model: str, commit: str, arguments: Mapping[str, Any]) -> frozenset[str]:
    """Return the fingerprints that a hub model at a commit can have with these engine arguments, on any machine.

    A tokenizer may have been a folder where the run was made.
    """
    alone = hub_fingerprint(model, commit)
    return frozenset((alone, _joined(alone, arguments)))


def _joined(fingerprint: str, arguments: Mapping[str, Any]) -> str:
    return digest(fingerprint, "tokenizer", arguments.get("tokenizer"), arguments.get("tokenizer_revision"))


def is_on_hub(name: str) -> bool:
    """Return whether a name is none of a folder here, but can be one on the hub.

    >>> is_on_hub("owner/name"), is_on_hub("./name"), is_on_hub("a/folder/somewhere")
    (True, False, False)
    """
    if name.startswith((".", "/", "~")) or name.count("/") > 1:
        return False
    try:
        return not Path(name).exists()
    except (OSError, ValueError):
        return False


def commit_of(model: str, revision: str | None = None) -> str:
    """Return the commit that a revision of a hub model is: by the hub, or if that is out of reach by the cache.

    Args:
        model: A name on the hub.
        revision: Commit, tag or branch; the newest if None.

    Raises:
        ConfigError: If neither the hub nor the cache tells.
    """
    name = revision or "main"
    return name if _COMMIT.fullmatch(name) else looked_up(model.partition(":")[0], name)


@lru_cache(maxsize=64)  # one answer for all parts of a run, even if the hub moves meanwhile
def looked_up(repository: str, revision: str) -> str:
    """Return the commit of a branch or tag; see `commit_of`."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import (  # HTTPError is that of the client that this version of the hub uses
        GatedRepoError,
        HTTPError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    missing = (GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError)
    remedy = "Connect to the hub"
    try:
        commit: str | None = HfApi().model_info(repository, revision=revision, timeout=_PATIENCE_S).sha
        if commit:
            return commit
        reason = "the hub names no commit"
    except (HTTPError, OSError, ValueError) as error:
        reason = _first_line(error)
        if isinstance(error, missing):
            remedy = "Correct the name or the revision, or log in: `hf auth login`"
    if commit := _cached(repository, revision):
        return commit
    raise ConfigError(
        f"Cannot find out which commit of {repository} is asked ({revision}): {reason}; and the hub's cache on this "
        f"machine does not hold it. {remedy}, or give the folder of a checkpoint."
    )


def _cached(repository: str, revision: str) -> str | None:
    from huggingface_hub import try_to_load_from_cache

    with contextlib.suppress(ValueError):  # a name that no model can have
        for name in ("config.json", "tokenizer_config.json", "tokenizer.json"):
            path = try_to_load_from_cache(repository, name, revision=revision)
            if isinstance(path, str):
                return Path(path).parent.name
    return None


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__).rstrip(".")[:200]
