"""Names that the shell completes: of tasks and of recipes. Imports nothing heavy, for the shell waits."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

import typer

from k2eval.system import shipped_path

_NAME = re.compile(r"^task:\s*([\w-]+)\s*$", re.MULTILINE)


def tasks_list(context: typer.Context, incomplete: str) -> list[str]:
    """Complete the last name of a list of tasks that commas separate."""
    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in task(context, last)]


def task(context: typer.Context, incomplete: str) -> list[str]:
    """Complete the name of a task."""
    included = context.params.get("include_path") or ()
    return sorted(name for name in _task_names(included) if name.startswith(incomplete))


def recipe(incomplete: str) -> list[str]:
    """Complete the name of a recipe."""
    return [name for name in RECIPES if name.startswith(incomplete)]


def protocol(incomplete: str) -> list[str]:
    """Complete the name of a protocol."""
    return [name for name in PROTOCOLS if name.startswith(incomplete)]


PROTOCOLS = ("k2-think", "matharena", "kimi", "eval360", "aa", "simple-evals")
RECIPES = (
    "plain", "plan", "bo3", "maj3", "adaptive", "k2", "k2-published", "k2-tournament", "plan-bo3", "plan-maj3",
    "bo3-tournament", "plan-adaptive8", "forced4096",
)  # fmt: skip
"""Recipes that users are likely to mean; `k2eval recipes` explains how to name others."""


def _task_names(included: Iterable[str | Path]) -> set[str]:
    """Return the names that the task files give, found without reading them as YAML."""
    listed = os.environ.get("K2EVAL_TASKS", "").split(os.pathsep)
    folders = [*map(Path, included), *(Path(entry) for entry in listed if entry), shipped_path("tasks")]
    names = set()
    for folder in folders:
        for path in folder.rglob("[!_]*.yaml"):
            match = _NAME.search(path.read_text(encoding="utf-8", errors="replace"))
            names.add(match[1] if match else path.stem)
    return names
