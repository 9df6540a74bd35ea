"""Grade a file of responses that were made elsewhere, for ``k2eval score``.

One row in, one row out, in order. A row is a JSON object with the ``response`` and either a ``question_id`` (and
perhaps a ``repeat_index``) of a task, or its own ``gold`` and, for choices, ``options``. Rows of tasks with
programs may bring ``code`` in place of a response, and those of SciCode a ``step_id``. Other fields pass through.
"""

from __future__ import annotations

import json
import math
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from k2eval.errors import ConfigError, DataError, K2EvalError
from k2eval.grading.code.rows import Steps, asked, steps_in
from k2eval.grading.number import number_of
from k2eval.grading.option import letter_of
from k2eval.grading.pool import GradingJob, grade_all
from k2eval.grading.registry import grader_for
from k2eval.reasoning import AUTO
from k2eval.records import Grade, Json, Outcome, Question, ReasoningFormat
from k2eval.system import replacing
from k2eval.values import read_json

_SHOWN = 20


@dataclass(slots=True)
class ScoreSummary:
    """The result of a file of responses."""

    out: Path
    outcomes: Counter[str] = field(default_factory=Counter)
    unreadable: list[str] = field(default_factory=list)
    """One message for each row that could not be read, with its line number."""

    @property
    def graded(self) -> int:
        """Rows with a verdict that says something about the model."""
        return self.outcomes.total() - self.infrastructure

    @property
    def correct(self) -> int:
        """Rows that are right."""
        return self.outcomes[Outcome.CORRECT]

    @property
    def infrastructure(self) -> int:
        """Rows that we failed to grade."""
        return sum(count for name, count in self.outcomes.items() if Outcome(name).is_infrastructure)

    def __str__(self) -> str:
        share = f" ({self.correct / self.graded:.2%})" if self.graded else ""
        others = ", ".join(f"{count} {name}" for name, count in sorted(self.outcomes.items()))
        lines = [f"{self.correct} of {self.graded} graded responses are correct{share}: {others or 'none'}."]
        lines += [f"Wrote {self.out}"]
        if self.infrastructure:
            lines.append(
                f"{self.infrastructure} responses could not be graded; they are not counted as wrong."
            )
        if self.unreadable:
            lines.append(f"{len(self.unreadable)} rows could not be read and were left out:")
            lines += [f"  {message}" for message in self.unreadable[:_SHOWN]]
            lines += ["  …"] * (len(self.unreadable) > _SHOWN)
        return "\n".join(lines)


def score_file(
    responses: Path,
    out: Path,
    *,
    grader: str | None = None,
    questions: Callable[[str, int], Question] | None = None,
    workers: int | None = None,
    reasoning: ReasoningFormat = AUTO,
) -> ScoreSummary:
    """Grade every row of ``responses`` and write it to ``out`` with ``correct``, ``outcome`` and ``extracted``.

    ``out`` appears when all rows are graded: an interrupted call, or a full disk, leaves the earlier file.
    ``correct`` is null if we failed to grade a row; that is never a wrong answer.

    Args:
        responses: JSON Lines.
        out: File for the verdicts.
        grader: "math", "choice" or "number", for rows that hold their own gold.
        questions: Function that returns the question of a task by its id and repeat index; None with ``grader``.
        workers: Number of grading processes; one per processor if None.
        reasoning: The reasoning format of whoever wrote the responses.

    Raises:
        ConfigError: If there is no such grader.
        DataError: If ``responses`` cannot be opened or ``out`` cannot be written. Rows that cannot be read are
            left out and reported in the summary.
    """
    if (grader is None) == (questions is None):
        raise DataError(
            "Expected either a grader or questions to grade with, got " + ("both." if grader else "none.")
        )
    if grader:
        grader_for(grader)
    if out.exists() and responses.exists() and out.samefile(responses):
        raise ConfigError(
            f"--out is the file of responses itself, {responses}. Give another --out; nothing was changed."
        )
    summary = ScoreSummary(out)
    rows: deque[dict[str, Json]] = deque()
    steps = steps_in(_step_rows(responses), reasoning) if questions else {}

    def items() -> Iterator[GradingJob]:
        for number, row in _rows(responses, summary):
            try:
                item = _item_of_task(row, questions, steps) if questions else item_of_row(row, str(grader))
            except K2EvalError as error:
                summary.unreadable.append(f"line {number}: {error}")
                continue
            rows.append(row)
            yield item._replace(reasoning=reasoning)

    try:
        _write(out, (_verdict(rows.popleft(), grade, summary) for grade in grade_all(items(), workers)))
    except OSError as error:
        raise DataError(
            f"Cannot write {out}: {error.strerror or error}. Nothing was changed there."
        ) from error
    return summary


def _rows(path: Path, summary: ScoreSummary) -> Iterator[tuple[int, dict[str, Json]]]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror}. Expected a file of JSON Lines.") from error
    with file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
                row = read_json(text, texts=False, integers=False)
                if not isinstance(row, dict):
                    raise ValueError(f"expected a JSON object, got {type(row).__name__}")
            except ValueError as error:
                summary.unreadable.append(
                    f"line {number}: not a JSON object ({str(getattr(error, 'msg', error))[:200]})"
                )
                continue
            yield number, row


