"""The ways in which a cluster of the run's own is closed to all other users of the host."""

from __future__ import annotations

import contextlib
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from k2eval.system import temporary_folder

_LONGEST = 36
"""Characters of the temporary folder in which the names of Ray's sockets stay below the 107 that are allowed."""


def safe_variables() -> Mapping[str, str]:
    """Return the variables by which Ray asks for a token, and listens on loopback only."""
    return {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_USAGE_STATS_ENABLED": "0",
        # On Linux Ray takes the host's address even if it is told 127.0.0.1. This says that there is no other node.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    }


def bind_to_loopback() -> None:
    """Tell a Ray that was imported before its variables were set."""
    from ray._private import ray_constants

    if hasattr(ray_constants, "ENABLE_RAY_CLUSTER"):
        ray_constants.ENABLE_RAY_CLUSTER = False


@contextlib.contextmanager
def private_folder() -> Iterator[Path]:
    """Give a folder that only this user can open. Ray opens its own folder below it to all."""
    before = tempfile.tempdir
    if len(tempfile.gettempdir()) > _LONGEST - len("/k2eval-4194304-abcdefgh"):
        tempfile.tempdir = "/tmp"
    try:
        with temporary_folder() as folder:
            tempfile.tempdir = before
            yield folder
    finally:
        tempfile.tempdir = before
