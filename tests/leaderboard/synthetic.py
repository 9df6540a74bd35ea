"""Run directories made up for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from k2eval.journal import RUN, VERDICTS
from k2eval.journal.run_record import TaskRecord
from k2eval.records import Grade, Outcome, Verdict
from tests.run_records import model_record, run_record, session_record, task_record

Scores = Sequence[Sequence[float | Outcome]]
"""Per question its runs: 0 or 1, partial credit, or an outcome."""


def verdict(task: str, question: str, run: int, score: float | Outcome, **fields: Any) -> Verdict:
    """A verdict with this score, or with the score that follows from this outcome."""
    outcome = score if isinstance(score, Outcome) else Outcome.CORRECT if score == 1 else Outcome.WRONG
    grade = Grade.of(outcome)
    worth = grade.score if isinstance(score, Outcome) else float(score)
    defaults: dict[str, Any] = {"grader": "math/1", "output_tokens": 100, "recipe_tokens": 300}
    return Verdict(
        task=task, question_id=question, repeat_index=run, outcome=outcome, score=worth, **(defaults | fields)
    )


def verdicts(tasks: Mapping[str, Scores]) -> list[Verdict]:
    return [
        verdict(task, f"{task}-{question}", run, score)
        for task, scores in tasks.items()
        for question, runs in enumerate(scores)
        for run, score in enumerate(runs)
    ]


def task_of(scores: Scores, **fields: Any) -> TaskRecord:
    """The entry in ``run.json`` of a task with these scores."""
    defaults: dict[str, Any] = {
        "questions": len(scores),
        "fingerprint": f"print-{len(scores)}",
        "repeats": max((len(runs) for runs in scores), default=1),
    }
    return task_record(**defaults | fields)


def write_run(
    path: Path,
    tasks: Mapping[str, Scores],
    *,
    infos: Mapping[str, Mapping[str, Any]] | None = None,
    lines: Sequence[Verdict] | None = None,
    **fields: Any,
) -> Path:
    """A run directory; ``infos`` overrides fields of tasks, ``lines`` verdicts, ``fields`` those of run.json."""
    path.mkdir(parents=True)
    run = run_record(
        {name: task_of(scores, **(infos or {}).get(name, {})) for name, scores in tasks.items()},
        **{"name": path.name, "model": model_record(f"models/{path.name}"), "sessions": (session_record(),)}
        | fields,
    )
    (path / RUN).write_text(run.to_json())
    rows = verdicts(tasks) if lines is None else lines
    (path / VERDICTS).write_text("".join(row.to_line() + "\n" for row in rows))
    return path


def bernoulli(questions: int, runs: int, mean: float, seed: int, shift: float = 0.0) -> list[list[float]]:
    """Scores of questions whose difficulty depends on ``seed`` alone and varies widely."""
    rng = np.random.default_rng(seed)
    chance = np.clip(rng.beta(mean, 1 - mean, questions) + shift, 0, 1)
    draws = np.random.default_rng([seed, int(1000 * (shift + 1))]).random((questions, runs))
    scores: list[list[float]] = (draws < chance[:, None]).astype(float).tolist()
    return scores
