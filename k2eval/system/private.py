"""Folders that only this user can read."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path


def private_folder(name: str, *, runtime: bool = False) -> Path:
    """Return a folder of k2eval's below the user's cache folder, made if it is missing: mode 0700, this user's own.

    Args:
        name: The folder's name.
        runtime: Whether it lies below ``XDG_RUNTIME_DIR`` if that is this user's, since its content ends with the host.

    Raises:
        OSError: If it cannot be made, or is no folder of this user's own.
    """
    base = os.environ.get("XDG_RUNTIME_DIR", "") if runtime else ""
    if not base or not _is_own(Path(base)):
        base = os.environ.get("XDG_CACHE_HOME", "") or str(Path.home() / ".cache")
    folder = Path(base) / "k2eval" / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    if not _is_own(folder):
        raise PermissionError(
            f"{folder} must be readable to this user alone, and is no folder of this user's own. Remove it, or set "
            "XDG_CACHE_HOME to another place"
        )
    folder.chmod(0o700)
    return folder


def _is_own(folder: Path) -> bool:
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
