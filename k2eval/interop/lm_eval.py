"""The functions that the YAML files under ``tasks/`` name, so that stock lm-eval can run our tasks.

lm-eval asks for the dataset, gives all responses of a task to a filter at once, and aggregates the metrics that
``process_results`` returns for each question. Documents carry the whole question. So the same graders give the same
grades in lm-eval and in k2eval.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from k2eval.config import TaskOverrides
from k2eval.errors import K2EvalError
from k2eval.reasoning import AUTO
from k2eval.records import Grade, Json, Outcome, Question, ReasoningFormat, Verdict
from k2eval.tasks import load_questions, load_tasks

QUESTION = "k2eval_question"


class Answer(str):
    """A response's text with facts that lm-eval has no field for; ``--model k2eval`` makes it."""

    truncated: bool
    """Whether the engine stopped at its token limit."""
    failure: Grade | None
    """The reason why there is no response, if our own side failed."""
    reasoning: ReasoningFormat
    """The reasoning format of whoever wrote the text."""
    answer_start: int | None
    """Where the answer starts, if a server split reasoning off."""

    def __new__(
        cls,
        text: str,
        *,
        truncated: bool = False,
        failure: Grade | None = None,
        reasoning: ReasoningFormat = AUTO,
        answer_start: int | None = None,
    ) -> Self:
        """Make a text with these facts."""
        answer = super().__new__(cls, text)
        answer.truncated, answer.failure = truncated, failure
        answer.reasoning, answer.answer_start = reasoning, answer_start
        return answer


def dataset(*, k2eval: Mapping[str, Json], data: str | None = None, repeats: int = 1, **_: Any) -> Any:
    """Load the documents of one task, as lm-eval's ``custom_dataset``.

    Args:
        k2eval: The task's ``metadata.k2eval``.
        data: The data folder (``--metadata '{"data": "…"}'``); ``K2EVAL_DATA`` if None.
        repeats: Number of repeats that become documents, for tasks whose prompts differ between repeats.

    Returns:
        A mapping of the split ``test`` to a dataset.
    """
    from datasets import Dataset

    name = str(k2eval["task"])
    [task] = load_tasks([name], without_judge(name))
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


def without_judge(name: str) -> dict[str, TaskOverrides]:
    """Return the changes by which a task asks only what a rule can decide, since lm-eval has no judge."""
    [task] = load_tasks([name])
    return {name: TaskOverrides(options={"only": "rule"})} if "only" in task.spec.options else {}


def grade(
    responses: Sequence[Sequence[str]], documents: Sequence[Mapping[str, Any]]
) -> list[list[dict[str, Json]]]:
    """Grade all responses of a task in worker processes, as lm-eval's custom filter.

    lm-eval's own models give texts without finish reasons. So a text that was cut after its reasoning looks finished;
    reasoning without end still counts as truncated, by the mark that opens it. ``--model k2eval`` gives an `Answer`,
    which tells.

    Returns:
        For each document, the grades of its responses, as plain data.
    """
    from k2eval.grading import GradingJob, grade_all

    questions = [Question.model_validate(json.loads(document[QUESTION])) for document in documents]
    flat = [
        GradingJob(
            question,
            text,
            getattr(text, "truncated", False),
            reasoning=getattr(text, "reasoning", AUTO),
            answer_start=getattr(text, "answer_start", None),
        )
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
    """Compute the metrics of one question from the grades of its responses, as lm-eval's ``process_results``.

    Raises:
        K2EvalError: If no response could be graded; an infrastructure failure is never a wrong answer.
    """
    grades = [Grade.model_validate(grade) for grade in results[0]]
    if all(grade.score is None for grade in grades):
        raise K2EvalError(
            f"None of {len(grades)} responses to question {document['id']} could be graded: {grades[0].detail}. "
            "Find the reason with `k2eval doctor`, repair it, and run again."
        )
    return question_metrics(grades, [grade.extracted for grade in grades])


def score_numbers(document: Mapping[str, Any], results: Sequence[Any]) -> dict[str, float]:
    """Compute the metrics of a question with a numeric answer: those of `score`, and the mean absolute error.

    The error is NaN if no response gives a number; see `mean_of_known`.
    """
    residuals = [grade["detail"].get("residual") for grade in results[0]]
    sizes = [abs(residual) for residual in residuals if residual is not None]
    error = sum(sizes) / len(sizes) if sizes else float("nan")
    return score(document, results) | {"absolute_error": error}


def mean_of_known(values: Sequence[float]) -> float:
    """Return the mean of the values that are numbers, as an aggregation of lm-eval.

    >>> mean_of_known([1.0, float("nan"), 2.0])
    1.5
    """
    known = [value for value in values if value == value]
    return sum(known) / len(known) if known else float("nan")


def question_metrics(grades: Sequence[Grade | Verdict], answers: Sequence[str | None]) -> dict[str, float]:
    """Compute the metrics of one question; NaN if none of its responses has a score.

    Args:
        grades: Grades of the responses.
        answers: The answer that each response votes for.
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
    """Let lm-eval find the task files below ``tasks`` in this process, besides those of ``--include_path``.

    lm-eval's command line takes only one such folder, and a user's own folder must not hide ours.
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
    """Return lm-eval's arguments; if the model is ours, they ask for chat messages, as our model needs them."""
    values = dict(itertools.pairwise(arguments))
    values |= dict(argument.split("=", 1) for argument in arguments if "=" in argument)
    ours = "k2eval" in (values.get("--model"), values.get("-M"))
    chosen = any(argument.startswith("--apply_chat_template") for argument in arguments)
    return [*arguments, *(["--apply_chat_template"] if ours and not chosen else [])]
