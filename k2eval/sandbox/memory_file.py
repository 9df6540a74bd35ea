"""Anonymous files in memory, which nobody can reach without their descriptor."""

from __future__ import annotations

import os

from k2eval.errors import SandboxUnavailable

REMEDY = (
    "A filter of system calls refuses it: in Docker run with `--security-opt seccomp=unconfined`; elsewhere allow "
    "memfd_create for this service."
)


def memory_file(name: str) -> int:
    """Return the descriptor of a new, empty file called ``name``.

    Raises:
        SandboxUnavailable: If the kernel refuses it.
    """
    try:
        return os.memfd_create(name)
    except OSError as error:
        raise SandboxUnavailable(
            f"Expected memfd_create to be possible, got {error.strerror}. Nothing was run. {REMEDY}"
        ) from error
