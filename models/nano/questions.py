"""The questions of k2-nano: seeded generators of four kinds, and the test sets under ``tasks/nano``.

    python -m models.nano.questions        writes the test sets again

Every kind is a stream of random questions. A hash of its text decides on which side of the split a question is. So
no question is on both sides, and training draws only questions that are not on the test side.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

from . import nano_choice, nano_code, nano_math, nano_science
from .item import LEVELS, Item

GENERATORS: dict[str, Callable[[random.Random, int], Item]] = {
    "nano_math": nano_math.generate,
    "nano_choice": nano_choice.generate,
    "nano_code": nano_code.generate,
    "nano_science": nano_science.generate,
}
KINDS = tuple(GENERATORS)
TASKS = Path(__file__).parents[2] / "tasks" / "nano"
TEST_LEVELS = {
    "nano_math": (10, 10, 15, 15, 15, 15, 10, 10),
    "nano_choice": (15, 15, 15, 15, 10, 10, 10, 10),
    "nano_code": (5, 5, 5, 10, 15, 20, 20, 20),
    "nano_science": (15, 15, 15, 15, 10, 10, 10, 10),
}
"""Number of test questions of each level."""


def training_item(kind: str, rng: random.Random, levels: tuple[int, ...]) -> Item:
    """Draw a question of the training side."""
    while True:
        item = GENERATORS[kind](rng, rng.choice(levels))
        if not item.is_test:
            return item


def test_items(kind: str, seed: int = 2025) -> Iterator[Item]:
    """Yield the committed test questions of a kind, in order."""
    rng = random.Random(f"{kind} {seed}")
    seen: set[str] = set()
    for level, count in zip(LEVELS, TEST_LEVELS[kind], strict=True):
        number = 0
        while number < count:
            item: Item | None = GENERATORS[kind](rng, level)
            if item is None or not item.is_test or item.text in seen:
                continue
            seen.add(item.text)
            if kind == "nano_code":
                item = nano_code.complete(item, rng)
            if item is None or (kind == "nano_science" and not nano_science.is_sharp(item)):
                continue
            number += 1
            yield item


def test_rows(kind: str) -> list[dict[str, object]]:
    """Return the rows as committed, with their ids."""
    rows: list[dict[str, object]] = []
    for number, item in enumerate(test_items(kind), 1):
        row = dict(item.row)
        if kind == "nano_science":
            name = str(1000 + number)  # SciCode's own problems end at 80, and some of their steps are special
            steps = [{**s, "step_number": f"{name}.{i}"} for i, s in enumerate(row["sub_steps"], 1)]
            row = {"problem_id": name, **row, "sub_steps": steps}
        elif kind == "nano_code":
            row = {"question_id": f"nano_code_{number:03}", **row}
        else:
            row = {"id": f"{kind}_{number:03}", **row}
        rows.append(row)
    return rows


def write_targets(rows: list[dict[str, object]], path: Path) -> None:
    """Write the targets of nano_science in SciCode's layout: ``STEP/testN/var1``."""
    import h5py

    with h5py.File(path, "w", libver="latest") as file:
        for row in rows:
            for step, values in nano_science.targets(row).items():
                for test, value in enumerate(values, 1):
                    file.create_dataset(f"{step}/test{test}/var1", data=value, track_times=False)


def main() -> None:
    """Write the rows of all kinds, and the targets."""
    TASKS.mkdir(parents=True, exist_ok=True)
    for kind in KINDS:
        rows = test_rows(kind)
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (TASKS / f"{kind}.jsonl").write_text(lines, encoding="utf-8")
        if kind == "nano_science":
            write_targets(rows, TASKS / "nano_science_targets.h5")


if __name__ == "__main__":
    main()
