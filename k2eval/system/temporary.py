"""Temporary folders and files that do not outlive their process for long, even if it is killed."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

_OURS = re.compile(r"k2eval-(?P<pid>[0-9]+)-.+")
"""Matches ``k2eval-4711-ab12``, not ``k2eval-ab12``."""
_KEPT_S = 86_400.0
"""Seconds that the log of a process stays after its end, since an error message may name it."""


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
    remove_leftovers()
    name = tempfile.mkdtemp(prefix=f"k2eval-{os.getpid()}-")
    try:
        yield Path(name)
    finally:
        shutil.rmtree(name, ignore_errors=True)


def remove_leftovers() -> None:
    """Remove the temporary folders of this user's processes that are gone, and their files; logs after a day."""
    with contextlib.suppress(OSError):
        for path in Path(tempfile.gettempdir()).glob("k2eval-*"):
            parts = _OURS.fullmatch(path.name)
            if parts and not Path(f"/proc/{parts['pid']}").exists():
                _remove(path)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):  # another start may be removing it too
        status = path.lstat()
        if status.st_uid != os.geteuid():
            return
        if stat.S_ISDIR(status.st_mode):
            shutil.rmtree(path, ignore_errors=True)
        elif path.suffix != ".log" or time.time() - status.st_mtime > _KEPT_S:
            path.unlink(missing_ok=True)
