"""``run.json`` of k2eval 0.1.0, format 1, as format 2.

Format 1 called repeats ``runs``, marked the tasks of the mathematics average with ``micro: true``, and kept notes
as text alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from k2eval.records import Json, NoteKind

_RENAMED = {"repeats": "runs"}
_LIMITED = "limited to "


def upgraded(run: dict[str, Any], to: int) -> dict[str, Any]:
    """Return the content of a ``run.json`` of format 1 as format ``to`` has it.

    A field of the wrong type stays as it is, for the reader of format 2 to refuse.
    """
    # A run that was killed has no total of speculation yet.
    content = {"speculative": None, **_renamed(run), "format": to}
    for name, change in (("tasks", _tasks), ("engine", _engine), ("speculative", _speculative)):
        if isinstance(content.get(name), dict):
            content[name] = change(content[name])
    return content


def name_in_format_1(field: str) -> str:
    """Return the name of a field in format 1.

    >>> name_in_format_1("repeats"), name_in_format_1("seed")
    ('runs', 'seed')
    """
    return _RENAMED.get(field, field)


def _renamed(section: dict[str, Any]) -> dict[str, Any]:
    names = {old: new for new, old in _RENAMED.items()}
    return {names.get(name, name): value for name, value in section.items()}


def _tasks(tasks: dict[str, Any]) -> dict[str, Any]:
    return {name: _task(task) if isinstance(task, dict) else task for name, task in tasks.items()}


def _task(section: dict[str, Any]) -> dict[str, Any]:
    task = {"part": False, **_renamed(section)}
    if isinstance(task.get("micro"), bool):
        task["micro"] = "math" if task["micro"] else None
    return _with_notes(task, lambda text: _note(text, NoteKind.OTHER))


def _engine(section: dict[str, Any]) -> dict[str, Any]:
    return _with_notes(section, lambda text: _note(text, NoteKind.ENGINE))


def _with_notes(section: dict[str, Any], note: Callable[[str], Json]) -> dict[str, Any]:
    notes = section.get("notes")
    if not isinstance(notes, list):
        return section
    return {**section, "notes": [note(text) if isinstance(text, str) else text for text in notes]}


def _note(text: str, kind: NoteKind) -> dict[str, str]:
    return {"kind": NoteKind.LIMITED if text.startswith(_LIMITED) else kind, "text": text}


def _speculative(section: dict[str, Any]) -> dict[str, Any]:
    generations = section.get("generations")
    if not isinstance(generations, dict):
        return section
    names = {"made": "generated"}
    renamed = {names.get(name, name): number for name, number in generations.items()}
    return {**section, "generations": renamed}
