"""Rows of a benchmark as files: JSON Lines or CSV, plain or compressed."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from k2eval.errors import DataError
from k2eval.system import open_file
from k2eval.tasks.task import Row

_LONGEST_CELL = 10_000_000
"""Characters."""


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a file, each with the file's name in ``_file`` and its path in ``_path``.

    A file named ``.csv`` or ``.csv.gz`` is a table with a header, whose cells are texts. Any other file holds a JSON
    object on each line.

    Raises:
        DataError: If the file cannot be read, or a row is not as its kind of file has it.
    """
    is_table = path.name.removesuffix(".gz").endswith(".csv")
    try:
        with (
            open_file(path) as file,
            io.TextIOWrapper(
                gzip.open(file) if path.suffix == ".gz" else file,
                encoding="utf-8-sig" if is_table else "utf-8",
                newline="" if is_table else None,
            ) as lines,
        ):
            for row in _cells(lines, path) if is_table else _objects(lines, path):
                yield {**row, "_file": path.name, "_path": str(path)}
    except (OSError, UnicodeDecodeError, EOFError, zlib.error) as error:
        raise DataError(f"Cannot read the questions in {path}: {error}.") from error


def _objects(lines: io.TextIOWrapper, path: Path) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(
                f"{path}:{number}: expected a JSON object, got {line[:80]!r} ({error})."
            ) from error
        if not isinstance(row, dict):
            raise DataError(f"{path}:{number}: expected a JSON object, got {type(row).__name__}.")
        yield row


def _cells(lines: io.TextIOWrapper, path: Path) -> Iterator[dict[str, Any]]:
    csv.field_size_limit(_LONGEST_CELL)
    reader = csv.DictReader(lines, strict=True)
    try:
        for row in reader:
            if None in row or None in row.values():
                raise csv.Error(f"expected {len(reader.fieldnames or ())} cells as in the header")
            yield dict(row)
    except csv.Error as error:
        raise DataError(
            f"{path}:{reader.line_num}: expected a row of a table, got a fault: {error}."
        ) from error
