"""A report behind a server: the page at once, and the texts of samples in pieces when they are asked for."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from k2eval.leaderboard import build
from k2eval.records import Json
from k2eval.report.build import Report
from k2eval.report.index import Prompts
from k2eval.report.pieces import content_of
from k2eval.report.samples import Samples, prompt_of, texts_of

RECORDS = 32
"""Samples, or questions, in a piece: few, so that one is soon there, and enough for a search in all of them."""
_LEVEL = 1
"""Level of Zstandard: pieces go over the loopback interface, so time counts more than size."""


class _Place(NamedTuple):
    task: str
    run: int | None
    """Number of the run; None for questions."""
    first: int
    """Number of the first sample or question."""
    end: int


class ServedReport:
    """The report of runs as they are now, with the texts on disk until a piece of them is asked for.

    Args:
        samples: The runs.

    Raises:
        JournalError: If a run directory cannot be read.
    """

    def __init__(self, samples: Sequence[Samples]) -> None:
        self.samples = samples
        self._report = Report.of(samples)
        self._places = [*self._divide()]
        self._prompts: dict[str, Prompts] = {}
        self._page: tuple[Json, str] | None = None
        self._lock = threading.Lock()

    @classmethod
    def load(
        cls,
        runs: Sequence[Path],
        data: Path | None = None,
        include: Sequence[Path] = (),
        known: Sequence[Samples] = (),
    ) -> ServedReport:
        """Read run directories.

        Args:
            runs: The run directories.
            data: Folder with the questions.
            include: Folders with the user's own tasks.
            known: Samples of these runs as of an earlier time, whose questions need not be found again.

        Raises:
            JournalError: If a run directory cannot be read.
        """
        by_folder = {samples.folder: samples for samples in known}
        return cls(
            [by_folder[run].again() if run in by_folder else Samples.load(run, data, include) for run in runs]
        )

    def page(self, place: dict[str, Json], query: str) -> str:
        """Return the page.

        Args:
            place: Where its script finds pieces and later samples.
            query: The query that names the runs in addresses of the server.

        Raises:
            JournalError: If a run directory cannot be read.
        """
        asked = [place, query]
        if self._page is None or self._page[0] != asked:
            board = build([run.folder for run in self.samples])
            self._page = asked, self._report.page(board, {"beside": None, **place}, served=query)
        return self._page[1]

    @property
    def described(self) -> dict[str, Json]:
        """The data of the page's script."""
        return self._report.index.described

    def piece(self, number: int) -> bytes:
        """Return a piece, compressed by Zstandard.

        Raises:
            IndexError: If there is no piece of this number.
            JournalError: If a sample's texts cannot be read.
        """
        if not 0 <= number < len(self._places):
            raise IndexError(number)
        place = self._places[number]
        with self._lock:
            records = [*(self._questions(place) if place.run is None else self._samples(place, place.run))]
        frame: bytes = pa.Codec("zstd", compression_level=_LEVEL).compress(content_of(records), asbytes=True)
        return frame

    def found(self, task: str, words: str) -> dict[str, Json]:
        """Return the numbers of the questions of a task, and of the samples of each run, whose texts hold words.

        Raises:
            KeyError: If there is no such task, or its texts are not shown.
            JournalError: If the texts cannot be read.
        """
        described = next((one for one in self.described["tasks"] if one["name"] == task), None)
        if described is None or described["hidden"]:
            raise KeyError(task)
        rows = {question: row for row, question in enumerate(described["questions"])}
        with self._lock:
            asked = [
                row
                for question, row in rows.items()
                if any(
                    words.lower() in text.lower() for text in self._prompts_of(task, question).of(question)
                )
            ]
        runs = [
            []
            if columns is None
            else [
                rows[question] * columns["repeats"] + repeat
                for question, repeat in samples.with_words(task, words)
            ]
            for samples, columns in zip(self.samples, described["runs"], strict=True)
        ]
        return {"questions": asked, "runs": runs}

    def _divide(self) -> Iterator[_Place]:
        """Yield the places of all pieces, and note their numbers in the index."""
        count = 0
        for task in self.described["tasks"]:
            if task["hidden"]:
                continue
            sizes = [None if columns is None else len(columns["outcomes"]) for columns in task["runs"]]
            for run, size in [*enumerate(sizes), (None, len(task["questions"]))]:
                if size is None:
                    continue
                owner = task if run is None else task["runs"][run]
                owner["pieces"] = []
                for first in range(0, size, RECORDS):
                    owner["pieces"].append((first, count))
                    count += 1
                    yield _Place(task["name"], run, first, min(first + RECORDS, size))

    def _samples(self, place: _Place, run: int) -> Iterator[tuple[int, list[str]]]:
        task, samples = self._task(place.task), self.samples[run]
        repeats = task["runs"][run]["repeats"]
        for number in range(place.first, place.end):
            row, repeat_index = divmod(number, repeats)
            question_id = task["questions"][row]
            verdict = samples.verdicts[place.task].get(question_id, {}).get(repeat_index)
            if verdict is not None:
                question = samples.question(place.task, question_id, repeat_index)
                prompt = self._prompts_of(place.task, question_id).number(
                    question_id, "" if question is None else prompt_of(question)
                )
                yield number, texts_of(samples, verdict, prompt, question)

    def _questions(self, place: _Place) -> Iterator[tuple[int, list[str]]]:
        questions = self._task(place.task)["questions"]
        for number in range(place.first, place.end):
            yield number, list(self._prompts_of(place.task, questions[number]).of(questions[number]))

    def _prompts_of(self, task: str, question_id: str) -> Prompts:
        """Return the prompts of a task, those of a question among them."""
        prompts = self._prompts.setdefault(task, Prompts())
        if not prompts.of(question_id):
            for samples in self.samples:
                for repeat_index in sorted(samples.verdicts.get(task, {}).get(question_id, {})):
                    question = samples.question(task, question_id, repeat_index)
                    prompts.number(question_id, "" if question is None else prompt_of(question))
        return prompts

    def _task(self, name: str) -> dict[str, Json]:
        found: dict[str, Json] = next(task for task in self.described["tasks"] if task["name"] == name)
        return found
