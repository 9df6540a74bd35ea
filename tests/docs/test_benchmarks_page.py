"""The table of benchmarks says what the task files say."""

from __future__ import annotations

from pathlib import Path

import pytest

from k2eval.tasks import Task, load_tasks, task_files

PAGE = Path(__file__).parents[2] / "docs/benchmarks.md"
TASKS = [task for task in load_tasks(list(task_files())) if task.spec.data.bundled is None]


def row(task: Task) -> str:
    spec = task.spec
    assert spec.card is not None, f"{task.name} has no protocol card"
    size = f"{spec.questions:,}" if spec.questions else "all"
    cells = [f"`{task.name}`", spec.title, size, spec.grader, str(task.repeats)]
    return " | ".join([*cells, spec.card.source, spec.card.licence, spec.card.protocol]).join(("| ", " |"))


@pytest.mark.parametrize("task", TASKS, ids=[task.name for task in TASKS])
def test_the_page_has_the_card_of_each_benchmark(task: Task) -> None:
    assert row(task) in PAGE.read_text().splitlines()
