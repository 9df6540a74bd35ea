"""Logs of replicas on nodes that do not see the run directory: kept there while they live, then brought here."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from k2eval.system import open_file, temporary_prefix

_LAST_BYTES = 64 << 10
"""The end of a log that is brought to the driver; it has vLLM's reason for a failure."""


def log_here(log: str, name: str) -> Path | None:
    """Return the file for an engine's output on this node, made so that only this user can read it.

    Args:
        log: The file in the run directory; empty for none.
        name: A name that only the replica and its driver know, for a file of this node if it has no such folder.
    """
    if not log:
        return None
    path = Path(log)
    if path.parent.is_dir() and os.access(path.parent, os.W_OK):
        return path
    descriptor, own = tempfile.mkstemp(prefix=temporary_prefix(), suffix=f"-{name}.log")
    os.close(descriptor)
    return Path(own)


def take_last(name: str) -> str:
    """Remove the file of this node with this name, and return the end of its text; empty if there is none."""
    for path in Path(tempfile.gettempdir()).glob(f"k2eval-*-{name}.log"):
        # Others may write into the folder too, and see the name there.
        with contextlib.suppress(OSError), open_file(path, os.O_RDONLY | os.O_NOFOLLOW) as file:
            if os.fstat(file.fileno()).st_uid != os.geteuid():
                continue
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _LAST_BYTES))
            text = file.read().decode(errors="replace")
            path.unlink()
            return text
    return ""
