"""The lines of a journal file as records: reading, checking, repairing, appending."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TypeVar

from pydantic import ValidationError

import k2eval
from k2eval.errors import JournalError
from k2eval.records import Record
from k2eval.system import open_file, replacing
from k2eval.values import read_json

RUN, GENERATIONS, VERDICTS = "run.json", "generations.jsonl", "verdicts.jsonl"
_SYNC_EVERY_S = 2.0

R = TypeVar("R", bound=Record)


def read_lines(path: Path, kind: type[R]) -> Iterator[tuple[int, R]]:
    """Yield the records of a journal file, each with its offset in bytes. A torn last line is left out.

    Raises:
        JournalError: If a line is not such a record. The message names file and line.
    """
    for _, offset, line in _whole_lines(path, kind):
        yield offset, line


def numbered_lines(path: Path, kind: type[R]) -> Iterator[tuple[int, R]]:
    """Yield the records of a journal file, each with the number of its line, from 1.

    Raises:
        JournalError: If a line is not such a record. The message names file and line.
    """
    for number, _, line in _whole_lines(path, kind):
        yield number, line


def _whole_lines(path: Path, kind: type[R]) -> Iterator[tuple[int, int, R]]:
    if not path.exists():
        return
    offset = 0
    try:
        with open_file(path) as file:
            for number, line in enumerate(file, start=1):
                if line.endswith(b"\n") or is_whole(line, kind):  # else a torn last line
                    yield number, offset, parsed(line, kind, f"{path}:{number}")
                offset += len(line)
    except OSError as error:
        raise JournalError(f"Cannot read {path}: {error}.") from error


def line_at(path: Path, offset: int, kind: type[R]) -> R:
    """Return the record of the line that begins at a byte of a journal file.

    Raises:
        JournalError: If that line is not such a record. The message names file and line.
    """
    try:
        with open_file(path) as file:
            file.seek(offset)
            line = file.readline()
            try:
                return parsed(line, kind, str(path))
            except JournalError:
                file.seek(0)
                number = file.read(offset).count(b"\n") + 1
        return parsed(line, kind, f"{path}:{number}")
    except OSError as error:
        raise JournalError(f"Cannot read {path}: {error}.") from error


def parsed(line: bytes, kind: type[R], where: str) -> R:
    """Return the record in a line.

    Args:
        line: One line of a journal file.
        kind: The expected record.
        where: File and line, for the message.

    Raises:
        JournalError: If the line is not such a record.
    """
    try:
        return kind.model_validate(read_json(line, texts=False))
    except ValueError as error:
        raise JournalError(
            f"{where}: expected a {kind.__name__.lower()} of k2eval, got {line[:80]!r} ({_reason(error)}). "
            "Nothing was changed. Remove that line, and the next start makes again what is then missing; or give "
            "another --out."
        ) from error


def _reason(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error).splitlines()[0]
    problem = error.errors(include_url=False, include_context=False)[0]
    field = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        newer = f"if a newer k2eval wrote it, update k2eval, which is {k2eval.__version__} here"
        return f"it has an unknown field {field}; {newer}"
    words = problem["msg"].removeprefix("Value error, ")
    return f"{field}: {words}" if field else words


def repair(path: Path, kind: type[Record]) -> None:
    """Repair a last line without its newline, as a crash or a full disk leaves it.

    A record that lacks only its newline is kept. Anything less is removed with a warning.
    """
    if not path.exists():
        return
    try:
        with open_file(path, os.O_RDWR) as file:
            size = file.seek(0, os.SEEK_END)
            end = _end_of_lines(file, size)
            if end == size:
                return
            file.seek(end)
            rest = file.read()
            if is_whole(rest, kind):
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


def is_whole(line: bytes, kind: type[Record]) -> bool:
    """Tell whether a last line without its newline is a record; if not, every reader takes it for torn."""
    try:
        kind.model_validate(read_json(line, texts=False))
    except ValueError:
        return False
    return True


class Appender:
    """A file to append records to; after a failed write the file ends where it did before."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = open_file(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        except OSError as error:
            raise JournalError(f"Cannot write {path}: {error}. Give another --out.") from error
        self._end = self._file.seek(0, os.SEEK_END)
        self._synced = time.monotonic()

    def append(self, record: Record) -> int:
        """Append a record and return the offset of its line.

        Raises:
            JournalError: If the file cannot be written, or another program wrote to it.
        """
        self.check_length()
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
                f"Cannot write {self.path}: {error}. Everything finished before is kept; make room and run the same "
                "command again."
            ) from error
        self._end += len(line)
        return start

    def check_length(self) -> None:
        """Make sure that nobody else wrote to the file: a line behind a cut one could not be told from it.

        Raises:
            JournalError: If it is not as long as the lines in it.
        """
        length = os.fstat(self._file.fileno()).st_size
        if length != self._end:
            done = "cut it" if length < self._end else "added to it"
            raise JournalError(
                f"{self.path}: another program {done} while the run went on: expected {self._end:,} bytes, got "
                f"{length:,}. It is left as it is. Run the same command again: it makes what is then missing."
            )

    @property
    def is_in_place(self) -> bool:
        """Whether the path still leads to this file."""
        try:
            return os.path.samestat(os.fstat(self._file.fileno()), self.path.stat())
        except OSError:
            return False

    @property
    def place(self) -> Path | None:
        """The path that leads to this file now; None if it was deleted, or if the system does not tell."""
        with contextlib.suppress(OSError):
            path = Path(f"/proc/self/fd/{self._file.fileno()}").readlink()
            if path.exists() and os.path.samestat(os.fstat(self._file.fileno()), path.stat()):
                return path
        return None

    def restore(self, target: Path) -> None:
        """Write the content of this file, which was deleted, to a path that nothing has.

        Raises:
            OSError: If that fails.
        """
        with (
            Path(f"/proc/self/fd/{self._file.fileno()}").open("rb") as content,
            replacing(target, of_run=True) as path,
            path.open("wb") as copy,
        ):
            shutil.copyfileobj(content, copy)

    def close(self) -> None:
        """Write all to the disk, and close the file."""
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise JournalError(f"Cannot write {self.path}: {error}.") from error
        finally:
            self._file.close()
