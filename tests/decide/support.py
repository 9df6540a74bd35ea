"""Contestants that answer from a script."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from k2eval.run import Work
from tests.scripted_runs import config


def student(folder: Path, name: str, right: int, **fields: Any) -> Path:
    """Write the script of a contestant that knows the first ``right`` questions of the task ``smoke``; return it."""
    path = folder / f"{name}.jsonl"
    golds = {
        assignment.question.messages[-1].content: str(assignment.question.gold)
        for assignment in Work(config(folder / "unused", **{"limit": None} | fields)).assignments()
    }
    lines = [
        {"match": text, "responses": [rf"\boxed{{{gold if number < right else 'no'}}}"]}
        for number, (text, gold) in enumerate(golds.items())
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path
