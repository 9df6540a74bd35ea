"""Rows of HumanEval, HumanEval+ and MBPP+ -> items: write a Python function."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Sequence

from k2eval.errors import DataError
from k2eval.tasks.spec import TaskSpec
from k2eval.tasks.task import Item, Items, Row


def items(rows: Sequence[Row], spec: TaskSpec, repeat_index: int) -> Items:
    """Make items of rows of ``openai/openai_humaneval`` or ``evalplus/humanevalplus``, as their tasks' adapter."""
    return Items([item(row) for row in rows], [])


def item(row: Row) -> Item:
    """Make an item of one row; its test is a function ``check(candidate)``, trusted text of the data set."""
    lacking = [name for name in ("task_id", "prompt", "test", "entry_point") if not row.get(name)]
    if lacking:
        raise DataError(
            f"a row of HumanEval should have {' and '.join(lacking)}, got the columns {', '.join(row)}"
        )
    return Item(
        id=str(row["task_id"]),
        gold={name: str(row[name]) for name in ("prompt", "test", "entry_point")},
        fields={"problem": str(row["prompt"]).strip(), "entry_point": str(row["entry_point"])},
    )


def mbpp_items(rows: Sequence[Row], spec: TaskSpec, repeat_index: int) -> Items:
    """Make items of rows of ``evalplus/mbppplus``, as the adapter of the MBPP+ task."""
    return Items([mbpp_item(row) for row in rows], [])


def mbpp_item(row: Row) -> Item:
    """Make an item of one row, whose test calls the function by its name.

    The test becomes a function ``check(candidate)``, as HumanEval has it. The prompt shows the first assertion of
    ``test_list``, as EvalPlus does.

    Raises:
        DataError: If a column is missing, or the row does not tell the name of the function.
    """
    lacking = [name for name in ("task_id", "prompt", "code", "test", "test_list") if not row.get(name)]
    if lacking:
        raise DataError(
            f"a row of MBPP+ should have {' and '.join(lacking)}, got the columns {', '.join(row)}"
        )
    tests = [str(test) for test in row["test_list"]]
    name = _called(str(row["code"]), tests)
    if name is None:
        raise DataError(
            f"row {row['task_id']} of MBPP+: expected a function of code that test_list calls, got none"
        )
    check = f"def check(candidate):\n    {name} = candidate\n" + textwrap.indent(str(row["test"]), "    ")
    imports = "\n".join(str(line) for line in row.get("test_imports") or ())
    return Item(
        id=str(row["task_id"]),
        gold={"prompt": imports, "test": check, "entry_point": name},
        fields={"problem": str(row["prompt"]).strip(), "example": tests[0].strip(), "entry_point": name},
    )


def _called(code: str, tests: Sequence[str]) -> str | None:
    """Return the name of the function of ``code`` that the tests call, the last one if they call several."""
    try:
        defined = [node.name for node in ast.parse(code).body if isinstance(node, ast.FunctionDef)]
        calls = {
            node.func.id
            for test in tests
            for node in ast.walk(ast.parse(test))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
    except (SyntaxError, ValueError, RecursionError):
        return None
    return next((name for name in reversed(defined) if name in calls), None)
