"""The index of a page's samples, small enough for many thousands of them, and the places of their texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from k2eval.errors import JournalError
from k2eval.leaderboard import RunScores
from k2eval.records import Json, Outcome, Verdict
from k2eval.report.breakdown import order_of
from k2eval.report.charts import kind_of
from k2eval.report.pieces import PieceWriter, numbered
from k2eval.report.samples import Samples, prompt_of, texts_of
from k2eval.texts import natural

OUTCOMES = tuple(Outcome)
_PREVIEW, _EXTRACTED = 160, 60
_MOST_REPEATS, _MOST_SQUARES = 4_096, 1_000_000
"""What a page can show of a run on a benchmark; questions that other runs alone asked count too."""
MOST_VALUES = 200
"""Most values of a tag by which samples can be filtered."""
_CODES = "abcdefghijklmnopqrstuvwxyz"
"""The character of each outcome in the index."""
_MISSING = "."


class Index(NamedTuple):
    """What the page knows of its samples before it loads texts."""

    questions: dict[str, list[str]]
    """Ids of questions by task, in the order of the page."""
    described: dict[str, Json]
    """The data that the page's script starts with."""


def describe(scored: Sequence[RunScores], samples: Sequence[Samples], hidden: set[str]) -> Index:
    """Return outcome, tokens, score and answer of every sample.

    Args:
        scored: The runs as tables read them.
        samples: The same runs with their texts.
        hidden: Tasks whose texts must not be shown.
    """
    names = list(dict.fromkeys(name for run in scored for name in run.benchmarks))
    questions = {
        name: sorted({question for run in samples for question in run.verdicts.get(name, {})}, key=natural)
        for name in names
    }
    tasks = []
    for name in names:
        info = next(run.tasks[name].info for run in scored if name in run.tasks)
        shown = name not in hidden
        ids = questions[name]
        tasks.append(
            {
                "name": name,
                "title": info.title or name,
                "hidden": not shown,
                "questions": ids,
                "previews": [_preview(samples, name, question) for question in ids] if shown else [],
                "tags": _tags(samples, name, ids),
                "runs": [_columns(run, name, ids, shown) for run in samples],
            }
        )
    runs = [
        {"name": run.info.name, "label": f"{run.info.model.name}, recipe {run.info.recipe}"} for run in scored
    ]
    outcomes = [[outcome.value, kind_of(outcome, None)] for outcome in OUTCOMES]
    return Index(questions, {"runs": runs, "outcomes": outcomes, "tasks": tasks})


def store_texts(index: Index, samples: Sequence[Samples], writer: PieceWriter) -> None:
    """Write the texts of all questions and samples that may be shown, and note their pieces in the index."""
    for task in index.described["tasks"]:
        if task["hidden"]:
            continue
        name, prompts = task["name"], Prompts()
        for run, columns in zip(samples, task["runs"], strict=True):
            if columns is None:
                continue
            places: list[int] = []
            for row, question_id in enumerate(index.questions[name]):
                for repeat_index, verdict in sorted(run.verdicts[name].get(question_id, {}).items()):
                    question = run.question(name, question_id, repeat_index)
                    prompt = prompts.number(question_id, "" if question is None else prompt_of(question))
                    at = row * columns["repeats"] + repeat_index
                    places += [-1] * (at - len(places))
                    places.append(writer.add(at, texts_of(run, verdict, prompt, question)))
            writer.close_piece()
            columns["pieces"] = _by_piece(places)
        asked = [
            writer.add(row, list(prompts.of(question))) for row, question in enumerate(task["questions"])
        ]
        writer.close_piece()
        task["pieces"] = _by_piece(asked)


class Prompts:
    """The texts of each question of a task: repeats may shuffle options, and runs may ask in other words."""

    def __init__(self) -> None:
        self._numbers: dict[str, dict[str, int]] = {}

    def number(self, question: str, text: str) -> int:
        """Return the number of a text among those of its question; a new one gets the next."""
        known = self._numbers.setdefault(question, {})
        return known.setdefault(text, len(known))

    def of(self, question: str) -> dict[str, int]:
        """Return the numbers of the texts of a question so far, in their order."""
        return self._numbers.get(question, {})


def _by_piece(places: Sequence[int]) -> list[tuple[int, int]]:
    """Return (first sample, piece) of each piece; samples without a verdict belong to any."""
    filled, before = [], next((place for place in places if place >= 0), 0)
    for place in places:
        before = place if place >= 0 else before
        filled.append(before)
    return list(numbered(filled))


def _tags(samples: Sequence[Samples], task: str, questions: Sequence[str]) -> list[dict[str, Json]]:
    """Return the values of each tag, and for each question the number of its value, -1 if it has none."""
    found: dict[str, dict[str, str]] = {}
    for run in samples:
        for question, by_repeat in run.verdicts.get(task, {}).items():
            for tag, value in next(iter(by_repeat.values())).tags.items():
                found.setdefault(tag, {}).setdefault(question, value)
    tags = []
    for tag, of in found.items():
        values = sorted(set(of.values()), key=order_of)
        if 2 <= len(values) <= MOST_VALUES:
            numbers = {value: number for number, value in enumerate(values)}
            tags.append(
                {
                    "name": tag,
                    "values": values,
                    "of": [numbers[of[question]] if question in of else -1 for question in questions],
                }
            )
    return tags


def _check_size(samples: Samples, task: str, questions: int, repeats: int) -> None:
    if repeats > _MOST_REPEATS or repeats * questions > _MOST_SQUARES:
        raise JournalError(
            f"{samples.run.name}: a report can show up to {_MOST_REPEATS:,} repeats and {_MOST_SQUARES:,} samples of a "
            f"run on a benchmark, got {repeats:,} repeats of {questions:,} questions of {task}. Leave the run out, or "
            "use `k2eval export --format parquet`."
        )


def _columns(samples: Samples, task: str, questions: Sequence[str], shown: bool) -> dict[str, Json] | None:
    """Return the samples of a run in order of questions and repeats; None if it did not ask this task."""
    verdicts = samples.verdicts.get(task, {})
    if not verdicts:
        return None
    repeats = max(max(by_repeat) for by_repeat in verdicts.values()) + 1
    _check_size(samples, task, len(questions), repeats)
    codes: list[str] = []
    tokens: list[int] = []
    answers: dict[str, int] = {}
    answer_of: list[int] = []
    partial: dict[int, float] = {}
    for question in questions:
        by_repeat = verdicts.get(question, {})
        for repeat_index in range(repeats):
            verdict = by_repeat.get(repeat_index)
            codes.append(_MISSING if verdict is None else _CODES[OUTCOMES.index(verdict.outcome)])
            tokens.append(0 if verdict is None else verdict.output_tokens)
            answer = _answer(verdict) if shown else None
            answer_of.append(-1 if answer is None else answers.setdefault(answer, len(answers)))
            if verdict is not None and verdict.score is not None and 0 < verdict.score < 1:
                partial[len(codes) - 1] = round(verdict.score, 4)
    return {
        "repeats": repeats,
        "outcomes": "".join(codes),
        "tokens": tokens,
        "answers": list(answers),
        "answer": answer_of,
        "partial": partial,
    }


def _answer(verdict: Verdict | None) -> str | None:
    if verdict is None or verdict.extracted is None:
        return None
    return " ".join(verdict.extracted[: 2 * _EXTRACTED].split())[:_EXTRACTED]


def _preview(samples: Sequence[Samples], task: str, question_id: str) -> str:
    for run in samples:
        question = run.question(task, question_id, 0)
        if question is not None:
            return " ".join(question.messages[-1].content.split())[:_PREVIEW]
    return ""
