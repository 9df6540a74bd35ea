"""Stock lm-eval's way into our tasks: what the YAML files under ``tasks/`` call.

lm-eval asks for the dataset, hands all responses of a task to a filter at once, and aggregates what
``process_results`` returns per question. Documents carry the whole question, so that the same graders give
the same grades through both doors.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from k2eval.errors import K2EvalError
from k2eval.records import Grade, Json, Outcome, Question, Verdict
from k2eval.tasks import load_questions, load_tasks

QUESTION = "k2eval_question"


class Answer(str):
    """A response's text, with what lm-eval has no place for; made by ``--model k2eval``."""

    truncated: bool
    """Whether the engine stopped at its token limit."""
    failure: Grade | None
    """Why there is no response, where our own side failed."""

    def __new__(cls, text: str, *, truncated: bool = False, failure: Grade | None = None) -> Self:
        """The text, and what is known of it."""
        answer = super().__new__(cls, text)
        answer.truncated, answer.failure = truncated, failure
        return answer


def dataset(*, k2eval: Mapping[str, Json], data: str | None = None, repeats: int = 1, **_: Any) -> Any:
    """The documents of one task, as lm-eval's ``custom_dataset``.

    Args:
        k2eval: The task's ``metadata.k2eval``.
        data: The data folder (``--metadata '{"data": "…"}'``); ``K2EVAL_DATA`` where None.
        repeats: Number of repeats that become documents, for tasks whose prompts differ between repeats.

    Returns:
        A mapping of the split ``test`` to a dataset.
    """
    from datasets import Dataset

    [task] = load_tasks([str(k2eval["task"])])
    questions = load_questions(task, data=Path(data) if data else None)
    documents = []
    for repeat_index in range(repeats):
        pairs = zip(questions.items(repeat_index), questions.questions(repeat_index), strict=True)
        for item, question in pairs:
            bare = question.model_copy(update={"messages": ()})
            documents.append(
                {
                    **item.fields,
                    "id": item.id,
                    "repeat_index": repeat_index,
                    "gold": str(item.gold) if isinstance(item.gold, (str, int, float)) else item.id,
                    QUESTION: bare.to_line(),
                }
            )
    return {"test": Dataset.from_list(documents)}


def grade(
    responses: Sequence[Sequence[str]], documents: Sequence[Mapping[str, Any]]
) -> list[list[dict[str, Json]]]:
    """Grade all responses of a task in worker processes, as lm-eval's custom filter.

    Models of lm-eval's own give texts without finish reasons, so a text cut after its reasoning cannot be told
    from a finished one; an unclosed ``<think>`` still counts as truncated. ``--model k2eval`` gives an `Answer`.

    Returns:
        For each document, the grades of its responses, as plain data.
    """
    from k2eval.grading import GradingJob, grade_all

    questions = [Question.model_validate(json.loads(document[QUESTION])) for document in documents]
    flat = [
        GradingJob(question, text, getattr(text, "truncated", False))
        for question, texts in zip(questions, responses, strict=True)
        for text in texts
        if _failure(text) is None
    ]
    grades = grade_all(flat)
    return [
        [(_failure(text) or next(grades)).model_dump(mode="json") for text in texts] for texts in responses
    ]


def _failure(text: str) -> Grade | None:
    return getattr(text, "failure", None)


def score(document: Mapping[str, Any], results: Sequence[Any]) -> dict[str, float]:
    """The metrics of one question from the grades of its responses, as lm-eval's ``process_results``.

    Raises:
        K2EvalError: When no response could be graded; an infrastructure failure is never a wrong answer.
    """
    grades = [Grade.model_validate(grade) for grade in results[0]]
    if all(grade.score is None for grade in grades):
        raise K2EvalError(
            f"None of {len(grades)} responses to question {document['id']} could be graded: {grades[0].detail}. "
            "Mend the grader or the sandbox (`k2eval doctor`) and run again."
        )
    return question_metrics(grades, [grade.extracted for grade in grades])


def question_metrics(grades: Sequence[Grade | Verdict], answers: Sequence[str | None]) -> dict[str, float]:
    """The metrics of one question; NaN where no response of it has a score.

    Args:
        grades: Of its responses.
        answers: What each response votes for.
    """
    from k2eval.statistics import maj_at_k

    scored = [
        (grade.score, answer)
        for grade, answer in zip(grades, answers, strict=True)
        if grade.score is not None
    ]
    scores = [score for score, _ in scored]
    return {
        "avg_at_k": sum(scores) / len(scores) if scores else float("nan"),
        "pass_at_k": max(scores, default=float("nan")),
        "maj_at_k": maj_at_k([answer for _, answer in scored], scores),
        "truncated": _share(grades, Outcome.TRUNCATED),
        "no_answer": _share(grades, Outcome.NO_ANSWER),
        "infrastructure": (len(grades) - len(scored)) / len(grades),
    }


def _share(grades: Sequence[Grade | Verdict], outcome: Outcome) -> float:
    return sum(grade.outcome is outcome for grade in grades) / len(grades)


def add_to_path(tasks: Path) -> None:
    """Let lm-eval find the task files below ``tasks`` in this process, whatever ``--include_path`` says.

    Its command line takes one such folder only, and a user's own must not hide ours.
    """
    from lm_eval.tasks import TaskManager

    original = TaskManager.__init__

    def with_ours(
        self: Any, verbosity: Any = None, include_path: Any = None, *rest: Any, **more: Any
    ) -> None:
        others = include_path if isinstance(include_path, (list, tuple)) else [include_path]
        paths = [str(tasks), *(str(path) for path in others if path)]
        original(self, verbosity, paths, *rest, **more)

    TaskManager.__init__ = with_ours


def with_chat(arguments: Sequence[str]) -> list[str]:
    """Return lm-eval's arguments, asking for chat messages if the model is ours, which asks in nothing else."""
    values = dict(itertools.pairwise(arguments))
    values |= dict(argument.split("=", 1) for argument in arguments if "=" in argument)
    ours = "k2eval" in (values.get("--model"), values.get("-M"))
    chosen = any(argument.startswith("--apply_chat_template") for argument in arguments)
    return [*arguments, *(["--apply_chat_template"] if ours and not chosen else [])]
