"""``watch.json``: the checkpoints that have been evaluated, since their folders may be gone at the next start."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from k2eval.errors import ConfigError
from k2eval.records import Record
from k2eval.system import open_file, write_text
from k2eval.values import Amount, Duration, PathText, Text, read_json

NAME = "watch.json"
_LOCK = ".watch.lock"


class Evaluated(Record):
    """A checkpoint that has a run directory with scores."""

    name: Text
    path: PathText
    step: Amount
    fingerprint: Text
    run: PathText
    """Name of the run directory."""
    seconds: Duration | None
    """Duration of the last evaluation, with the start of the engine or the swap of weights."""


class WatchRecord(Record):
    """The content of ``watch.json``."""

    format: Literal[1] = 1
    checkpoints: tuple[Evaluated, ...] = ()
    """In the order of their first evaluation; a checkpoint that was replaced has several entries."""

    def with_entry(self, entry: Evaluated) -> WatchRecord:
        """Return the record with an entry, in place of one with the same run directory."""
        others = [other for other in self.checkpoints if other.run != entry.run]
        return WatchRecord(checkpoints=(*others, entry))


@contextlib.contextmanager
def locked(out: Path) -> Iterator[None]:
    """Keep other watches from an output folder, which is made if need be.

    Raises:
        ConfigError: If another watch writes to it, or it cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = open_file(out / _LOCK, os.O_WRONLY | os.O_CREAT)
    except OSError as error:
        raise ConfigError(f"Cannot write to {out}: {error.strerror or error}. Give another --out.") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ConfigError(f"Another watch writes to {out}. End it, or give another --out.") from error
        yield


def read_record(out: Path) -> WatchRecord:
    """Read ``watch.json``; return an empty record if there is none.

    Raises:
        ConfigError: If it cannot be read.
    """
    path = out / NAME
    try:
        with open_file(path) as file:
            return WatchRecord.model_validate(read_json(file.read()))
    except FileNotFoundError:
        return WatchRecord()
    except (OSError, ValueError, RecursionError, ValidationError) as error:
        raise ConfigError(
            f"Cannot read {path}: expected the JSON that `k2eval watch` writes; {str(error)[:200]}. Remove the file: "
            "the runs are kept, and checkpoints that are still there find theirs again."
        ) from error


def write_record(out: Path, record: WatchRecord) -> None:
    """Write ``watch.json``.

    Raises:
        ConfigError: If it cannot be written.
    """
    try:
        write_text(out / NAME, json.dumps(record.model_dump(mode="python"), indent=1) + "\n", of_run=True)
    except OSError as error:
        raise ConfigError(f"Cannot write {out / NAME}: {error.strerror}. Give another --out.") from error
