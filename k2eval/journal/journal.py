"""The run directory: ``run.json``, ``generations.jsonl`` and ``verdicts.jsonl``. They hold the whole state of a run.

Lines are appended as work finishes and never changed. A line cut off at the end of a file, as a crash leaves
it, is removed with a warning; a bad line elsewhere is an error. Of several verdicts on one sample the last
counts, and of several generations with one key the first.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from k2eval.errors import JournalError
from k2eval.journal.lines import GENERATIONS, RUN, VERDICTS, Appender, line_at, read_lines, repair
from k2eval.journal.run_record import RunRecord, read_run_record
from k2eval.journal.verdicts import read_verdicts
from k2eval.records import Generation, SampleKey, Verdict
from k2eval.system import write_text

LOCK = ".lock"


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
            self._lock = (folder / LOCK).open("w")
        except OSError as error:
            raise JournalError(
                f"Cannot write to the run directory {folder}: {error}. Give another with --out."
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            raise JournalError(
                f"Another process is writing to {folder}. Wait for it, or give another --out."
            ) from error

    def __enter__(self) -> Self:
        try:
            self._replay()
            self._files = {name: Appender(self.folder / name) for name in (GENERATIONS, VERDICTS)}
        except BaseException:
            self._lock.close()
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
        return line_at(self.folder / GENERATIONS, offset, Generation)

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
        """Replace ``run.json`` in one step."""
        try:
            write_text(self.folder / RUN, run.to_json())
        except OSError as error:
            raise JournalError(
                f"Cannot write {self.folder / RUN}: {error}. Everything finished before is kept; make room and run the "
                "same command again."
            ) from error

    def check(self) -> None:
        """Make sure that the directory is still there and can be written.

        Deleted files are written again, since what they held is still at hand.

        Raises:
            JournalError: If the directory was deleted, moved or made read-only. The message says what is where.
        """
        lost = [file for file in self._files.values() if not file.is_in_place]
        if not lost:
            try:
                os.utime(self.folder / LOCK)
            except FileNotFoundError:
                (self.folder / LOCK).touch()
            except OSError as error:
                raise JournalError(
                    f"{self.folder} can no longer be written: {error.strerror}. Everything finished before is kept "
                    "there. Make it writable and run the same command again."
                ) from error
            return
        places = [file.place for file in lost]
        moved = next((place.parent for place in places if place is not None), None)
        if moved is not None:
            raise JournalError(
                f"{self.folder} was moved to {moved} while the run went on. Everything finished before is there. Move "
                f"it back, or give --out {moved}, and run the same command again."
            )
        raise JournalError(self._restored(lost))

    def _restored(self, lost: Iterable[Appender]) -> str:
        try:
            for file in lost:
                file.restore()
        except OSError as error:
            return (
                f"{self.folder} was deleted while the run went on, and cannot be written again: {error}. What was in "
                "it is lost. Give another --out."
            )
        return (
            f"{self.folder} was deleted while the run went on. Everything finished before was written there again. "
            "Run the same command again to go on."
        )

    def close(self) -> None:
        """Close the files; another process may then open the directory."""
        try:
            for file in self._files.values():
                file.close()
        finally:
            self._lock.close()


class Archive:
    """The generations of run directories, for reading only; of several with one key the first counts.

    Raises:
        JournalError: If a folder is not a run directory, or a line in it is bad.
    """

    def __init__(self, folders: Iterable[Path]) -> None:
        self._lines: dict[str, tuple[Path, int]] = {}
        for folder in folders:
            read_run(folder)
            path = folder / GENERATIONS
            for offset, generation in read_lines(path, Generation):
                self._lines.setdefault(generation.key, (path, offset))

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
