"""Sources of questions: a local folder first, then the pinned Hugging Face dataset."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from k2eval.errors import ConfigError, DataError
from k2eval.records import Note, NoteKind, Question, digest
from k2eval.tasks.checks import check_repeat, items_of
from k2eval.tasks.rows import read_rows
from k2eval.tasks.spec import DataSpec
from k2eval.tasks.task import Item, Items, Row, Task

_UNCHECKED = "the questions or their keys are not those that k2eval was checked with"


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
            found = items_of(self.task, self.rows, repeat_index)
            if not self._items:
                found = _with_absent_noted(self.task, found, self.source)
            items = without_corrupt(found, self.task.spec.data)
            if not items.items:
                raise DataError(
                    f"Task {self.task.name}: {self.source} holds no questions that fit. Expected at least one."
                )
            if self._items:
                check_repeat(self.task, next(iter(self._items.values())), items, repeat_index)
            else:
                self._refuse_withdrawn(items)
            self._items[repeat_index] = items
        return self._items[repeat_index].items[: self.limit]

    def _refuse_withdrawn(self, items: Items) -> None:
        withdrawn = self.task.spec.data.withdrawn
        sets = [items.items, *([item] for item in items.items)] if withdrawn else []
        reason = next(filter(None, (withdrawn.get(checksum(each)) for each in sets)), None)
        if reason:
            raise DataError(f"Task {self.task.name}: {self.source} must not be used: {reason}.")

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
        if self.task.spec.data.checked not in (None, checksum(self.all_items)):
            notes.insert(0, Note(kind=NoteKind.QUESTIONS, text=_UNCHECKED))
        if self.task.language != "en":
            text = f"instructions in the language {self.task.language!r}"
            notes.append(Note(kind=NoteKind.QUESTIONS, text=text))
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
    return hashlib.sha256(" ".join(text_of(item).split()).encode()).hexdigest()[:16]


def text_of(item: Item) -> str:
    """Return a question's text: its field ``problem`` or ``question``, or else all fields."""
    text = (
        item.fields.get("problem") or item.fields.get("question") or json.dumps(item.fields, sort_keys=True)
    )
    return str(text)


def checksum(items: Sequence[Item]) -> str:
    """Return a digest of the texts and golds of questions, whatever their ids, their order and their white space.

    >>> one, two = (Item(id=name, gold="2", fields={"problem": f"1 + 1 {name}"}) for name in ("a", "b"))
    >>> checksum([one, two]) == checksum([two, one])
    True
    """
    return digest(sorted([text_hash(item), " ".join(str(item.gold).split())] for item in items))[:16]


def without_corrupt(items: Items, spec: DataSpec) -> Items:
    """Return the items without those whose gold is a key that is known to be wrong, and a note that names them."""
    out = [item for item in items.items if spec.corrupt.get(item.id) == str(item.gold).strip()]
    if not out:
        return items
    names = ", ".join(f"{item.id} ({item.gold!s:.30})" for item in out)
    note = Note(
        kind=NoteKind.QUESTIONS,
        text=f"left out, since their keys are known to be wrong: {names}",
    )
    left_out = {item.id for item in out}
    return Items([item for item in items.items if item.id not in left_out], [*items.notes, note])


def _with_absent_noted(task: Task, items: Items, source: str) -> Items:
    """Return the items with a note on ids of ``data.corrupt`` that other rows, or rows left out, may account for.

    Raises:
        ConfigError: If nothing accounts for them, so that a question with a wrong key may count.
    """
    known = {item.id for item in items.items}
    absent = [name for name in task.spec.data.corrupt if name not in known]
    if not absent:
        return items
    if task.spec.where or task.spec.questions not in (None, len(items.items)):
        text = f"no question has the id of a key that is known to be wrong: {', '.join(absent)}"
        return Items(items.items, [*items.notes, Note(kind=NoteKind.QUESTIONS, text=text)])
    raise ConfigError(
        f"Task {task.name}: metadata.k2eval.data.corrupt: expected ids of questions in {source} (such as "
        f"{', '.join(sorted(known)[:3])}), got {', '.join(map(repr, absent))}. Correct the id there or in the rows: a "
        "question whose key is known to be wrong would count. If the rows are a part of the benchmark, say in "
        "metadata.k2eval.questions how many it has."
    )


def load_questions(
    task: Task, *, data: Path | None, limit: int | None = None, hub: bool = True
) -> QuestionSet:
    """Find and read the questions of a task.

    Args:
        task: The task.
        data: The local data folder; ``K2EVAL_DATA`` if None. Rows name it in ``_data``.
        limit: Keep only the first N questions.
        hub: Whether the hub is asked if the folder does not have the rows.

    Raises:
        DataError: If the questions are not found, cannot be read, or are not as the task expects.
    """
    folder = data or (Path(os.environ["K2EVAL_DATA"]) if os.environ.get("K2EVAL_DATA") else None)
    rows, source = _find(task, folder, hub)
    if folder is not None:
        rows = [{**row, "_data": str(folder)} for row in rows]
    rows = [row for row in rows if _fits(row, task)]
    if not rows:
        raise DataError(f"Task {task.name}: {source} holds no questions that fit. Expected at least one.")
    return QuestionSet(task, rows, source, limit)


def _find(task: Task, folder: Path | None, hub: bool) -> tuple[list[Row], str]:
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
    if not hub:
        raise DataError(f"{looked[0].upper()}{looked[1:]}; on the hub: {spec.hub or 'nothing'}.")
    return _from_hub(task.name, spec, looked)


def _matches(folder: Path, pattern: str, task: Task) -> set[Path]:
    try:
        return set(folder.glob(pattern))
    except (ValueError, NotImplementedError) as error:
        raise ConfigError(
            f"Task {task.name}: metadata.k2eval.data.files: expected patterns below the data folder, such as "
            f"'aime24/*.jsonl', got {pattern!r} ({error})."
        ) from error


def _fits(row: Row, task: Task) -> bool:
    for name, bounds in task.spec.where.items():
        if bounds.among:
            if row.get(name) not in bounds.among:
                return False
            continue
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
        where = f" They are published at {spec.origin}." if spec.origin else ""
        raise DataError(
            f"Task {name}: no questions found ({looked}).{where} Give a folder with --data DIR or K2EVAL_DATA."
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
