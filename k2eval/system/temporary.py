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

from k2eval.system.endings import at_end

_OURS = re.compile(r"k2eval-(?P<pid>[0-9]+)(?:\.(?P<space>[0-9]+))?-.+")
"""Matches ``k2eval-4711.4026531836-ab12`` and ``k2eval-4711-ab12``, not ``k2eval-ab12``."""
_KEPT_S = 86_400.0
"""Seconds that the log of a process stays after its end, since an error message may name it."""

_WRITTEN_S = 3.0
"""Longest time for which others may still write into a folder that is removed."""
_PAUSE_S = 0.05


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """Give an empty folder that is removed when the block ends.

    Its name holds the number of this process and that of its PID namespace. So the next start removes the folders of
    processes that were killed, and leaves those of a container alone that shares the folder.

    >>> with temporary_folder() as folder:
    ...     folder.is_dir()
    True
    >>> folder.exists()
    False
    """
    remove_leftovers()
    name = tempfile.mkdtemp(prefix=temporary_prefix())
    with at_end(lambda: _remove_tree(Path(name))):
        try:
            yield Path(name)
        finally:
            _remove_tree(Path(name))


def _remove_tree(folder: Path) -> None:
    """Remove a folder, although processes that are about to end may still write into it."""
    until = time.monotonic() + _WRITTEN_S
    shutil.rmtree(folder, ignore_errors=True)
    while folder.exists() and time.monotonic() < until:
        time.sleep(_PAUSE_S)
        shutil.rmtree(folder, ignore_errors=True)


def remove_leftovers() -> None:
    """Remove the temporary folders of this user's processes that are gone, and their files; logs after a day."""
    with contextlib.suppress(OSError):
        for path in Path(tempfile.gettempdir()).glob("k2eval-*"):
            parts = _OURS.fullmatch(path.name)
            if parts is None:
                continue
            if parts["space"] not in (None, _namespace()):  # its processes cannot be seen from here
                gone = time.time() - path.lstat().st_mtime > _KEPT_S
            else:
                gone = not Path(f"/proc/{parts['pid']}").exists()
            if gone:
                _remove(path)


def temporary_prefix() -> str:
    """Return the start of the name of this process's temporary files."""
    return f"k2eval-{os.getpid()}.{_namespace()}-"


def _namespace() -> str:
    """Return the number of the PID namespace in which this process's number is valid."""
    return str(Path("/proc/self/ns/pid").stat().st_ino)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):  # another start may be removing it too
        status = path.lstat()
        if status.st_uid != os.geteuid():
            return
        if stat.S_ISDIR(status.st_mode):
            shutil.rmtree(path, ignore_errors=True)
        elif path.suffix != ".log" or time.time() - status.st_mtime > _KEPT_S:
            path.unlink(missing_ok=True)
