"""Files of training data: the parts that processes share out, and the documents of a part.

A row of JSON Lines or Parquet is a document. Plain text is read in blocks, and each block goes on into the next one by
an overlap, so that a question which lies across a border is whole in one of the two. Memory stays bounded: no block, no
line and no batch of rows is larger than the limits here.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import orjson

from k2eval.errors import DataError
from k2eval.tasks.corpus.encodings import BOM, as_utf8, recoded, wide_encoding
from k2eval.tasks.corpus.packed import PACKED, unpacked

KINDS = (
    ".jsonl", ".jsonl.gz", ".jsonl.zst", ".ndjson", ".ndjson.gz", ".ndjson.zst", ".json", ".json.gz", ".json.zst",
    ".txt", ".txt.gz", ".txt.zst", ".md", ".md.gz", ".md.zst", ".csv", ".csv.gz", ".csv.zst", ".tsv", ".tsv.gz",
    ".tsv.zst", ".parquet",
)  # fmt: skip
"""Names of the files that are read, in small letters: JSON Lines (packed ``.json``, too), plain text, tables."""
_LINES = re.compile(r"\.(?:jsonl|ndjson|json\.gz|json\.zst)(?:\.|$)")
_PART = 64 << 20
"""Bytes of an uncompressed file that one process reads at a time."""
_BLOCK = 1 << 20
"""Bytes of plain text that count as one document, without the overlap."""
_LONGEST_LINE = 256 << 20
"""Bytes of a line of JSON; a longer one is counted as unreadable."""
_LARGEST_JSON = 512 << 20
"""Bytes of a file that is one value of JSON, which must be read whole."""
_ROWS = 64
"""Rows of a table that are read together."""

Unreadable = Callable[[], None]
"""Called for each line that cannot be read."""


class Part(NamedTuple):
    """A part of a file."""

    path: Path
    start: int = 0
    """The first byte, or the first group of rows of a table."""
    end: int | None = None
    """The byte or group after the last one; None for the whole file."""

    @property
    def is_table(self) -> bool:
        """Whether the part is one of a Parquet file."""
        return self.path.suffix.lower() == ".parquet"

    @property
    def size(self) -> int:
        """Bytes of the file that the part has."""
        if self.is_table and self.end is not None:
            metadata = _table(self.path).metadata
            groups = [metadata.row_group(group) for group in range(self.start, self.end)]
            return sum(
                group.column(column).total_compressed_size
                for group in groups
                for column in range(group.num_columns)
            )
        return (self.path.stat().st_size if self.end is None else self.end) - self.start


def parts_of(folder: Path) -> list[Part]:
    """Return the parts of all files, the largest files first.

    Raises:
        DataError: If there are none, or a file is one value of JSON that is too large to be read whole.
    """
    files = [path for path in folder.rglob("*") if path.name.lower().endswith(KINDS) and path.is_file()]
    if not files:
        raise DataError(
            f"Expected training data below {folder} ({', '.join(KINDS)}), got no such file. Give another --corpus."
        )
    parts: list[Part] = []
    for path in sorted(files, key=lambda path: (-path.stat().st_size, path)):
        size = path.stat().st_size
        kind = path.suffix.lower()
        if kind == ".json" and size > _LARGEST_JSON:
            raise DataError(
                f"{path}: expected at most {_LARGEST_JSON >> 20} MB of a file that is one value of JSON, got "
                f"{size >> 20} MB. Write it as JSON Lines, for instance with `jq -c '.[]'`."
            )
        if kind == ".parquet" and size > _PART:
            groups = range(_table(path).metadata.num_row_groups)
            parts += [Part(path, group, group + 1) for group in groups] or [Part(path)]
        elif kind in (*PACKED, ".parquet", ".json") or size <= _PART or _is_wide(path):
            parts.append(Part(path))
        else:
            parts += [Part(path, start, min(start + _PART, size)) for start in range(0, size, _PART)]
    return parts


def _is_wide(path: Path) -> bool:
    """Return whether a text is in UTF-16 or UTF-32, which is read from its beginning."""
    try:
        return wide_encoding(path) is not None
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror}. Repair or remove the file.") from error


def passed_over(folder: Path) -> Counter[str]:
    """Count the files that are not read by the ends of their names, and the folders that are links.

    >>> passed_over(Path(__file__).parent)[".py"] > 3
    True
    """
    found: Counter[str] = Counter()
    for path in folder.rglob("*"):
        if path.is_symlink() and path.is_dir():
            found["links to folders"] += 1
        elif path.is_file() and not path.name.lower().endswith(KINDS) and path.stat().st_size:
            found["".join(path.suffixes[-2:]).lower()[-20:] or "no ending"] += 1
    return found


def documents(
    part: Part, overlap: int, unreadable: Unreadable, read: Callable[[int], None]
) -> Iterator[tuple[int, bytes]]:
    """Yield the texts of a part in UTF-8, each with the byte of the text in UTF-8 or the row at which it begins.

    Args:
        part: The part.
        overlap: Bytes by which a block of plain text goes on into the next one.
        unreadable: Called for each line that is no JSON, or too long.
        read: Called with the bytes of the file that were read since the last call.
    """
    if part.is_table:
        yield from _rows(part, read)
        return
    if part.path.suffix.lower() == ".json":
        yield from _values_in(as_utf8(part.path.read_bytes()), unreadable)
        return
    encoding = None if part.start else wide_encoding(part.path)
    with part.path.open("rb") as raw:
        raw.seek(part.start)
        last = part.start
        file = unpacked(raw, part.path)
        file = recoded(file, encoding) if encoding else file
        found = (
            _objects(file, part, unreadable)
            if _LINES.search(part.path.name.lower())
            else blocks(file, part, overlap)
        )
        for place, text in found:
            yield place, text
            at = raw.tell()
            read(at - last)
            last = at


def _objects(file: IO[bytes], part: Part, unreadable: Unreadable) -> Iterator[tuple[int, bytes]]:
    for place, line in _lines(file, part):
        try:
            line = line.removeprefix(BOM) if line is not None and not place else line
            yield place, _texts_in(_value_of(line if line is not None else b""))
        except (ValueError, RecursionError):
            unreadable()


def _values_in(data: bytes, unreadable: Unreadable) -> Iterator[tuple[int, bytes]]:
    """Yield the texts of a file that is one value of JSON, or a value on each line.

    Raises:
        ValueError: If it is neither.
    """
    try:
        yield 0, _texts_in(_value_of(data))
        return
    except (ValueError, RecursionError) as error:
        lines = data.lstrip().split(b"\n")
        try:
            _value_of(lines[0])
        except (ValueError, RecursionError):
            raise ValueError(f"it is no JSON, and its first line is none ({error})") from error
    at = len(data) - len(data.lstrip())
    for line in lines:
        try:
            if line.strip():
                yield at, _texts_in(_value_of(line))
        except (ValueError, RecursionError):
            unreadable()
        at += len(line) + 1


def _value_of(line: bytes) -> Any:
    """Return the value of a line; NaN, halves of surrogate pairs and bytes that are no UTF-8 hide no text."""
    try:
        return orjson.loads(line)
    except ValueError:
        return json.loads(line.decode(errors="replace"))


def _lines(file: IO[bytes], part: Part) -> Iterator[tuple[int, bytes | None]]:
    """Yield the lines that begin in a part; None for one that is too long."""
    at = part.start
    if at:
        file.seek(at - 1)
        at += _length_of_rest(file) - 1
    while part.end is None or at < part.end:
        line = file.readline(_LONGEST_LINE)
        if not line:
            return
        begin, at = at, at + len(line)
        if len(line) == _LONGEST_LINE and not line.endswith(b"\n"):
            at += _length_of_rest(file)
            yield begin, None
        elif line.strip():
            yield begin, line


def _length_of_rest(file: IO[bytes]) -> int:
    """Read on to the end of a line, and return the number of bytes."""
    length = 0
    while True:
        piece = file.readline(_BLOCK)
        length += len(piece)
        if len(piece) < _BLOCK or piece.endswith(b"\n"):
            return length


def blocks(file: IO[bytes], part: Part, overlap: int) -> Iterator[tuple[int, bytes]]:
    r"""Yield the blocks that begin in a part, each with ``overlap`` bytes of what follows.

    >>> import io
    >>> list(blocks(io.BytesIO(b"abcdef"), Part(Path("a.txt")), 2))
    [(0, b'abcdef')]
    """
    begin, kept = part.start, b""
    while part.end is None or begin < part.end:
        step = _BLOCK if part.end is None else min(_BLOCK, part.end - begin)
        block = kept + file.read(step + overlap - len(kept))
        if block:
            yield begin, block
        if len(block) < step + overlap:
            return
        kept = block[step:]
        begin += step


def _table(path: Path) -> Any:
    import pyarrow.parquet as pq

    return pq.ParquetFile(path)


def _rows(part: Part, read: Callable[[int], None]) -> Iterator[tuple[int, bytes]]:
    table = _table(part.path)
    groups = list(range(part.start, table.metadata.num_row_groups if part.end is None else part.end))
    row = sum(table.metadata.row_group(group).num_rows for group in range(part.start))
    for batch in table.iter_batches(_ROWS, row_groups=groups):
        for record in batch.to_pylist():
            yield row, _texts_in(record)
            row += 1
    read(part.size)


def _texts_in(value: Any) -> bytes:
    """Return all texts in a value of JSON, a line each.

    >>> _texts_in({"a": ["x", 1, {"b": "y"}]})
    b'x\\ny'
    """
    found = []
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            found.append(each)
        elif isinstance(each, dict):
            waiting += reversed(each.values())
        elif isinstance(each, list):
            waiting += reversed(each)
    return "\n".join(found).encode(errors="surrogatepass")
