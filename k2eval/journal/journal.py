"""The run directory: ``run.json``, ``generations.jsonl`` and ``verdicts.jsonl``. They hold the whole state of a run.

Lines are appended as work finishes and never changed. A line cut off at the end of a file, as a crash leaves
it, is removed with a warning; a bad line elsewhere is an error. Of several verdicts on one sample the last
counts, and of several generations with one key the first.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, TypeVar

from pydantic import ValidationError

from k2eval.errors import JournalError
from k2eval.journal.run_record import RunRecord, read_run_record
from k2eval.records import Generation, Record, SampleKey, Verdict

RUN, GENERATIONS, VERDICTS = "run.json", "generations.jsonl", "verdicts.jsonl"
_SYNC_EVERY_S = 2.0

R = TypeVar("R", bound=Record)


class Journal:
    """One run directory, opened for writing by one process at a time.

    Raises:
        JournalError: If the directory cannot be written, is in use, or holds a foreign file.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files: dict[str, _Appender] = {}
        self._offsets: dict[str, int] = {}
        self.verdicts: dict[SampleKey, Verdict] = {}
        """The latest verdict on every sample."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = (folder / ".lock").open("w")
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
            self._files = {name: _Appender(self.folder / name) for name in (GENERATIONS, VERDICTS)}
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
        for _, verdict in read_lines(self.folder / VERDICTS, Verdict):
            if verdict.task not in known:
                raise JournalError(
                    f"{self.folder / VERDICTS}: expected verdicts on {', '.join(known) or 'no task'} (the tasks of "
                    f"{RUN}), got one on {verdict.task!r}. The file seems to be another run's; restore the right one."
                )
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

    def find(self, key: str) -> Generation | None:
        """Read the generation of this key from disk; None if there is none."""
        offset = self._offsets.get(key)
        if offset is None:
            return None
        with (self.folder / GENERATIONS).open("rb") as file:
            file.seek(offset)
            return Generation.model_validate(json.loads(file.readline()))

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
        temporary = self.folder / (RUN + ".tmp")
        try:
            temporary.write_text(run.to_json(), encoding="utf-8")
            temporary.replace(self.folder / RUN)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise JournalError(
                f"Cannot write {self.folder / RUN}: {error}. Everything finished before is kept; make room and run the "
                "same command again."
            ) from error

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

    def find(self, key: str) -> Generation | None:
        """Read the generation of this key from disk; return None if no folder has it."""
        if key not in self._lines:
            return None
        path, offset = self._lines[key]
        with path.open("rb") as file:
            file.seek(offset)
            return Generation.model_validate(json.loads(file.readline()))


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


def read_lines(path: Path, kind: type[R]) -> Iterator[tuple[int, R]]:
    """Yield the records of a journal file, each with its offset in bytes.

    Raises:
        JournalError: If a line is not such a record; names file and line.
    """
    if not path.exists():
        return
    offset = 0
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.endswith(b"\n") or _is_whole(line, kind):  # else a torn last line
                    yield offset, _record(line, kind, f"{path}:{number}")
                offset += len(line)
    except OSError as error:
        raise JournalError(f"Cannot read {path}: {error}.") from error


def _record(line: bytes, kind: type[R], where: str) -> R:
    try:
        return kind.model_validate(json.loads(line))
    except (ValueError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise JournalError(
            f"{where}: expected a {kind.__name__.lower()} of k2eval, got {line[:80]!r} ({reason}). "
            f"Nothing was changed; remove or correct that line, or give another --out."
        ) from error


def repair(path: Path, kind: type[Record]) -> None:
    """Repair a last line without its newline, as a crash or a full disk leaves it.

    A record that lacks only its newline is kept. Anything less is removed with a warning.
    """
    if not path.exists():
        return
    try:
        with path.open("rb+") as file:
            size = file.seek(0, os.SEEK_END)
            end = _end_of_lines(file, size)
            if end == size:
                return
            file.seek(end)
            rest = file.read()
            if _is_whole(rest, kind):
                file.write(b"\n")
                return
            file.truncate(end)
    except OSError as error:
        raise JournalError(f"Cannot repair the unfinished last line of {path}: {error}.") from error
    warnings.warn(f"{path}: removed an unfinished last line of {size - end} bytes.", stacklevel=2)


def _end_of_lines(file: BinaryIO, size: int) -> int:
    """Return the offset after the last newline."""
    end = size
    while end > 0:
        step = min(end, 1 << 16)
        file.seek(end - step)
        newline = file.read(step).rfind(b"\n")
        if newline >= 0:
            return end - step + newline + 1
        end -= step
    return 0


def _is_whole(line: bytes, kind: type[Record]) -> bool:
    try:
        kind.model_validate(json.loads(line))
    except (ValueError, ValidationError):
        return False
    return True


class _Appender:
    """A file to append records to; after a failed write the file ends where it did before."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = path.open("ab", buffering=0)
        except OSError as error:
            raise JournalError(f"Cannot write {path}: {error}. Give another --out.") from error
        self._end = self._file.seek(0, os.SEEK_END)
        self._synced = time.monotonic()

    def append(self, record: Record) -> int:
        line = (record.to_line() + "\n").encode("ascii")
        start = self._end
        try:
            written = 0
            while written < len(line):
                written += self._file.write(line[written:])
            if time.monotonic() - self._synced > _SYNC_EVERY_S:
                os.fsync(self._file.fileno())
                self._synced = time.monotonic()
        except OSError as error:
            with contextlib.suppress(OSError):  # else the next start repairs the line
                os.ftruncate(self._file.fileno(), start)
            raise JournalError(
                f"Cannot write {self._path}: {error}. Everything finished before is kept; make room and run the same "
                "command again."
            ) from error
        self._end += len(line)
        return start

    def close(self) -> None:
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise JournalError(f"Cannot write {self._path}: {error}.") from error
        finally:
            self._file.close()
