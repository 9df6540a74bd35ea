"""The run directory: ``run.json``, ``generations.jsonl`` and ``verdicts.jsonl``. They hold the whole state of a run.

Lines are appended as work finishes and never changed. A line cut off at the end of a file, as a crash leaves
it, is removed with a warning; a bad line elsewhere is an error. Of several verdicts on one sample the last
counts, and of several generations with one key the first.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from k2eval.errors import JournalError
from k2eval.journal.lines import GENERATIONS, RUN, VERDICTS, Appender, line_at, read_lines, repair
from k2eval.journal.place import Place
from k2eval.journal.run_record import RunRecord, read_run_record
from k2eval.journal.verdicts import read_verdicts
from k2eval.records import Generation, Json, SampleKey, Verdict
from k2eval.system import FILES_OF_A_RUN, open_file, write_text
from k2eval.values import read_json

LOCK = ".lock"
_LARGEST_STATE = 1_000_000
"""Most bytes that the state of a run may have."""


class Journal:
    """One run directory, opened for writing by one process at a time.

    Raises:
        JournalError: If the directory cannot be written, is in use, or holds a foreign file.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files: dict[str, Appender] = {}
        self._offsets: dict[str, int] = {}
        self.verdicts: dict[SampleKey, Verdict] = {}
        """The latest verdict on every sample."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _check_links(folder)
            self._lock = open_file(folder / LOCK, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW)
            self._place = Place(folder)
        except OSError as error:
            raise JournalError(
                f"Cannot write to the run directory {folder}: {error}. Give another with --out."
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._release()
            raise JournalError(
                f"Another process is writing to {folder}. Wait for it, or give another --out."
            ) from error

    def __enter__(self) -> Self:
        try:
            self._replay()
            self._files = {name: Appender(self.folder / name) for name in (GENERATIONS, VERDICTS)}
        except BaseException:
            self._release()
            raise
        return self

    def _replay(self) -> None:
        # Read everything before repairing anything: a file that is not ours stays as it is.
        run = self.read_run()
        known = list(run.tasks) if run else []
        for offset, generation in read_lines(self.folder / GENERATIONS, Generation):
            self._offsets.setdefault(generation.key, offset)
        for verdict in read_verdicts(self.folder, run):
            self.verdicts[verdict.sample_key] = verdict
        if self._offsets and not known:
            raise JournalError(
                f"{self.folder / GENERATIONS} holds generations, but there is no {RUN} that says how they were made. "
                "Restore it, or give another --out."
            )
        repair(self.folder / GENERATIONS, Generation)
        repair(self.folder / VERDICTS, Verdict)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except JournalError:
            if error is None:  # else the first error says more
                raise

    @property
    def generation_count(self) -> int:
        """The number of different generations in the journal."""
        return len(self._offsets)

    @property
    def is_empty(self) -> bool:
        """Whether the directory holds no generation and no verdict, so that it is bound to no identity."""
        return not self._offsets and not self.verdicts

    def has_generation(self, key: str) -> bool:
        """Tell whether there is a generation of this key."""
        return key in self._offsets

    def find(self, key: str) -> Generation | None:
        """Read the generation of this key from disk; None if there is none."""
        offset = self._offsets.get(key)
        if offset is None:
            return None
        try:
            return line_at(self.folder / GENERATIONS, offset, Generation)
        except JournalError:
            self.check()  # which says more if the directory is no longer there
            raise

    def add_generation(self, generation: Generation) -> None:
        """Append a generation."""
        self._offsets[generation.key] = self._files[GENERATIONS].append(generation)

    def add_verdict(self, verdict: Verdict) -> None:
        """Append a verdict; it replaces an earlier verdict on the same sample."""
        self._files[VERDICTS].append(verdict)
        self.verdicts[verdict.sample_key] = verdict

    def read_run(self) -> RunRecord | None:
        """Read ``run.json``; return None if there is none."""
        return read_run(self.folder) if (self.folder / RUN).exists() else None

    def write_run(self, run: RunRecord) -> None:
        """Replace ``run.json`` in one step, in this directory wherever it is now, and in no other.

        Raises:
            JournalError: If it cannot be written, or the directory was deleted.
        """
        now = self._place.now
        if now is None:
            self.check()
            raise JournalError(f"{self.folder} was deleted. Run the same command again.")
        try:
            write_text(now / RUN, run.to_json(), of_run=True)
        except OSError as error:
            raise JournalError(
                f"Cannot write {now / RUN}: {error}. Everything finished before is kept; make room, or make "
                "it writable, and run the same command again."
            ) from error

    def show(self, state: Json) -> None:
        """Keep the state of the run for other processes; `state_of` reads it. It is gone when the journal is closed."""
        content = json.dumps(state).encode()
        with contextlib.suppress(OSError):
            os.pwrite(self._lock.fileno(), content, 0)
            os.ftruncate(self._lock.fileno(), len(content))

    def check(self) -> None:
        """Make sure that the directory is still there and can be written.

        Deleted files are written again, since what they held is still at hand.

        Raises:
            JournalError: If the directory was deleted, moved or made read-only. The message says what is where.
        """
        self._place.check(list(self._files.values()))
        try:
            if not os.access(self.folder, os.W_OK):
                raise PermissionError(errno.EPERM, "no file can be made in it")
            os.utime(self.folder / LOCK)
        except FileNotFoundError:
            (self.folder / LOCK).touch()
        except OSError as error:
            raise JournalError(
                f"{self.folder} can no longer be written: {error.strerror}. Everything finished before is kept there. "
                "Make it writable and run the same command again."
            ) from error

    def close(self) -> None:
        """Close the files; another process may then open the directory."""
        try:
            with contextlib.ExitStack() as stack:  # closes each of them, whatever happens to another
                for file in self._files.values():
                    stack.callback(file.close)
        finally:
            with contextlib.suppress(OSError):
                os.ftruncate(self._lock.fileno(), 0)
            self._release()

    def _release(self) -> None:
        self._place.close()
        self._lock.close()


def state_of(folder: Path) -> Json:
    """Return what the process that writes a run directory shows of it; None if no process does, here.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with Journal(Path(folder)) as journal:
    ...         journal.show({"summary": "1/2 samples"})
    ...         print(state_of(Path(folder)))
    ...     print(state_of(Path(folder)))
    {'summary': '1/2 samples'}
    None
    """
    try:
        with open_file(folder / LOCK) as file:
            # By the inode alone: some file systems show another device here than there.
            inode = f":{os.fstat(file.fileno()).st_ino}"
            if not any(word.endswith(inode) for word in Path("/proc/locks").read_text("ascii").split()):
                return None
            return read_json(file.read(_LARGEST_STATE))
    except (OSError, ValueError):
        return None


def _check_links(folder: Path) -> None:
    """Make sure that no file of a run directory is a link: what it leads to would be cut and written to.

    Raises:
        JournalError: If one is.
    """
    for name in sorted(FILES_OF_A_RUN):
        path = folder / name
        if path.is_symlink():
            raise JournalError(
                f"Expected {path} to be a file of the run itself, got a link to {path.readlink()}, which would be "
                "changed. Put a copy of the file in the place of the link, or make the whole run directory a link."
            )


class Archive:
    """The generations of run directories, for reading only; of several with one key the first counts.

    Raises:
        JournalError: If a folder is not a run directory, or a line in it is bad.
    """

    def __init__(self, folders: Iterable[Path]) -> None:
        self._lines: dict[str, tuple[Path, int]] = {}
        self.output_tokens = 0
        """Tokens of all generations."""
        self.models: set[str] = set()
        """The names that engines gave to the models that answered."""
        for folder in folders:
            read_run(folder)
            path = folder / GENERATIONS
            for offset, generation in read_lines(path, Generation):
                if generation.key not in self._lines:
                    self._lines[generation.key] = (path, offset)
                    self.output_tokens += generation.output_tokens
                    self.models.add(generation.model)

    @property
    def keys(self) -> set[str]:
        """The keys of all generations."""
        return set(self._lines)

    def find(self, key: str) -> Generation | None:
        """Read the generation of this key from disk; return None if no folder has it."""
        if key not in self._lines:
            return None
        path, offset = self._lines[key]
        return line_at(path, offset, Generation)


def read_run(folder: Path) -> RunRecord:
    """Return the ``run.json`` of a run directory.

    Raises:
        JournalError: If there is none, or it is not what `k2eval run` writes.
    """
    try:
        return read_run_record(folder / RUN)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise JournalError(
            f"{folder} is not a run directory: it has no {RUN}. `k2eval run --out DIR` makes one."
        ) from error
