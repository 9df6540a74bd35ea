"""Files of others, read with bounds: a file costs at most a small multiple of its size, whatever is in it."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import yaml

from k2eval.errors import DataError
from k2eval.system import open_file
from k2eval.values import read_json

LARGEST = 256 << 20
"""Bytes of a file that is read whole."""
LARGEST_LINE = 64 << 20
LARGEST_YAML = 1 << 20
MOST_ENTRIES = 200_000
EXPANSION = 40
"""Times its own size that an archive may unpack to, beside `_SMALL`; logs of text shrink to a tenth."""
_SMALL = 16 << 20


def read_whole(path: Path, most: int = LARGEST) -> bytes:
    """Return the content of a file.

    Raises:
        DataError: If it cannot be read, or is larger than ``most`` bytes.
    """
    try:
        with open_file(path) as file:
            content = file.read(most + 1)
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror or error}. Name another file.") from error
    if len(content) > most:
        raise DataError(f"Expected at most {most:,} bytes in {path}, got more. Name a smaller file.")
    return content


# Matches a text of JSON, or a bare NaN, which becomes null; not a NaN within a text. A text that is not closed matches
# to the end, so that no second place is tried for it.
_NAN = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|-?\bNaN\b', re.DOTALL)


def _null(found: re.Match[bytes]) -> bytes:
    return found[0] if found[0].startswith(b'"') else b"null"


def json_of(content: bytes, path: Path) -> Any:
    """Return a value of JSON.

    Raises:
        DataError: If it is none, or has too many levels.
    """
    try:
        return read_json(
            _NAN.sub(_null, content) if b"NaN" in content else content, texts=False, integers=False
        )
    except ValueError as error:
        raise DataError(f"Expected JSON in {path}, got something else: {str(error)[:200]}.") from error


def json_lines(path: Path) -> Iterator[Any]:
    """Yield the values of a file of JSON Lines.

    Raises:
        DataError: If a line is too long or no JSON; names the line.
    """
    try:
        with open_file(path) as file:
            for number, line in enumerate(iter(lambda: file.readline(LARGEST_LINE + 1), b""), start=1):
                if len(line) > LARGEST_LINE:
                    raise DataError(
                        f"{path}, line {number}: expected at most {LARGEST_LINE:,} bytes, got more."
                    )
                if line.strip():
                    yield json_of(line, path)
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror or error}. Name another file.") from error


class _NoAliases(yaml.SafeLoader):
    """YAML without aliases, by which a short text could stand for one of any length."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not read here")
        return super().compose_node(parent, index)


def yaml_of(path: Path) -> Any:
    """Return the value of a YAML file.

    Raises:
        DataError: If it is none, is larger than 1 MiB, or has aliases.
    """
    content = read_whole(path, LARGEST_YAML)
    try:
        return yaml.load(content, Loader=_NoAliases)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DataError(f"Expected YAML in {path}, got something else: {str(error)[:200]}.") from error


class Archive:
    """A ZIP archive whose entries are read with bounds.

    Args:
        path: Its path, for messages.
        file: The open archive.
        size: Its size in bytes.
    """

    def __init__(self, path: Path, file: zipfile.ZipFile, size: int) -> None:
        self._path, self._file = path, file
        self._left = EXPANSION * size + _SMALL
        self.names = file.namelist()

    def json(self, name: str) -> Any:
        """Return the value of an entry.

        Raises:
            DataError: If it is no JSON, or the archive unpacks to more than it may.
        """
        try:
            with self._file.open(name) as entry:
                content = entry.read(self._left + 1)
        except (OSError, RuntimeError, NotImplementedError, zipfile.BadZipFile, EOFError) as error:
            raise DataError(f"Cannot read {name:.100} of {self._path}: {error}.") from error
        except Exception as error:  # zlib, lzma and bz2 have errors of their own
            raise DataError(f"Cannot unpack {name:.100} of {self._path}: {error}.") from error
        self._left -= len(content)
        if self._left < 0:
            raise DataError(
                f"Expected {self._path} to unpack to at most {EXPANSION} times its size, got more. It may be a bomb."
            )
        return json_of(content, self._path)


@contextmanager
def archive_at(path: Path) -> Iterator[Archive]:
    """Give a ZIP archive to read from.

    Raises:
        DataError: If it is none, or has too many entries.
    """
    try:
        handle: BinaryIO = open_file(path)
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror or error}. Name another file.") from error
    with handle:
        size = handle.seek(0, 2)
        if size > LARGEST * 8:
            raise DataError(f"Expected at most {LARGEST * 8:,} bytes in {path}, got {size:,}.")
        try:
            file = zipfile.ZipFile(handle)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise DataError(f"Expected a ZIP archive at {path}, got something else: {error}.") from error
        with file:
            if len(file.infolist()) > MOST_ENTRIES:
                raise DataError(f"Expected at most {MOST_ENTRIES:,} entries in {path}, got more.")
            yield Archive(path, file, size)


def number(value: Any) -> float | None:
    """Return a finite number, or one in a text; None if it is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if found == found and abs(found) != float("inf") else None


def count(value: Any) -> int | None:
    """Return a whole number from 0; None if it is none."""
    found = number(value)
    return int(found) if found is not None and found >= 0 and found == int(found) else None


def mapping(value: Any) -> dict[str, Any]:
    """Return a mapping as it is, and anything else as an empty one."""
    return value if isinstance(value, dict) else {}


def word(value: Any) -> str | None:
    """Return a value as one line; None if there is none."""
    from k2eval.texts import as_line

    if value is None or isinstance(value, (dict, list)):
        return None
    return as_line(str(value)[:300]) or None
