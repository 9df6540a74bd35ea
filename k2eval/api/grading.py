"""Grade one response, with the graders and time limits of a run."""

from __future__ import annotations

import atexit
import os
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path

from k2eval.errors import ConfigError, DataError, did_you_mean
from k2eval.grading import GradingJob, GradingPool, item_of_row
from k2eval.reasoning import format_named
from k2eval.records import Grade, Json, Question
from k2eval.tasks import load_questions, load_tasks

_WITH_GOLD = ("math", "choice", "number")


def grade(
    response: str,
    *,
    gold: str | int | float | None = None,
    grader: str = "math",
    options: Sequence[str] | None = None,
    answer_type: str | None = None,
    task: str | None = None,
    question_id: str | None = None,
    repeat_index: int = 0,
    data: str | Path | None = None,
    include_path: str | Path | Sequence[str | Path] = (),
    truncated: bool = False,
    reasoning: str | Mapping[str, str] = "auto",
) -> Grade:
    r"""Grade one response: against a gold answer, or as the answer to a question of a task.

    The grader runs in a process of its own, which stays for further calls: an answer whose comparison does not end is
    stopped after ten seconds, and programs run in the sandbox. The first call takes seconds, the following ones
    milliseconds. Use ``k2eval score`` for large files.

    Args:
        response: The raw text of the model, reasoning included.
        gold: The right answer: LaTeX or a number for ``math``; a letter, the text of an option or its index from 0 for
            ``choice``; a number for ``number``.
        grader: ``math``, ``choice`` or ``number``, if ``gold`` is given.
        options: The texts of the options, for ``choice``.
        answer_type: ``integer`` if only an integer may be the answer, for ``math``.
        task: Name of a task, in place of ``gold``.
        question_id: Id of a question of the task; ``k2eval tasks TASK --questions`` lists them.
        repeat_index: Index of the repeat, for tasks whose options are in another order in each repeat.
        data: Folder with the benchmarks' rows.
        include_path: Folders with your own tasks.
        truncated: Whether the engine stopped at its token limit.
        reasoning: How the model marks its reasoning, as ``k2eval run --reasoning``; the text tells if it is ``auto``.

    Raises:
        ConfigError: If neither or both of ``gold`` and ``task`` are given, or there is no such grader or format.
        DataError: If ``gold`` or ``options`` are not as the grader needs them, or there is no such question.

    >>> import k2eval
    >>> k2eval.grade(r"so \boxed{50\%}", gold=r"\frac12").outcome.value
    'correct'
    >>> k2eval.grade("The answer is (B).", gold="Paris", grader="choice", options=["London", "Paris"]).score
    1.0
    """
    if (gold is None) == (task is None) or (task is None) != (question_id is None):
        raise ConfigError(
            "Expected either gold=…, or task=… and question_id=…, to know what the response is graded against."
        )
    form = format_named(reasoning)
    if task is not None:
        folders = (include_path,) if isinstance(include_path, (str, Path)) else include_path
        question = _question(
            task,
            str(question_id),
            repeat_index,
            None if data is None else Path(data),
            tuple(Path(folder) for folder in folders),
        )
        return _pool().submit(GradingJob(question, response, truncated, reasoning=form)).result()
    if grader not in _WITH_GOLD and "." not in grader:
        raise ConfigError(
            f"Expected grader math, choice or number, or a module of your own, got {grader!r}. Programs are graded by "
            "their task: give task=… and question_id=…."
        )
    row: dict[str, Json] = {"response": response, "gold": gold, "truncated": truncated}
    row |= {} if options is None else {"options": list(options)}
    row |= {} if answer_type is None else {"answer_type": answer_type}
    return _pool().submit(item_of_row(row, grader)._replace(reasoning=form)).result()


def _question(
    task: str, question_id: str, repeat_index: int, data: Path | None, include: tuple[Path, ...]
) -> Question:
    questions = _questions(task, repeat_index, data, include)
    if question_id not in questions:
        raise DataError(
            f"{task} has no question {question_id!r}. {did_you_mean(question_id, list(questions))[:300]} "
            f"`k2eval tasks {task} --questions` lists them."
        )
    return questions[question_id]


def _questions(
    task: str, repeat_index: int, data: Path | None, include: tuple[Path, ...]
) -> dict[str, Question]:
    return _read_questions(task, repeat_index, data, include, os.environ.get("K2EVAL_DATA"))


@lru_cache(maxsize=4)
def _read_questions(
    task: str, repeat_index: int, data: Path | None, include: tuple[Path, ...], data_by_default: str | None
) -> dict[str, Question]:
    """Read the questions of a task once, as long as the folders with tasks and data are the same."""
    [loaded] = load_tasks([task], include=include)
    return {question.id: question for question in load_questions(loaded, data=data).questions(repeat_index)}


@cache
def _pool() -> GradingPool:
    """Start one process that grades, at the first call."""
    pool = GradingPool(1)
    atexit.register(pool.close)
    return pool
