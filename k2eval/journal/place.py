"""The place of a run directory while a run goes on: it may be moved, deleted or replaced under the program's hands."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from k2eval.errors import JournalError
from k2eval.journal.lines import Appender

_KEPT = "Everything finished before is kept"


class Place:
    """A folder, held by its descriptor, so that no other folder of its name is ever taken for it.

    Args:
        folder: The folder, which exists.

    Raises:
        OSError: If it cannot be opened.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def close(self) -> None:
        """Let the folder go."""
        os.close(self._descriptor)

    @property
    def now(self) -> Path | None:
        """The path that leads to the folder now; None if it was deleted, or if the system does not tell."""
        for path in (self.folder, _path_of(self._descriptor)):
            with contextlib.suppress(OSError):
                if path is not None and os.path.samestat(os.fstat(self._descriptor), path.stat()):
                    return path
        return None

    def check(self, files: Sequence[Appender]) -> None:
        """Make sure that the folder and its open files are in their places.

        The content of a deleted file is still at hand. It is written again, but never over another file.

        Raises:
            JournalError: If something is not in its place. The message says what is where, and how to go on.
        """
        now = self.now
        if now is None:
            raise JournalError(self._rescued(files))
        if now != self.folder:
            raise JournalError(
                f"{self.folder} was moved to {now} while the run went on. {_KEPT} there. Move it back, or give "
                f"--out {now}, and run the same command again."
            )
        for file in files:
            if not file.is_in_place:
                raise JournalError(_rescued_file(file))
            file.check_length()

    def _rescued(self, files: Sequence[Appender]) -> str:
        target = free(self.folder, ".restored")
        try:
            for file in files:
                file.restore(target / file.path.name)
        except OSError as error:
            return (
                f"{self.folder} was deleted while the run went on, and {target} cannot be written again: {error}. What "
                "was in it is lost. Give another --out."
            )
        self.close()
        self._descriptor = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        if target != self.folder:
            return (
                f"{self.folder} was deleted while the run went on, and something else is there now, which is left as "
                f"it is. Everything finished before was written to {target}. Give --out {target} and run the same "
                "command again."
            )
        return (
            f"{self.folder} was deleted while the run went on. Everything finished before was written there again. Run "
            "the same command again to go on."
        )


def _rescued_file(file: Appender) -> str:
    path, moved = file.path, file.place
    if moved is not None:
        return f"{path} was moved to {moved} while the run went on. Move it back, and run the same command again."
    target = free(path, ".kept")
    try:
        file.restore(target)
    except OSError as error:
        return f"{path} was deleted while the run went on, and cannot be written again: {error}. Give another --out."
    if target == path:
        return (
            f"{path} was deleted while the run went on. Its content was written there again. Run the same command "
            "again to go on."
        )
    return (
        f"{path} was replaced by another file while the run went on. That file is left as it is, and the run's own is "
        f"{target}. Rename the right one to {path.name}, and run the same command again."
    )


def free(path: Path, suffix: str) -> Path:
    """Return ``path``, or one beside it with a suffix, which nothing has as yet."""
    candidates = [path, *(path.with_name(f"{path.name}{suffix}{number or ''}") for number in range(100))]
    return next((one for one in candidates if not os.path.lexists(one)), candidates[-1])


def _path_of(descriptor: int) -> Path | None:
    with contextlib.suppress(OSError):
        return Path(f"/proc/self/fd/{descriptor}").readlink()
    return None
