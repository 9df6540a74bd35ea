"""Questions a model may have seen in training: left out, or scored apart."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from k2eval.errors import ConfigError, DataError
from k2eval.leaderboard.scores import RunScores, TaskScores
from k2eval.records import Note, NoteKind

Test = Callable[[str, TaskScores], list[bool]]


@dataclass(frozen=True, slots=True)
class QuestionList:
    """A list of questions, read from a file."""

    path: Path
    names: frozenset[str]

    @classmethod
    def read(cls, path: Path) -> QuestionList:
        """Read one question per line; ignore empty lines and lines that start with ``#``.

        Raises:
            DataError: If the file cannot be read or names no question.
        """
        try:
            lines = path.read_text("utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"Expected a list of questions at {path}, one per line, got: {error}.") from error
        names = frozenset(
            line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")
        )
        if not names:
            raise DataError(
                f"Expected at least one question in {path}, got none. Give ids, task/id or hashes."
            )
        return cls(path, names)

    def test(self, task: str, scores: TaskScores) -> list[bool]:
        """Tell for each question whether the list has its id, ``task/id``, or the hash of its text."""
        return [not self.names.isdisjoint(names_of(task, question, scores)) for question in scores.questions]


def names_of(task: str, question: str, scores: TaskScores) -> tuple[str, ...]:
    """Return the names that a question may have in a list: its id, ``task/id``, and the hash that the run kept."""
    known = scores.info.hashes.get(question)
    return (question, f"{task}/{question}", *([known] if known else []))


@dataclass(frozen=True, slots=True)
class Contamination:
    """The questions to leave out and those to score apart."""

    excluded: QuestionList | None = None
    apart: QuestionList | None = None
    cutoff: str | None = None

    @classmethod
    def of(cls, *, exclude: Path | None, split: Path | None, cutoff: str | None) -> Contamination:
        """Read the lists and check the date.

        Raises:
            ConfigError: If the cut-off is not an ISO date.
            DataError: If a list cannot be read.
        """
        if cutoff is not None:
            try:
                datetime.date.fromisoformat(cutoff)
            except ValueError:
                raise ConfigError(f"Expected a cut-off date such as 2024-10-01, got {cutoff!r}.") from None
        return cls(
            QuestionList.read(exclude) if exclude else None,
            QuestionList.read(split) if split else None,
            cutoff,
        )

    def apply(self, runs: Sequence[RunScores]) -> tuple[list[RunScores], list[str]]:
        """Return the runs without the excluded questions and with the split columns, and the notes on both."""
        notes: list[str] = []
        changed = list(runs)
        if self.excluded is not None:
            changed = [_without(run, self.excluded) for run in changed]
            notes.append(_note_on(self.excluded, "left out of every score", runs))
        if self.apart is not None:
            changed = [_divided(run, self.apart.test, "listed", "unlisted") for run in changed]
            notes.append(_note_on(self.apart, "scored apart from the others", runs))
        if self.cutoff is not None:
            changed = [
                _divided(run, self._before, f"before {self.cutoff}", f"from {self.cutoff}") for run in changed
            ]
            notes.append(
                f"Benchmarks whose questions carry dates are also scored before and from {self.cutoff} on; "
                "questions without a date count as before, and if only the month is known, its first day decides."
            )
        return changed, notes

    def _before(self, task: str, scores: TaskScores) -> list[bool]:
        if not any(scores.dates):
            return []
        return [date is None or date[:10] < str(self.cutoff)[: len(date)] for date in scores.dates]


def _without(run: RunScores, listed: QuestionList) -> RunScores:
    tasks = {}
    for name, task in run.tasks.items():
        out = np.array(listed.test(name, task), dtype=bool)
        if not out.any():
            tasks[name] = task
            continue
        tasks[name] = _part(
            task,
            ~out,
            task.info.title,
            Note(
                kind=NoteKind.QUESTIONS, text=f"{out.sum()} questions left out (listed in {listed.path.name})"
            ),
        )
    return replace(run, tasks=tasks)


def _divided(run: RunScores, test: Test, yes: str, no: str) -> RunScores:
    """Add a column for each side of ``test``; if no question passes the test, leave the benchmark whole."""
    tasks = dict(run.tasks)
    for name, task in run.tasks.items():
        side = np.array(test(name, task), dtype=bool)
        if not side.any():
            continue
        for label, keep in ((yes, side), (no, ~side)):
            part = _part(task, keep, f"{task.info.title or name}, {label}", None)
            info = part.info.model_copy(update={"micro": None, "expected_questions": None, "part": True})
            tasks[f"{name}_{label.replace(' ', '_')}"] = replace(part, info=info)
    return replace(run, tasks=tasks)


def _part(
    task: TaskScores, keep: np.ndarray[tuple[int], np.dtype[np.bool_]], title: str, note: Note | None
) -> TaskScores:
    info = task.info.model_copy(
        update={
            "title": title,
            "questions": task.info.questions - int((~keep).sum()),
            "expected_questions": task.info.expected_questions or task.info.questions,
            "notes": (*task.info.notes, note) if note else task.info.notes,
        }
    )
    return replace(task.only(keep), info=info)


def _note_on(listed: QuestionList, treatment: str, runs: Sequence[RunScores]) -> str:
    met = {
        name
        for run in runs
        for task, scores in run.tasks.items()
        for question in scores.questions
        for name in names_of(task, question, scores)
    }
    matched = len(listed.names & met)
    share = f"{matched} of its {len(listed.names)} names match"
    return f"Questions listed in {listed.path.name} are {treatment}: {share}."
