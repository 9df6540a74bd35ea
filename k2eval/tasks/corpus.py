"""Search a folder of training data for the questions of tasks."""

from __future__ import annotations

import gzip
import io
import multiprocessing
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NamedTuple

import orjson

from k2eval.errors import DataError
from k2eval.tasks.fingerprints import Index, reduced

KINDS = (".jsonl", ".jsonl.gz", ".json", ".txt", ".txt.gz", ".md", ".parquet")
"""Names of the files that are read: JSON Lines, plain text, tables."""
_PART = 64 << 20
"""Bytes of an uncompressed file that one process reads at a time."""
_BATCH = 4 << 20
"""Reduced bytes that are hashed together."""
_PARAGRAPHS = 1 << 20
"""Bytes of plain text that count as one document."""


class Part(NamedTuple):
    """A part of a file."""

    path: Path
    start: int
    end: int | None
    """None for the whole file."""


class Match(NamedTuple):
    """The document in which most of a question was found."""

    share: float
    """Share of the question's fingerprints in that document."""
    place: str
    """File below the folder, and the byte at which the document begins, or its row."""


@dataclass(slots=True)
class CorpusMatches:
    """The result of a search."""

    matches: dict[int, Match] = field(default_factory=dict)
    """By the question's number, those of which anything was found."""
    documents: int = 0
    size: int = 0
    """Bytes of the files that were read."""
    unreadable: int = 0
    """Lines that are no JSON."""

    def add(self, other: CorpusMatches) -> None:
        """Add the result of another part."""
        for number, match in other.matches.items():
            if number not in self.matches or match.share > self.matches[number].share:
                self.matches[number] = match
        self.documents += other.documents
        self.size += other.size
        self.unreadable += other.unreadable


def search_corpus(folder: Path, texts: Sequence[str], workers: int) -> tuple[CorpusMatches, list[int]]:
    """Look for texts in all files of a folder.

    Args:
        folder: Folder with training data, of the kinds in `KINDS`.
        texts: The questions' texts.
        workers: Number of processes.

    Returns:
        What was found, and the numbers of the texts that are too short to be looked for.

    Raises:
        DataError: If the folder has no such files, or one cannot be read.
    """
    parts = parts_of(folder)
    index = Index(texts)
    found = CorpusMatches()
    if workers == 1 or len(parts) == 1:
        for part in parts:
            found.add(_search_part(index, part, folder))
    else:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, context, _prepare, (list(texts), folder)) as pool:
            for result in pool.map(_search, parts):
                found.add(result)
    return found, [number for number, size in enumerate(index.sizes) if not size]


def parts_of(folder: Path) -> list[Part]:
    """Return the parts of all files, the largest files first.

    Raises:
        DataError: If there are none.
    """
    files = [path for path in folder.rglob("*") if path.name.endswith(KINDS) and path.is_file()]
    if not files:
        raise DataError(
            f"Expected training data below {folder} ({', '.join(KINDS)}), got no such file. Give another --corpus."
        )
    parts = []
    for path in sorted(files, key=lambda path: (-path.stat().st_size, path)):
        size = path.stat().st_size
        if path.suffix in (".gz", ".parquet", ".json") or size <= _PART:
            parts.append(Part(path, 0, None))
        else:
            parts += [Part(path, start, min(start + _PART, size)) for start in range(0, size, _PART)]
    return parts


_STATE: dict[str, Any] = {}


def _prepare(texts: Sequence[str], folder: Path) -> None:
    _STATE.update(index=Index(texts), folder=folder)


def _search(part: Part) -> CorpusMatches:
    return _search_part(_STATE["index"], part, _STATE["folder"])


def _search_part(index: Index, part: Part, folder: Path) -> CorpusMatches:
    found = CorpusMatches(size=(part.end or part.path.stat().st_size) - part.start)
    batch: list[bytes] = []
    places: list[str] = []
    size = 0
    name = str(part.path.relative_to(folder))

    def take() -> None:
        for number, document, share in index.shares(batch):
            match = Match(share, places[document])
            if number not in found.matches or share > found.matches[number].share:
                found.matches[number] = match
        batch.clear()
        places.clear()

    try:
        for place, text in _documents(part, found):
            found.documents += 1
            batch.append(reduced(text))
            places.append(f"{name}:{place}")
            size += len(batch[-1])
            if size > _BATCH:
                take()
                size = 0
        take()
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise DataError(f"Cannot read {part.path}: {error}. Repair or remove the file.") from error
    return found


def _documents(part: Part, found: CorpusMatches) -> Iterator[tuple[int, str]]:
    """Yield the texts of a part, each with the byte or the row at which it begins."""
    if part.path.suffix == ".parquet":
        yield from _rows(part.path)
        return
    if part.path.suffix == ".json":
        yield 0, "\n".join(_strings(orjson.loads(part.path.read_bytes())))
        return
    with part.path.open("rb") as raw:
        file: IO[bytes] = io.BufferedReader(gzip.GzipFile(fileobj=raw)) if part.path.suffix == ".gz" else raw
        as_json = ".jsonl" in part.path.name
        for place, line in _lines(file, part) if as_json else _paragraphs(file, part):
            if not as_json:
                yield place, line.decode(errors="replace")
                continue
            try:
                yield place, "\n".join(_strings(orjson.loads(line)))
            except (ValueError, RecursionError):
                found.unreadable += 1


def _lines(file: IO[bytes], part: Part) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that begin in a part."""
    at = part.start
    if at:
        file.seek(at - 1)
        at += len(file.readline()) - 1
    while part.end is None or at < part.end:
        line = file.readline()
        if not line:
            return
        if line.strip():
            yield at, line
        at += len(line)


def _paragraphs(file: IO[bytes], part: Part) -> Iterator[tuple[int, bytes]]:
    """Yield lines together until they are a document, so that a question may go over several."""
    begin, together = part.start, b""
    for at, line in _lines(file, part):
        if len(together) > _PARAGRAPHS:
            yield begin, together
            together = b""
        begin = at if not together else begin
        together += line
    if together:
        yield begin, together


def _rows(path: Path) -> Iterator[tuple[int, str]]:
    import pyarrow.parquet as pq

    row = 0
    for batch in pq.ParquetFile(path).iter_batches(1_000):
        for record in batch.to_pylist():
            yield row, "\n".join(_strings(record))
            row += 1


def _strings(value: Any) -> Iterator[str]:
    """Yield all texts in a value of JSON."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, dict):
            waiting += reversed(each.values())
        elif isinstance(each, list):
            waiting += reversed(each)
