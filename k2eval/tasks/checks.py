"""Checks of what an adapter returns, so that a wrong item is told before anything is asked."""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence

from k2eval.errors import ConfigError, DataError, K2EvalError
from k2eval.records import Json, Note
from k2eval.system import told
from k2eval.tasks.imports import in_words, kind_of
from k2eval.tasks.task import Item, Items, Row, Task
from k2eval.texts import fault_of_text

_OURS = "k2eval."


def items_of(task: Task, rows: Sequence[Row], repeat_index: int) -> Items:
    """Return the items that a task's adapter makes of its rows in one repeat.

    Raises:
        ConfigError: If the adapter cannot be called, raises an error that is not k2eval's, or returns anything but
            items with different ids.
        DataError: If the adapter says that the rows are wrong, or if an item cannot be asked or graded.
    """
    adapter, path = task.adapter(), task.spec.adapter
    where = f"Adapter {path} of task {task.name}"
    try:
        with told(where[0].lower() + where[1:]):
            result = adapter(rows, task.spec, repeat_index)
    except K2EvalError:
        raise
    except (Exception, SystemExit) as error:
        raise ConfigError(
            f"{where}: expected items made of {len(rows)} rows, but it raised {in_words(error)}. Correct the adapter "
            "or the rows."
        ) from error
    _check_kinds(result, where)
    ids = set()
    for number, item in enumerate(result.items, start=1):
        fault = _fault_of(item, own=not path.startswith(_OURS))
        if fault:
            raise DataError(
                f"Task {task.name}, item {number}: {fault}. Correct the row or the adapter {path}."
            )
        if item.id in ids:
            raise ConfigError(
                f"{where}: expected items with different ids, got {item.id!r:.100} twice. Two samples would be taken "
                "for one."
            )
        ids.add(item.id)
    return result


def check_repeat(task: Task, first: Items, other: Items, repeat_index: int) -> None:
    """Make sure that a repeat asks the questions that another repeat asks.

    Raises:
        ConfigError: If it does not.
    """
    if [item.id for item in first.items] != [item.id for item in other.items]:
        raise ConfigError(
            f"Adapter {task.spec.adapter} of task {task.name}: expected the same ids in one order in every repeat, "
            f"got others in repeat {repeat_index}."
        )


def _check_kinds(result: object, where: str) -> None:
    if inspect.iscoroutine(result):
        result.close()
    if (
        not isinstance(result, Items)
        or not isinstance(result.items, list)
        or not isinstance(result.notes, list)
    ):
        raise ConfigError(
            f"{where}: expected k2eval.tasks.Items(items=[…], notes=[…]) with lists, got {kind_of(result)}. An adapter "
            "is a plain function, not async."
        )
    for note in result.notes:
        if not isinstance(note, Note):
            raise ConfigError(
                f"{where}: expected notes such as k2eval.records.Note(kind=NoteKind.QUESTIONS, text=…), got "
                f"{note!r:.100}."
            )
    for item in result.items:
        if not isinstance(item, Item):
            raise ConfigError(f"{where}: expected each item to be a k2eval.tasks.Item, got {kind_of(item)}.")


def _fault_of(item: Item, *, own: bool) -> str | None:
    """Return why an item cannot be asked or graded, or None if it can."""
    if not isinstance(item.id, str) or not item.id.strip():
        return f"expected an id that is a text, got {item.id!r:.100}"
    for name in ("fields", "tags", "metadata"):
        if not isinstance(getattr(item, name), dict):
            return f"expected {name} to be a dict, got {kind_of(getattr(item, name))}"
    if not isinstance(item.options, (tuple, list)):
        return f"expected options to be a tuple, got {kind_of(item.options)}"
    texts = [item.id, *item.options, *item.tags, *item.tags.values(), *item.fields]
    for text in texts:
        if not isinstance(text, str):
            return f"expected texts as id, options, tags and names of fields, got {text!r:.100}"
    for text in [*texts, *(value for value in item.fields.values() if isinstance(value, str))]:
        fault = fault_of_text(text)
        if fault:
            return f"{fault} in {text[:50]!r}"
    fault = _fault_of_gold(item.gold, own)
    if own:
        fault = fault or _fault_of_json(item.fields, "fields") or _fault_of_json(item.metadata, "metadata")
    return fault


def _fault_of_gold(gold: Json, own: bool) -> str | None:
    if gold is None or (isinstance(gold, str) and not gold.strip()):
        return f"expected a gold answer, got {gold!r}"
    if isinstance(gold, str):
        fault = fault_of_text(gold)
        return f"gold: {fault}" if fault else None
    # Tests of programs are large, and k2eval's own adapters make nothing but JSON.
    return _fault_of_json(gold, "gold") if own or isinstance(gold, float) else None


def _fault_of_json(value: Json, name: str) -> str | None:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        return f"expected {name} to be JSON with finite numbers, but got {in_words(error)}"
    return None
