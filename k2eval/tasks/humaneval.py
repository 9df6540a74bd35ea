"""Rows of HumanEval -> items: complete a Python function from its header and docstring."""

from __future__ import annotations

from collections.abc import Sequence

from k2eval.errors import DataError
from k2eval.tasks.spec import TaskSpec
from k2eval.tasks.task import Item, Items, Row


def items(rows: Sequence[Row], spec: TaskSpec, repeat_index: int) -> Items:
    """Make items of rows of ``openai/openai_humaneval``, as the adapter of the HumanEval task."""
    return Items([item(row) for row in rows], [])


def item(row: Row) -> Item:
    """Make an item of one row; its test is a function ``check(candidate)``, trusted text of the data set."""
    lacking = [name for name in ("task_id", "prompt", "test", "entry_point") if not row.get(name)]
    if lacking:
        raise DataError(
            f"a row of openai/openai_humaneval should have {' and '.join(lacking)}, got the columns {', '.join(row)}"
        )
    return Item(
        id=str(row["task_id"]),
        gold={name: str(row[name]) for name in ("prompt", "test", "entry_point")},
        fields={"problem": str(row["prompt"]).strip(), "entry_point": str(row["entry_point"])},
    )
