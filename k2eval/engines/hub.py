"""Models on the hub: which commit is asked. The newest one moves, and a run must not mix two."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from k2eval.engines.checkpoint import is_local
from k2eval.errors import ConfigError

_COMMIT = re.compile(r"[0-9a-f]{40}")
_PATIENCE_S = 10.0


def pinned(model: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return vLLM's engine arguments with the commit of a hub model as ``revision`` of weights and tokenizer.

    Raises:
        ConfigError: If neither the hub nor the cache tells the commit.
    """
    if is_local(model):
        return dict(arguments)
    commit = commit_of(model, arguments.get("revision"))
    own = {} if arguments.get("tokenizer") else {"tokenizer_revision": commit}
    return {**own, **arguments, "revision": commit}


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
    from httpx import HTTPError
    from huggingface_hub import HfApi
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    missing = (GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError)
    try:
        commit: str | None = HfApi().model_info(repository, revision=revision, timeout=_PATIENCE_S).sha
        if commit:
            return commit
        reason = "the hub names no commit"
    except (
        HTTPError,
        OSError,
        ValueError,
    ) as error:  # errors of the hub and of the network are of these kinds
        reason = _first_line(error)
        remedy = (
            "Correct the name or the revision, or log in: `hf auth login`"
            if isinstance(error, missing)
            else ""
        )
    if commit := _cached(repository, revision):
        return commit
    raise ConfigError(
        f"Cannot find out which commit of {repository} is asked ({revision}): {reason}; and the hub's cache on this "
        f"machine does not hold it. {remedy or 'Connect to the hub'}, or give the folder of a checkpoint."
    )


def _cached(repository: str, revision: str) -> str | None:
    from huggingface_hub import try_to_load_from_cache

    with contextlib.suppress(ValueError):  # a name that no model can have
        path = try_to_load_from_cache(repository, "config.json", revision=revision)
        if isinstance(path, str):
            return Path(path).parent.name
    return None


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__).rstrip(".")[:200]
