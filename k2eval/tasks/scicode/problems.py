"""Rows of ``SciCode1/SciCode`` -> items: one main problem each, solved and graded step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from k2eval.errors import DataError
from k2eval.records import Json, Note, NoteKind, Question
from k2eval.tasks.scicode.targets import steps_with_targets, target_files
from k2eval.tasks.spec import TaskSpec
from k2eval.tasks.task import Item, Items, Row

GIVEN_STEPS = frozenset({"13.6", "62.1", "76.3"})
"""Steps whose code is given to the model; they have no tests and are never graded."""


class Step(BaseModel):
    """One step of a main problem."""

    model_config = ConfigDict(frozen=True)

    step_number: str
    """Number such as ``10.2``."""
    step_description_prompt: str
    step_background: str = ""
    function_header: str
    """The header and docstring of the function or class that the step asks for."""
    return_line: str = ""
    test_cases: tuple[str, ...] = ()
    """Python texts with the free name ``target``; the tests of a step share one namespace, in order."""
    ground_truth_code: str | None = None
    """Known only in the development split."""
    given_code: str | None = None
    """The code of a given step."""

    @property
    def graded(self) -> bool:
        """Whether the step counts."""
        return self.step_number not in GIVEN_STEPS

    @property
    def name(self) -> str:
        """The name of the function or class that the step asks for."""
        for line in self.function_header.splitlines():
            words = line.replace("(", " ").replace(":", " ").split()
            if len(words) > 1 and words[0] in ("def", "class") and not line.startswith(" "):
                return words[1]
        raise DataError(
            f"SciCode step {self.step_number}: the header names no function: {self.function_header!r:.80}"
        )


class Problem(BaseModel):
    """One main problem."""

    model_config = ConfigDict(frozen=True)

    problem_id: str
    problem_description_main: str
    required_dependencies: str
    sub_steps: tuple[Step, ...]

    def earlier(self, step: Step) -> tuple[Step, ...]:
        """Return the steps before ``step``."""
        return self.sub_steps[: self.sub_steps.index(step)]


def items(rows: Sequence[Row], spec: TaskSpec, repeat_index: int) -> Items:
    """Make one item per main problem, as the adapter of SciCode's tasks.

    Options: ``background`` (whether to show the steps' background), ``step_seconds`` (CPU seconds for the tests of a
    step; 1800 unless set) and ``targets`` (path of the HDF5 file with the targets, if it is not beside the rows).
    """
    folders = _folders(rows)
    targets = [str(spec.options["targets"])] if spec.options.get("targets") else target_files(folders)
    problems = [item(row, folders, targets, background=bool(spec.options.get("background"))) for row in rows]
    if (seconds := spec.options.get("step_seconds")) is not None:
        limit = {"step_seconds": float(seconds)}
        problems = [replace(problem, metadata={**problem.metadata, **limit}) for problem in problems]
    return Items(problems, _notes(problems, targets))


def item(row: Row, folders: Sequence[Path], targets: Sequence[Json], *, background: bool) -> Item:
    """Make an item of one main problem; paths are in ``metadata``, as they are no part of the question."""
    try:
        steps = [
            {key: value for key, value in step.items() if value is not None} for step in row["sub_steps"]
        ]
        for step in steps:
            step["step_number"] = str(step["step_number"])
            step["given_code"] = _given(step["step_number"], folders)
        problem = Problem.model_validate({**row, "problem_id": str(row["problem_id"]), "sub_steps": steps})
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"SciCode problem {row.get('problem_id')!r}: not a row of SciCode1/SciCode: {error}"
        ) from error
    plain = problem.model_dump(mode="json")
    return Item(
        id=problem.problem_id,
        gold={step.step_number: list(step.test_cases) for step in problem.sub_steps if step.graded},
        fields={
            "problem": problem.problem_description_main.strip(),
            "dependencies": problem.required_dependencies.strip(),
            "steps": [_shown(step, background) for step in problem.sub_steps if step.graded],
            "given": [step.given_code for step in problem.sub_steps if step.given_code],
        },
        tags={"steps": str(sum(step.graded for step in problem.sub_steps))},
        metadata={"problem": plain, "background": background, "targets": list(targets)},
    )


def problem_of(question: Question) -> Problem:
    """Return the main problem that a question of a SciCode task asks."""
    return Problem.model_validate(question.metadata["problem"])


def _notes(items: Sequence[Item], targets: Sequence[Json]) -> list[Note]:
    graded = [step for item in items for step in item.gold]
    missing = len(set(graded) - steps_with_targets(targets))
    text = f"no targets (test_data.h5) for {missing} of {len(graded)} steps: they cannot be graded"
    return [Note(kind=NoteKind.MISSING, text=text)] if missing else []


def _shown(step: Step, background: bool) -> dict[str, Json]:
    parts = [step.step_description_prompt.strip()]
    if background and step.step_background.strip():
        parts.append(step.step_background.strip())
    header = f"{step.function_header.rstrip()}\n\n{step.return_line.rstrip()}"
    return {"number": step.step_number, "text": "\n\n".join(parts), "header": header}


def _folders(rows: Sequence[Row]) -> list[Path]:
    """Return the folders that may hold files beside the rows: the folders of the rows, and that of the data."""
    beside = {Path(str(row["_path"])).parent for row in rows if row.get("_path")}
    data = {Path(str(row["_data"])) / "scicode" for row in rows if row.get("_data")}
    return [*sorted(beside), *sorted(data - beside)]


def _given(number: str, folders: Sequence[Path]) -> str | None:
    if number not in GIVEN_STEPS:
        return None
    for folder in folders:
        for path in (folder / "prewritten_steps" / f"{number}.txt", folder / f"{number}.txt"):
            if path.is_file():
                return path.read_text("utf-8")
    raise DataError(
        f"SciCode gives the model the code of step {number}, and it was not found. Put {number}.txt from eval/data of "
        "github.com/scicode-bench/SciCode into the folder scicode/prewritten_steps of the data folder."
    )
