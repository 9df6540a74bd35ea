"""The file that keeps what was found in each part, so that a search which was stopped goes on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Self

import orjson

from k2eval.errors import DataError
from k2eval.records import digest
from k2eval.tasks.corpus.files import Part
from k2eval.tasks.corpus.found import CorpusMatches

FORMAT = 3
"""Changes whenever the results of older searches could differ."""


class Kept:
    """Results by part, in JSON Lines: the questions' digest first, then a line for each part.

    A part counts while its file has the size and the time of change that it had. A last line that was cut off does not
    count.

    Args:
        path: The file; None to keep nothing.
        folder: The folder with the training data.
        texts: The questions' texts.

    Raises:
        DataError: If the file is of another search or cannot be read.
    """

    def __init__(self, path: Path | None, folder: Path, texts: Sequence[str]) -> None:
        self._path, self._folder = path, folder
        self._head = {"contamination": FORMAT, "questions": digest(list(texts))[:16]}
        self._file: IO[bytes] | None = None
        self._known: dict[str, CorpusMatches] = {}

    def __enter__(self) -> Self:
        if self._path is None:
            return self
        try:
            lines = self._path.read_bytes().split(b"\n") if self._path.exists() else []
            whole = lines[:-1]
            if whole:
                self._read(whole)
            self._file = self._path.open("r+b" if lines else "wb")
            self._file.truncate(sum(len(line) + 1 for line in whole))
            self._file.seek(0, 2)
            if not whole:
                self._write(self._head)
        except OSError as error:
            raise DataError(f"Cannot keep what was found in {self._path}: {error.strerror}.") from error
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def _read(self, lines: Sequence[bytes]) -> None:
        try:
            head, *parts = (orjson.loads(line) for line in lines)
            if head == self._head:
                self._known = {part["part"]: CorpusMatches.of_json(part["found"]) for part in parts}
                return
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{self._path}: expected what an earlier search kept, got {error}.") from error
        raise DataError(
            f"{self._path}: expected what an earlier search for the same questions kept, got that of others. Give "
            "another --resume, or remove the file."
        )

    def found_in(self, part: Part) -> CorpusMatches | None:
        """Return what was found in a part before; None if it was not searched, or has changed since."""
        return self._known.get(self._name(part)) if self._known else None

    def keep(self, part: Part, found: CorpusMatches) -> None:
        """Keep what was found in a part."""
        if self._file is not None:
            self._write({"part": self._name(part), "found": found.as_json()})

    def _name(self, part: Part) -> str:
        state = part.path.stat()
        place = [str(part.path.relative_to(self._folder)), part.start, part.end]
        return digest([*place, state.st_size, state.st_mtime_ns])

    def _write(self, value: Any) -> None:
        assert self._file is not None
        self._file.write(orjson.dumps(value) + b"\n")
        self._file.flush()
