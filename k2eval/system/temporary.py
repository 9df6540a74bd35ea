"""Temporary folders that do not outlive their process for long, even if it is killed."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

_OURS = re.compile(r"k2eval-(?P<pid>[0-9]+)-.+")
"""Matches ``k2eval-4711-ab12``, not ``k2eval-ab12``."""


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """Give an empty folder that is removed when the block ends.

    Its name holds the number of this process. So the next start removes the folders of processes that were killed.

    >>> with temporary_folder() as folder:
    ...     folder.is_dir()
    True
    >>> folder.exists()
    False
    """
    remove_stale_folders()
    name = tempfile.mkdtemp(prefix=f"k2eval-{os.getpid()}-")
    try:
        yield Path(name)
    finally:
        shutil.rmtree(name, ignore_errors=True)


def remove_stale_folders() -> None:
    """Remove the temporary folders of this user's processes that are gone."""
    with contextlib.suppress(OSError):
        for path in Path(tempfile.gettempdir()).glob("k2eval-*"):
            parts = _OURS.fullmatch(path.name)
            if parts and _is_own_folder(path) and not Path(f"/proc/{parts['pid']}").exists():
                shutil.rmtree(path, ignore_errors=True)


def _is_own_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink() and path.stat().st_uid == os.geteuid()
