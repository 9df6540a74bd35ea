"""Scripted conversations: questions of several user turns, between which a model's own replies are put.

A question keeps its script in ``metadata["turns"]``, and the system text that belongs to the question itself in
``metadata["system"]``. `k2eval.recipes.conversation` asks turn by turn. Its response is a *container*, a JSON object
with the whole conversation, which graders read back with `replies`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from k2eval.errors import DataError
from k2eval.records import Json, Message, Question
from k2eval.tasks.adapters import distinct, item_id, sound, tags_of
from k2eval.tasks.spec import TaskSpec
from k2eval.tasks.task import Item, Items, Row

CONVERSATION = "conversation"
"""The one key of a container; its value lists all turns, replies included."""

_MOST_TURNS = 100


def script_of(question: Question) -> tuple[Message, ...]:
    """Return the scripted turns of a question; none if it has a single prompt."""
    return tuple(Message.model_validate(turn) for turn in question.metadata.get("turns") or ())


def container(turns: Sequence[Message]) -> str:
    """Return the response that holds a whole conversation.

    >>> container([Message(role="user", content="Hello"), Message(role="assistant", content="Good day")])
    '{"conversation": [["user", "Hello"], ["assistant", "Good day"]]}'
    """
    return json.dumps({CONVERSATION: [[turn.role, turn.content] for turn in turns]})


def turns_held(text: str) -> tuple[Message, ...] | None:
    """Return the turns that a response from `container` holds; None for any other text.

    >>> turns_held(container([Message(role="user", content="Hello")]))
    (Message(role='user', content='Hello'),)
    >>> turns_held("Hello") is None
    True
    """
    if not text.startswith(f'{{"{CONVERSATION}": [['):
        return None
    try:
        held = json.loads(text)[CONVERSATION]
        return tuple(Message(role=role, content=content) for role, content in held)
    except (ValueError, RecursionError, TypeError):
        return None


def replies(question: Question, text: str) -> list[str]:
    """Return what the model said in each turn that it was asked; a text without a container is one reply.

    Replies that the script itself gives are left out.
    """
    script = script_of(question)
    held = turns_held(text) if script else None
    if held is None:
        return [text]
    given = [turn.content for turn in script if turn.role == "assistant"]
    said = [turn.content for turn in held if turn.role == "assistant"]
    for content in given:
        if content in said:
            said.remove(content)
    return said


def scripted(
    name: str,
    gold: Json,
    turns: Sequence[Message],
    system: str = "",
    tags: dict[str, str] | None = None,
    metadata: Mapping[str, Json] | None = None,
) -> Item:
    """Return the item of a scripted conversation.

    The template gets ``problem`` (the user's turns as one text, for harnesses that ask once), ``turns`` and ``system``.
    """
    plain: list[Json] = [turn.model_dump() for turn in turns]
    users = [turn.content for turn in turns if turn.role == "user"]
    fields: dict[str, Json] = {"problem": "\n\n".join(users), "turns": plain, "system": system}
    return Item(
        name, gold, fields, tags=tags or {}, metadata={"turns": plain, "system": system, **(metadata or {})}
    )


def conversations(rows: Sequence[Row], spec: TaskSpec, repeat_index: int) -> Items:
    """Make items of conversations that rows script.

    The field ``turns`` is a list of texts of the user, or of objects with ``role`` and ``content``. The field
    ``system`` may hold a system text of the question. The fields ``answer`` (the gold), ``secrets``, ``permitted`` and
    ``patterns`` go to the grader (`k2eval.grading.leaks`).
    """
    items = []
    for number, row in enumerate(rows, start=1):
        place = f"Task {spec.task}, row {number}"
        turns = turns_of(row.get(spec.fields.get("turns", "turns")), place)
        system = _text(row.get(spec.fields.get("system", "system")) or "", f"{place}, system", empty=True)
        metadata = {
            role: _texts(row.get(spec.fields.get(role, role)), f"{place}, {role}")
            for role in ("secrets", "permitted", "patterns")
        }
        gold = row.get(spec.fields.get("answer", "answer")) or "; ".join(metadata["secrets"]) or "refuse"
        name = item_id(row, spec, system + "\n".join(turn.content for turn in turns))
        items.append(scripted(name, gold, turns, system, tags_of(row, spec), metadata))
    return Items(distinct(items), [])


def turns_of(value: Any, place: str) -> tuple[Message, ...]:
    """Return the turns of a row, checked.

    Args:
        value: Texts of the user, or objects with ``role`` and ``content``.
        place: Where it stands, for the message.

    Raises:
        DataError: If it is no list of turns of which the last is the user's, or the assistant speaks first or twice.
    """
    if not isinstance(value, list) or not 0 < len(value) <= _MOST_TURNS:
        raise DataError(
            f"{place}: expected a list of 1 to {_MOST_TURNS} turns, got {value!r:.100}. Correct the row."
        )
    turns: list[Message] = []
    for entry in value:
        role, content = ("user", entry) if isinstance(entry, str) else _of_object(entry, place)
        if role == "assistant" and (not turns or turns[-1].role == "assistant"):
            raise DataError(
                f"{place}: expected each turn of the assistant behind one of the user. Correct the row."
            )
        turns.append(Message(role=role, content=_text(content, f"{place}, a turn")))
    if turns[-1].role != "user":
        raise DataError(
            f"{place}: expected the user to have the last turn, got the assistant. Correct the row."
        )
    return tuple(turns)


def _of_object(entry: Any, place: str) -> tuple[Any, Any]:
    if (
        isinstance(entry, Mapping)
        and set(entry) == {"role", "content"}
        and entry["role"] in ("user", "assistant")
    ):
        return entry["role"], entry["content"]
    raise DataError(
        f"{place}: expected a turn as a text or as {{role: user or assistant, content: …}}, got {entry!r:.100}."
    )


def _text(value: Any, place: str, *, empty: bool = False) -> str:
    if not isinstance(value, str) or not (empty or value.strip()):
        raise DataError(f"{place}: expected a text, got {value!r:.100}. Correct the row.")
    return sound(value, place, value)


def _texts(value: Any, place: str) -> list[Json]:
    if value is None:
        return []
    if not isinstance(value, list):
        value = [value]
    return [_text(entry, place) for entry in value]