def _step_rows(path: Path) -> Iterator[dict[str, Json]]:
    """Return the rows with one step of a SciCode problem each; later steps run with the code of earlier ones."""
    unread = ScoreSummary(path)
    return (row for _, row in _rows(path, unread) if "step_id" in row and "question_id" in row)


def _item_of_task(
    row: dict[str, Json], questions: Callable[[str, int], Question], steps: Steps
) -> GradingJob:
    question_id, repeat_index = row.get("question_id"), row.get("repeat_index", row.get("run_index", 0))
    if isinstance(question_id, bool) or not isinstance(question_id, str | int):
        raise DataError(f'expected "question_id" to be a string, got {_shown(question_id)}')
    if isinstance(repeat_index, bool) or not isinstance(repeat_index, int) or repeat_index < 0:
        raise DataError(f'expected "repeat_index" to be a number from 0, got {_shown(repeat_index)}')
    question, text = asked(questions(str(question_id), repeat_index), row, steps)
    return GradingJob(question, text, _is_truncated(row))


def item_of_row(row: dict[str, Json], grader: str) -> GradingJob:
    """Return the response of a row that brings its own ``gold``, ready to be graded.

    Raises:
        DataError: If the row is not as the grader needs it.
    """
    gold = row.get("gold")
    finite = not isinstance(gold, float) or math.isfinite(gold)
    if (
        isinstance(gold, bool)
        or not isinstance(gold, str | int | float)
        or not str(gold).strip()
        or not finite
    ):
        raise DataError(f'expected "gold" to be a non-empty string, got {_shown(gold)}')
    options: tuple[str, ...] = ()
    if grader == "choice":
        options = _options(row.get("options"))
        gold = _letter(gold, options)
    metadata: dict[str, Json] = {}
    if isinstance(row.get("answer_type"), str):
        metadata["answer_type"] = row["answer_type"]
    if grader == "number":
        metadata["tolerance"] = _tolerance(row.get("tolerance", 0.0), gold)
    question = Question(
        task="", id="", grader=grader, messages=(), gold=str(gold), options=options, metadata=metadata
    )
    return GradingJob(question, _text(row.get("response")), _is_truncated(row))


def _tolerance(value: Json, gold: Json) -> float:
    tolerance, number = number_of(value), number_of(gold)
    if number is None:
        raise DataError(f'expected "gold" to be a finite number, got {_shown(gold)}')
    if tolerance is None or tolerance < 0:
        raise DataError(f'expected "tolerance" to be a number from 0, got {_shown(value)}')
    return tolerance


def _text(value: Json) -> str:
    if not isinstance(value, str):
        raise DataError(f'expected "response" to be a string, got {_shown(value)}')
    return value


def _is_truncated(row: dict[str, Json]) -> bool:
    return row.get("finish_reason") == "length" or row.get("truncated") is True


def _options(value: Json) -> tuple[str, ...]:
    if (
        not isinstance(value, list)
        or not 2 <= len(value) <= 26
        or not all(isinstance(text, str) for text in value)
    ):
        raise DataError(f'expected "options" to be a list of 2 to 26 strings, got {_shown(value)}')
    return tuple(value)


def _letter(gold: str | int | float, options: tuple[str, ...]) -> str:
    """Return the letter of the right option: ``gold`` is a letter, the text of one option, or its index from 0.

    A letter counts as a letter even if an option's text is that letter. A number in quotes is a text.
    """
    letters = "".join(chr(ord("A") + index) for index in range(len(options)))
    if isinstance(gold, int) and 0 <= gold < len(options):
        return letters[gold]
    text = str(gold).strip()
    if isinstance(gold, str) and len(text) == 1 and text.upper() in letters:
        return text.upper()
    exactly = [letter for letter, option in zip(letters, options, strict=True) if option.strip() == text]
    letter = exactly[0] if len(exactly) == 1 else letter_of(text, options) if isinstance(gold, str) else None
    if letter is None:
        raise DataError(
            f'expected "gold" to be a letter from A to {letters[-1]}, the text of one option or its index from 0, '
            f"got {_shown(gold)}"
        )
    return letter


def _shown(value: Json) -> str:
    return "nothing" if value is None else json.dumps(value)[:80]


def _verdict(row: dict[str, Json], grade: Grade, summary: ScoreSummary) -> dict[str, Json]:
    summary.outcomes[grade.outcome.value] += 1
    correct = None if grade.score is None else grade.outcome is Outcome.CORRECT
    verdict = {**row, "correct": correct, "outcome": grade.outcome.value, "extracted": grade.extracted}
    return {**verdict, "detail": grade.detail} if grade.detail else verdict


def _write(path: Path, rows: Iterator[dict[str, Json]]) -> None:
    """Write ``rows`` as a stream beside ``path``, and move the whole into place."""
    with replacing(path) as temporary, temporary.open("w", encoding="ascii") as file:
        for row in rows:
            file.write(json.dumps(row) + "\n")
