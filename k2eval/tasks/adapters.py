"""Rows -> items, for the two plain kinds of benchmark: short answers and choices of options."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

from k2eval.errors import ConfigError, DataError, did_you_mean
from k2eval.records import digest
from k2eval.tasks.spec import TaskSpec
from k2eval.tasks.task import Item, Items, Row
from k2eval.texts import fault_of_text

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def answers(rows: Sequence[Row], spec: TaskSpec, repeat_index: int) -> Items:
    """Make items with a short answer, the same in every repeat; the template gets ``problem``."""
    items = []
    for number, row in enumerate(rows, start=1):
        problem = required(row, spec, "problem", number)
        answer = required(row, spec, "answer", number)
        metadata = {"answer_type": spec.answer_type} if spec.answer_type else {}
        items.append(
            Item(
                id=item_id(row, spec, problem),
                gold=answer,
                fields={"problem": problem},
                tags=tags_of(row, spec),
                metadata=metadata,
            )
        )
    return Items(distinct(items), [])


def numbers(rows: Sequence[Row], spec: TaskSpec, repeat_index: int) -> Items:
    """Make items whose answer is a number, the same in every repeat; the template gets ``problem``.

    The task's options ``tolerance``, ``min``, ``max``, ``units`` and ``unit`` go to the grader
    (`k2eval.grading.number`).
    """
    settings = numeric_settings(spec)
    items = []
    for number, row in enumerate(rows, start=1):
        problem, answer = (required(row, spec, role, number) for role in ("problem", "answer"))
        try:
            gold = float(answer)
        except ValueError:
            gold = math.nan
        if not math.isfinite(gold):
            raise DataError(
                f"Task {spec.task}, row {number}: expected a number as answer, got {answer!r:.50}."
            )
        name = item_id(row, spec, problem)
        items.append(Item(name, gold, {"problem": problem}, tags=tags_of(row, spec), metadata=dict(settings)))
    return Items(distinct(items), [])


def numeric_settings(spec: TaskSpec) -> dict[str, Any]:
    """Return the options of a task with measured numbers that the grader reads.

    Raises:
        ConfigError: If an option is unknown, or no such number, or no number could pass.
    """
    known_options(spec, *_NUMERIC, "unit")
    settings = {name: value for name, value in spec.options.items() if value is not None}
    units, asked = settings.get("units", {}), settings.get("unit", [])
    if not isinstance(units, dict):
        raise ConfigError(f"Task {spec.task}: expected numbers as option units, got {units!r:.100}.")
    for name, value in [
        *((name, settings[name]) for name in _NUMERIC[:3] if name in settings),
        *units.items(),
    ]:
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise ConfigError(f"Task {spec.task}: expected numbers as option {name}, got {value!r:.100}.")
    if not isinstance(asked, list) or not all(isinstance(each, str) and each.strip() for each in asked):
        raise ConfigError(f"Task {spec.task}: expected a list of names as option unit, got {asked!r:.100}.")
    low, high = settings.get("min", -math.inf), settings.get("max", math.inf)
    if settings.get("tolerance", 0) < 0 or low >= high or 0 in units.values():
        raise ConfigError(
            f"Task {spec.task}: expected a tolerance from 0, min below max, and factors of units other than 0, got "
            f"{settings!r:.200}."
        )
    return settings


def known_options(spec: TaskSpec, *names: str) -> None:
    """Raise an error if a task has another option than these.

    Raises:
        ConfigError: If it has; a misspelt option would not count.
    """
    for name in spec.options:
        if name not in names:
            raise ConfigError(f"Task {spec.task}: no option {name!r:.50}. {did_you_mean(name, list(names))}")


_NUMERIC = ("tolerance", "min", "max", "units")


def choices(rows: Sequence[Row], spec: TaskSpec, repeat_index: int) -> Items:
    """Make items with options, in an order that depends only on the question's id and the repeat index.

    The correct option is in the field ``answer`` and the others in the fields that ``wrong`` lists (separated by
    commas). Or all are in a list field ``options``. Then ``answer`` is the index of the correct one; or ``letter`` is
    its letter, and ``answer`` its text. The template gets ``question`` and ``choices``, the options as lines ``A. …``.

    The task's option ``order: given`` keeps the options in the order of the row, in every repeat.
    """
    known_options(spec, "order")
    kept = spec.options.get("order", "shuffled")
    if kept not in ("given", "shuffled"):
        raise ConfigError(f"Task {spec.task}: expected order to be given or shuffled, got {kept!r:.50}.")
    items = []
    for number, row in enumerate(rows, start=1):
        question = required(row, spec, "problem", number)
        texts, right = _options_of(row, spec, number)
        identity = item_id(row, spec, question)
        order = list(range(len(texts)))
        if kept == "shuffled":
            random.Random(digest("option order", identity, repeat_index)).shuffle(order)
        shuffled = tuple(texts[position] for position in order)
        items.append(
            Item(
                id=identity,
                gold=LETTERS[order.index(right)],
                fields={
                    "question": question,
                    "choices": "\n".join(f"{LETTERS[i]}. {text}" for i, text in enumerate(shuffled)),
                },
                options=shuffled,
                tags=tags_of(row, spec),
            )
        )
    return Items(distinct(items), [])


def _options_of(row: Row, spec: TaskSpec, number: int) -> tuple[list[str], int]:
    if "options" in spec.fields and "letter" in spec.fields:
        return _options_by_letter(row, spec, number)
    if "options" in spec.fields:
        texts = row.get(spec.fields["options"])
        right = row.get(spec.fields.get("answer", "answer"))
        if (
            not isinstance(texts, list)
            or not isinstance(right, int)
            or isinstance(right, bool)
            or not 0 <= right < len(texts) <= len(LETTERS)
            or not all(str(text).strip() for text in texts)
        ):
            raise DataError(
                f"Task {spec.task}, row {number}: expected a list of at most {len(LETTERS)} options, none empty, and "
                f"the index of the right one, got {texts!r:.100} and {right!r:.50}."
            )
        place = f"Task {spec.task}, row {number}, options"
        return [sound(str(text).strip(), place, text) for text in texts], right
    right_text = required(row, spec, "answer", number)
    if "wrong" not in spec.fields:
        raise ConfigError(
            f"Task {spec.task}: metadata.k2eval.fields must name 'wrong' or 'options', got neither."
        )
    wrong = [name.strip() for name in spec.fields["wrong"].split(",")]
    texts = [right_text, *(_text(row, name, spec, number) for name in wrong)]
    return [text.strip() for text in texts], 0


def _options_by_letter(row: Row, spec: TaskSpec, number: int) -> tuple[list[str], int]:
    """Return the options, and the index that the letter tells, if the answer's text is the option of that letter."""
    letter, answer = (required(row, spec, role, number).strip() for role in ("letter", "answer"))
    texts = row.get(spec.fields["options"])
    listed = [str(text).strip() for text in texts] if isinstance(texts, list) else []
    if not all(listed) or len(set(listed)) < len(listed) or not 2 <= len(listed) <= len(LETTERS):
        raise DataError(
            f"Task {spec.task}, row {number}: expected a list of 2 to {len(LETTERS)} different options, none empty, "
            f"got {texts!r:.200}. Correct the row."
        )
    right = LETTERS.find(letter) if len(letter) == 1 else -1
    if not 0 <= right < len(listed) or listed[right].split() != answer.split():
        raise DataError(
            f"Task {spec.task}, row {number}: expected the letter of the option {answer!r:.100}, got {letter!r:.20} "
            f"for {listed!r:.200}. Correct the row."
        )
    place = f"Task {spec.task}, row {number}, options"
    return [sound(text, place, text) for text in listed], right


