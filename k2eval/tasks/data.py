"""Sources of questions: a local folder first, then the pinned Hugging Face dataset."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from k2eval.errors import ConfigError, DataError
from k2eval.records import Note, NoteKind, Question, digest
from k2eval.tasks.checks import check_repeat, items_of
from k2eval.tasks.spec import DataSpec
from k2eval.tasks.task import Item, Items, Row, Task


@dataclass(slots=True)
class QuestionSet:
    """The questions of one task, as they were found."""

    task: Task
    rows: list[Row]
    source: str
    """Files below the data folder, or ``hub name@revision``."""
    limit: int | None = None
    _items: dict[int, Items] = field(default_factory=dict)
    _questions: dict[int, list[Question]] = field(default_factory=dict)

    def items(self, repeat_index: int = 0) -> list[Item]:
        """Return the items of one repeat, at most as many as the limit."""
        if repeat_index not in self._items:
            items = items_of(self.task, self.rows, repeat_index)
            if not items.items:
                raise DataError(
                    f"Task {self.task.name}: {self.source} holds no questions that fit. Expected at least one."
                )
            if self._items:
                check_repeat(self.task, next(iter(self._items.values())), items, repeat_index)
            self._items[repeat_index] = items
        return self._items[repeat_index].items[: self.limit]

    def questions(self, repeat_index: int = 0) -> list[Question]:
        """Return the questions of one repeat; those that are as in the first one are the same objects."""
        if repeat_index not in self._questions:
            items = self.items(repeat_index)
            before = zip(self.items(), self.questions(), strict=False) if repeat_index else ()
            known = {item.id: (item, question) for item, question in before}
            self._questions[repeat_index] = [
                known[item.id][1] if item.id in known and known[item.id][0] == item else self.task.ask(item)
                for item in items
            ]
        return self._questions[repeat_index]

    @property
    def all_items(self) -> list[Item]:
        """The items of the first repeat, whatever the limit."""
        self.items()
        return self._items[0].items

    @property
    def available(self) -> int:
        """The number of questions in the source, whatever the limit."""
        return len(self.all_items)

    @property
    def expected(self) -> int | None:
        """The number of questions of the whole benchmark."""
        return self.task.spec.questions

    @property
    def notes(self) -> tuple[Note, ...]:
        """The notes on these questions for a reader of the scores."""
        self.items()
        notes = list(self._items[0].notes)
        if self.expected is not None and self.available != self.expected:
            text = f"{self.available} of {self.expected} questions"
            notes.insert(0, Note(kind=NoteKind.MISSING, text=text))
        if self.limit is not None and self.limit < self.available:
            notes.append(Note(kind=NoteKind.LIMITED, text=f"limited to the first {self.limit}"))
        return tuple(notes)

    @property
    def fingerprint(self) -> str:
        """A digest of ids, prompt fields and golds of all questions, whatever the limit."""
        return digest([[item.id, item.fields, item.gold] for item in self.all_items])[:16]

    @property
    def hashes(self) -> dict[str, str]:
        """The hash of each question's text (see `text_hash`), by id."""
        return {item.id: text_hash(item) for item in self.items()}


