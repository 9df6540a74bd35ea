"""``verdicts.jsonl`` -> columns: by Arrow's parser if possible, else line by line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from k2eval.errors import JournalError
from k2eval.journal import is_whole, parsed
from k2eval.records import Outcome, Verdict, score_fault
from k2eval.system import open_file
from k2eval.texts import fault_of_text
from k2eval.values import MOST, read_json

OUTCOMES = tuple(Outcome)
"""All outcomes, in the order of their codes in arrays."""

SCHEMA = pa.schema(
    {
        "task": pa.string(),
        "question_id": pa.string(),
        "repeat_index": pa.int64(),
        "run_index": pa.int64(),  # the name of repeat_index in k2eval 0.1.0
        "outcome": pa.string(),
        "score": pa.float64(),
        "output_tokens": pa.int64(),
        "recipe_tokens": pa.int64(),
        "tags": pa.struct({"date": pa.string(), "month": pa.string(), "steps": pa.string()}),
        "detail": pa.struct(
            {name: pa.int64() for name in ("sub_passed", "sub_total", "sub_errors")}
            | {name: pa.float64() for name in ("reading", "residual")}
        ),
        "notes": pa.struct(
            {
                "marks": pa.list_(pa.string()),
                "answer_judge": pa.struct({"score": pa.float64(), "failed": pa.string()}),
                "tokens_saved_estimate": pa.int64(),
            }
        ),
    }
)
_BLOCK = 1 << 21
"""Number of bytes that one thread parses at a time."""
_REQUIRED = {"task": str, "question_id": str, "repeat_index": int, "outcome": str}
_FIELDS = frozenset(Verdict.model_fields)
_FIELDS_OF_0_1 = _FIELDS - {"repeat_index"} | {"run_index"}


def read_verdicts(path: Path) -> tuple[pa.Table, bool]:
    """Read the columns of `SCHEMA` from a ``verdicts.jsonl``, and tell whether a torn last line was left out.

    Raises:
        JournalError: If the file cannot be read, or a line other than a torn last line is no verdict.
    """
    if not path.exists():
        return SCHEMA.empty_table(), False
    try:
        with open_file(path) as file:
            data = file.read()
    except OSError as error:
        raise JournalError(f"Cannot read {path}: {error.strerror or error}. Restore the file.") from error
    torn = bool(data) and not data.endswith(b"\n") and not is_whole(data[data.rfind(b"\n") + 1 :], Verdict)
    if torn:
        data = data[: data.rfind(b"\n") + 1]
    if not data or data.isspace():
        return SCHEMA.empty_table(), torn
    table = _read_fast(data)
    return (table if table is not None else _read_slowly(path, data)), torn


def _read_fast(data: bytes) -> pa.Table | None:
    """Parse all lines with Arrow; return None if it meets anything but plain verdicts, one on each line."""
    lines = _objects(data)
    if lines is None:
        return None
    table = _parsed(data, _BLOCK)
    if table is None and len(data) > _BLOCK:  # a line may be longer than a block
        table = _parsed(data, min(len(data), 1 << 30))
    table = None if table is None else _with_repeats(table)
    if table is None or table.num_rows != lines or any(table[name].null_count for name in _REQUIRED):
        return None
    return table if _is_sound(table) and _has_known_fields(data) else None


def _has_known_fields(data: bytes) -> bool:
    """Return whether each line has the fields of a verdict: Arrow leaves unknown ones out without a word."""
    try:
        return all(_is_verdict(orjson.loads(line).keys()) for line in data.split(b"\n") if line)
    except ValueError:  # Arrow takes what orjson does not, such as a NaN
        return False


def _is_verdict(names: Set[str]) -> bool:
    return "grader" in names and (names <= _FIELDS or names <= _FIELDS_OF_0_1)


def _objects(data: bytes) -> int | None:
    """Return the number of lines; None if one is no object, since Arrow ends the process at ``null`` alone."""
    content = np.frombuffer(data, dtype=np.uint8)
    starts = np.concatenate(([0], np.flatnonzero(content == ord("\n")) + 1))
    starts = starts[starts < len(content)]
    return len(starts) if (content[starts] == ord("{")).all() else None


def _is_sound(table: pa.Table) -> bool:
    """Return whether every outcome is known, every score fits it, and every count and score of a judge can be one."""
    outcome, score = table["outcome"], table["score"]
    known = pc.is_in(outcome, value_set=pa.array([str(outcome) for outcome in OUTCOMES]))
    failed = pc.is_in(outcome, value_set=pa.array([str(kind) for kind in OUTCOMES if kind.is_infrastructure]))
    right = pc.equal(outcome, str(Outcome.CORRECT))
    fits = pc.if_else(
        failed,
        pc.is_null(score),
        pc.fill_null(
            pc.and_(
                pc.greater_equal(score, 0.0), pc.if_else(right, pc.equal(score, 1.0), pc.less(score, 1.0))
            ),
            False,
        ),
    )
    judged = _field(table, _JUDGED)
    sound = [pc.and_(known, fits), _within(table["repeat_index"], MOST), _within(judged, 1.0)]
    sound += [_within(_field(table, path), MOST) for path in _COUNTS]
    return all(pc.all(each).as_py() for each in sound)


_COUNTS = (
    ("output_tokens",), ("recipe_tokens",), ("notes", "tokens_saved_estimate"),
    *(("detail", name) for name in ("sub_passed", "sub_total", "sub_errors")),
)  # fmt: skip
"""Columns that hold counts, each by its path."""
_JUDGED = ("notes", "answer_judge", "score")


def _field(table: pa.Table, path: Sequence[str]) -> pa.Array:
    column = table[path[0]].combine_chunks()
    return pc.struct_field(column, list(path[1:])) if path[1:] else column


def _within(column: pa.Array, most: float) -> pa.Array:
    return pc.fill_null(pc.and_(pc.greater_equal(column, 0), pc.less_equal(column, most)), True)


def _with_repeats(table: pa.Table) -> pa.Table:
    """Fill ``repeat_index`` from ``run_index``, its name in k2eval 0.1.0."""
    column = pc.coalesce(table["repeat_index"], table["run_index"])
    return table.set_column(table.schema.get_field_index("repeat_index"), "repeat_index", column)


def _parsed(data: bytes, block: int) -> pa.Table | None:
    try:
        return pj.read_json(
            pa.BufferReader(data),
            read_options=pj.ReadOptions(block_size=block),
            parse_options=pj.ParseOptions(explicit_schema=SCHEMA, unexpected_field_behavior="ignore"),
        )
    except pa.ArrowInvalid:
        return None


def _read_slowly(path: Path, data: bytes) -> pa.Table:
    """Parse line by line, for text that Arrow refuses (unpaired surrogates) and to name the line that is wrong."""
    rows = list(_rows(path, data))
    try:
        return pa.Table.from_pylist(rows, schema=SCHEMA)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise JournalError(
            f"{path}: expected verdicts of k2eval, got a field of another type ({error}). "
            f"Grade again with `k2eval grade {path.parent}`."
        ) from error


def _rows(path: Path, data: bytes) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(data.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            row = read_json(line, texts=False)
            known = isinstance(row, dict) and _is_verdict(row.keys())
            if isinstance(row, dict) and "run_index" in row:
                row.setdefault("repeat_index", row.pop("run_index"))
            good = isinstance(row, dict) and all(
                type(row.get(name)) is kind for name, kind in _REQUIRED.items()
            )
            good = good and row["repeat_index"] >= 0 and type(row.get("score")) in (int, float, type(None))
            fault = score_fault(
                Outcome(row["outcome"] if good else ""), row.get("score")
            ) or _fault_of_counts(row)
            fault = fault or next(
                filter(None, (fault_of_text(row[name]) for name in ("task", "question_id"))), None
            )
        except ValueError:
            fault = (
                "expected a verdict (a JSON object with task, question_id, repeat_index, outcome and score)"
            )
        if fault:
            raise JournalError(
                f"{path}:{number}: {fault}, in {line[:80]!r}. Remove that line, and the next start of the run makes "
                "again what is then missing."
            ) from None
        if not known:
            parsed(line, Verdict, f"{path}:{number}")
        row |= {name: row.get(name) or {} for name in ("tags", "detail", "notes")}
        yield {name: row.get(name) for name in SCHEMA.names}


def _fault_of_counts(row: dict[str, Any]) -> str | None:
    """Return why a number in a verdict cannot be one, or None if all can."""
    for path, kinds, most in [*((path, (int,), MOST) for path in _COUNTS), (_JUDGED, (int, float), 1)]:
        value: Any = row
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        if value is not None and not (type(value) in kinds and 0 <= value <= most):
            return f"expected a number from 0 to {most} as {'.'.join(path)}, got {value!r:.50}"
    return None