def required(row: Row, spec: TaskSpec, role: str, number: int) -> str:
    """Return the text of the field that plays ``role``.

    Raises:
        DataError: If the field is missing or empty.
    """
    return _text(row, spec.fields.get(role, role), spec, number)


def _text(row: Row, name: str, spec: TaskSpec, number: int) -> str:
    value: Any = row.get(name)
    if (
        value is None
        or (isinstance(value, str) and not value.strip())
        or isinstance(value, (dict, list, bool))
    ):
        raise DataError(
            f"Task {spec.task}, row {number}: expected a text or number in field {name!r}, got {value!r:.100}. "
            f"Fields there: {', '.join(name for name in row if not name.startswith('_'))}."
        )
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return sound(str(value), f"Task {spec.task}, row {number}, field {name!r}", value)


def sound(text: str, place: str, value: object) -> str:
    """Return ``text`` if models and graders can read it.

    Args:
        text: A text of a row.
        place: Where it stands, for the message.
        value: The value in the row.

    Raises:
        DataError: If it cannot be written as UTF-8, or is a number that is not finite.
    """
    fault = fault_of_text(text)
    if isinstance(value, float) and not math.isfinite(value):
        fault = f"expected a finite number, got {value}"
    if fault:
        raise DataError(f"{place}: {fault}. Correct the row.")
    return text


def item_id(row: Row, spec: TaskSpec, text: str) -> str:
    """Return the row's own id, or a digest of its text if it has none."""
    name = spec.fields.get("id")
    value = row.get(name) if name else None
    if value in (None, ""):
        return digest(text)[:12]
    if isinstance(value, (dict, list, bool)):
        raise DataError(
            f"Task {spec.task}: expected a text or number as id in field {name!r}, got {value!r:.100}. Correct the row."
        )
    return sound(str(value), f"Task {spec.task}, field {name!r} of a row", value)


def tags_of(row: Row, spec: TaskSpec) -> dict[str, str]:
    """Return the row's tags as texts, without the empty ones."""
    values = {tag: row.get(name) for tag, name in spec.tags.items()}
    return {
        tag: sound(str(value), f"Task {spec.task}, tag {tag!r} of a row", value)
        for tag, value in values.items()
        if value not in (None, "", [])
    }


def distinct(items: Sequence[Item]) -> list[Item]:
    """Return the items with distinct ids: ``-2``, ``-3`` … is appended to an id that occurs again."""
    from dataclasses import replace

    taken = {item.id for item in items}
    seen: dict[str, int] = {}
    result = []
    for item in items:
        count = seen.get(item.id, 0) + 1
        while count > 1 and f"{item.id}-{count}" in taken:
            count += 1
        seen[item.id] = count
        result.append(item if count == 1 else replace(item, id=f"{item.id}-{count}"))
    return result