def text_hash(item: Item) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of a question's text, white space as single blanks.

    The text is the item's field ``problem`` or ``question``. So lists of questions that a model has seen can be made
    without k2eval.

    >>> text_hash(Item(id="1", gold="2", fields={"problem": "What is  1 + 1?"}))
    '72f8917549de2d6d'
    """
    text = (
        item.fields.get("problem") or item.fields.get("question") or json.dumps(item.fields, sort_keys=True)
    )
    return hashlib.sha256(" ".join(str(text).split()).encode()).hexdigest()[:16]


def load_questions(task: Task, *, data: Path | None, limit: int | None = None) -> QuestionSet:
    """Find and read the questions of a task.

    Args:
        task: The task.
        data: The local data folder; ``K2EVAL_DATA`` if None. Rows name it in ``_data``.
        limit: Keep only the first N questions.

    Raises:
        DataError: If the questions are not found, cannot be read, or are not as the task expects.
    """
    folder = data or (Path(os.environ["K2EVAL_DATA"]) if os.environ.get("K2EVAL_DATA") else None)
    rows, source = _find(task, folder)
    if folder is not None:
        rows = [{**row, "_data": str(folder)} for row in rows]
    rows = [row for row in rows if _fits(row, task)]
    if not rows:
        raise DataError(f"Task {task.name}: {source} holds no questions that fit. Expected at least one.")
    return QuestionSet(task, rows, source, limit)


def _find(task: Task, folder: Path | None) -> tuple[list[Row], str]:
    spec = task.spec.data
    if task.bundled is not None:
        return list(read_rows(task.bundled)), str(spec.bundled)
    if folder is not None and not folder.is_dir():
        raise DataError(
            f"The data folder {folder} does not exist. Give an existing one with --data or K2EVAL_DATA."
        )
    if folder is not None:
        for pattern in spec.files:
            plain = _matches(folder, pattern, task)
            packed = {
                path for path in _matches(folder, pattern + ".gz", task) if path.with_suffix("") not in plain
            }
            paths = sorted(plain | packed)
            if paths:
                rows = [row for path in paths for row in read_rows(path)]
                return rows, ", ".join(str(path.relative_to(folder)) for path in paths)
    looked = f"looked for {' or '.join(spec.files)} in {folder}" if folder else "no data folder was given"
    return _from_hub(task.name, spec, looked)


def _matches(folder: Path, pattern: str, task: Task) -> set[Path]:
    try:
        return set(folder.glob(pattern))
    except (ValueError, NotImplementedError) as error:
        raise ConfigError(
            f"Task {task.name}: metadata.k2eval.data.files: expected patterns below the data folder, such as "
            f"'aime24/*.jsonl', got {pattern!r} ({error})."
        ) from error


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a ``.jsonl`` or ``.jsonl.gz`` file, with its name in ``_file`` and its path in ``_path``.

    Raises:
        DataError: If the file cannot be read or a line is not a JSON object.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield {**_row(line, path, number), "_file": path.name, "_path": str(path)}
    except (OSError, UnicodeDecodeError, EOFError, zlib.error) as error:
        raise DataError(f"Cannot read the questions in {path}: {error}.") from error


def _row(line: str, path: Path, number: int) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}:{number}: expected a JSON object, got {line[:80]!r} ({error}).") from error
    if not isinstance(row, dict):
        raise DataError(f"{path}:{number}: expected a JSON object, got {type(row).__name__}.")
    return row


def _fits(row: Row, task: Task) -> bool:
    for name, bounds in task.spec.where.items():
        try:
            value = float(row[name])
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise DataError(
                f"Task {task.name}: expected a number in field {name!r}, got {row.get(name)!r:.50}."
            ) from error
        if not (bounds.min is None or value >= bounds.min) or not (bounds.max is None or value <= bounds.max):
            return False
    return True


def _from_hub(name: str, spec: DataSpec, looked: str) -> tuple[list[Row], str]:
    if spec.hub is None:
        raise DataError(
            f"Task {name}: no questions found ({looked}). Give a folder with --data DIR or K2EVAL_DATA."
        )
    from datasets import load_dataset
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.errors import HTTPError

    try:
        try:
            revision = spec.revision or HfApi().dataset_info(spec.hub, timeout=10).sha
        except (HTTPError, OSError):  # out of reach, or switched off
            revision = None  # the cache may still hold it
        rows: list[Row] = []
        for file in spec.hub_files:
            path = hf_hub_download(spec.hub, file, repo_type="dataset", revision=revision)
            rows += read_rows(Path(path))
        if not spec.hub_files:
            rows = list(load_dataset(spec.hub, spec.config, split=spec.split, revision=revision))
    except DataError:
        raise
    except Exception as error:  # the hub's libraries raise errors of a dozen packages
        reason = str(error).strip().splitlines()
        raise DataError(
            f"Task {name}: no questions found. {looked[0].upper()}{looked[1:]}; the Hugging Face dataset {spec.hub} "
            f"is out of reach ({type(error).__name__}: {reason[0] if reason else 'no reason given'}). "
            f"Give a local folder with --data DIR or K2EVAL_DATA, or log in if the dataset is gated."
        ) from error
    return rows, f"{spec.hub}@{revision or 'cached'}"
