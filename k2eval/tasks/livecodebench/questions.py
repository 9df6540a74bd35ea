"""Rows of ``livecodebench/code_generation_lite`` -> items of a task."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from k2eval.errors import ConfigError, DataError
from k2eval.records import Json, Note, NoteKind
from k2eval.tasks.livecodebench.releases import Selection, contest_day
from k2eval.tasks.spec import TaskSpec
from k2eval.tasks.task import Item, Items, Row

_COLUMNS = (
    *("question_id", "question_content", "platform", "difficulty", "contest_date", "starter_code"),
    *("public_test_cases", "private_test_cases", "metadata"),
)

PUBLIC_ONLY = "public only"
"""The tag ``tests`` of a question without hidden tests."""

ERRATA = {
    "abc311_c": "several answers are right, one is accepted",
    "abc326_d": "several answers are right, one is accepted",
    "abc327_b": "several answers are right, one is accepted",
    "abc333_e": "several answers are right, one is accepted",
    "abc343_a": "several answers are right, one is accepted",
    "abc343_e": "several answers are right, one is accepted",
    "abc362_c": "several answers are right, one is accepted",
    "arc185_c": "several answers are right, one is accepted",
    "3194": "several answers are right, one is accepted",
    "3221": "several answers are right, one is accepted",
    "3453": "several answers are right, one is accepted",
    "abc337_e": "interactive: cannot be solved by one program run",
    "abc355_e": "interactive: cannot be solved by one program run",
    "abc350_c": "a test is wrong",
    "arc189_a": "a test is wrong",
    "3308": "a test is wrong",
    "3363": "a test is wrong",
}
"""Questions with known faults, by id: ``ERRATA.md`` of LiveCodeBench at revision b0fc86b (2025-07-08).

``ERRATA.md`` names LeetCode's problems by title. In the order above, these are: find-words-containing-character,
find-the-peaks, generate-binary-strings-without-adjacent-zeros, apply-operations-to-make-string-empty,
most-frequent-ids."""


def items(rows: Sequence[Row], spec: TaskSpec, repeat_index: int) -> Items:
    """Make items of the questions that ``spec.options`` select, oldest contest first.

    Options: ``release`` (``v1`` … ``v6``), ``from`` and ``until`` (contest dates, inclusive), ``added`` (only the
    questions that the release added), ``parity`` (``official`` for the official grader's way of running programs).
    """
    parity = spec.options.get("parity")
    if parity not in (None, "official"):
        raise ConfigError(f"Task {spec.task}: parity should be official or not set, got {parity!r}.")
    selection = Selection.of(spec.options)
    selected = [row for row in best_rows(rows) if selection.holds(row)]
    selected.sort(key=lambda row: (contest_day(row), str(row["question_id"])))
    items = [item(row, official=parity == "official") for row in selected]
    return Items(items, _notes(items, official=parity == "official"))


def best_rows(rows: Iterable[Row]) -> list[Row]:
    """Return one row per question, in order of first appearance; of several rows, the one with most hidden tests."""
    best: dict[str, Row] = {}
    for row in rows:
        lacking = [column for column in _COLUMNS if column not in row]
        if lacking:
            raise DataError(
                f"a row of livecodebench/code_generation_lite should have {' and '.join(lacking)}, got the "
                f"columns {', '.join(row)}"
            )
        name = str(row["question_id"])
        if name not in best or _hidden_size(row) > _hidden_size(best[name]):
            best[name] = row
    return list(best.values())


def item(row: Row, *, official: bool = False) -> Item:
    """Make an item of one row; its tests stay encoded in ``gold``, and the grader decodes them."""
    name = str(row["question_id"])
    metadata: dict[str, Json] = {"parity": "official"} if official else {}
    if name in ERRATA:
        metadata["erratum"] = ERRATA[name]
    return Item(
        id=name,
        gold={
            "public": _text(row["public_test_cases"]),
            "private": _text(row["private_test_cases"]),
            "function": _function(row),
        },
        fields={"problem": str(row["question_content"]).strip(), "starter_code": row["starter_code"] or ""},
        tags={
            "difficulty": str(row["difficulty"]),
            "platform": str(row["platform"]),
            "month": contest_day(row).isoformat()[:7],
            "tests": "hidden" if _hidden_size(row) else PUBLIC_ONLY,
        },
        metadata=metadata,
    )


def _notes(items: Sequence[Item], *, official: bool) -> list[Note]:
    bare = sum(item.tags["tests"] == PUBLIC_ONLY for item in items)
    faulty = sum("erratum" in item.metadata for item in items)
    notes = []
    if bare:
        text = f"{bare} questions have public tests only, so passing them proves little"
        notes.append(Note(kind=NoteKind.MISSING, text=text))
    if faulty:
        text = f"{faulty} questions have known faults (LiveCodeBench's errata)"
        notes.append(Note(kind=NoteKind.QUESTIONS, text=text))
    if official:
        text = "programs run the official grader's way (parity=official), quirks included"
        notes.append(Note(kind=NoteKind.GRADING, text=text))
    return notes


def _function(row: Row) -> str | None:
    """Return the name of the function to call; None for programs that read standard input."""
    metadata = row["metadata"]
    try:
        mapping = json.loads(metadata or "{}") if isinstance(metadata, str | None) else metadata
        name = mapping.get("func_name")
    except (ValueError, AttributeError) as error:
        raise DataError(
            f"question {row['question_id']!r}: metadata should be a JSON object: {error}"
        ) from error
    return None if name is None else str(name)


def _text(tests: Json) -> str:
    """Return a column of tests as text; some copies of the data set hold it as a list."""
    return tests if isinstance(tests, str) else json.dumps(tests or [])


def _hidden_size(row: Row) -> int:
    """Return the length of the encoded hidden tests; 0 for an empty list."""
    encoded = _text(row["private_test_cases"]).strip()
    return 0 if encoded in ("", "[]") else len(encoded)
