"""A run directory as an object."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from k2eval.api.responses import Responses
from k2eval.journal import RunRecord, read_run, read_verdicts
from k2eval.leaderboard import Leaderboard, build, details
from k2eval.pages import table_fragment
from k2eval.records import SampleKey, Verdict

_RUN_COLUMN = 1


class Run:
    """A run directory: its description, its scores and its samples. A notebook shows the scores.

    Everything is read when it is first asked for, and then kept. Load the run again to see what was added since.

    Args:
        folder: The run directory.

    Raises:
        JournalError: If the folder is not a run directory.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.record: RunRecord = read_run(self.folder)
        """The content of ``run.json``."""

    @property
    def name(self) -> str:
        """The name of the run in tables."""
        return self.record.name

    @property
    def complete(self) -> bool:
        """Whether every sample that was asked for has a verdict."""
        return self.record.complete

    @property
    def failed(self) -> int:
        """Number of samples that could not be finished on our side. They are in no score."""
        return int(self._board.frame["failed"].iloc[0])

    @cached_property
    def scores(self) -> pd.DataFrame:
        """A row for each task: the score in percent, its interval and its denominators.

        The columns are those of the leaderboard (docs/leaderboard.md) without the task's name in front: ``score``,
        ``low`` and ``high`` (95 %), ``interval``, ``se``, ``k``, ``questions``, ``expected_questions``, ``samples``,
        ``failed``, ``truncated``, ``no_answer``, ``tokens``, ``notes`` and so on.
        """
        [row] = self._board.frame.to_dict("records")
        names = [benchmark.name for benchmark in self._board.benchmarks]
        rows: dict[str, dict[str, Any]] = {name: {"score": row[name]} for name in names}
        for column, value in row.items():
            owners = [name for name in (*names, *self._board.averages) if f"{column}_".startswith(f"{name}_")]
            owner = max(owners, key=len, default="")  # scicode_sub_low belongs to scicode_sub
            if owner in rows and column != owner:
                rows[owner][str(column).removeprefix(f"{owner}_")] = value
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("task")

    def verdicts(self) -> pd.DataFrame:
        """Return a row for each sample: task, question, repeat, outcome, score, extracted answer, tokens and so on."""
        rows = [verdict.model_dump(mode="json") for verdict in self._verdicts.values()]
        return pd.DataFrame(rows, columns=list(Verdict.model_fields))

    @cached_property
    def responses(self) -> Responses:
        """The texts, by task, question id and repeat: ``run.responses["smoke", "1", 0].text``."""
        return Responses(self.folder, self._verdicts)

    @cached_property
    def _verdicts(self) -> dict[SampleKey, Verdict]:
        return {verdict.sample_key: verdict for verdict in read_verdicts(self.folder, self.record)}

    @cached_property
    def _board(self) -> Leaderboard:
        return build([self.folder])

    @property
    def _title(self) -> str:
        words = f"{self.name}: {self.record.model.name}, recipe {self.record.recipe}, seed {self.record.seed}"
        words += "" if self.complete else ", not finished"
        return words + (f", {self.failed} samples failed on our side" if self.failed else "")

    def __repr__(self) -> str:
        columns = ["score", "low", "high", "k", "questions", "samples", "failed"]
        return f"{self._title}\n{self.scores.reindex(columns=columns).round(1)}"

    def _repr_html_(self) -> str:
        header, rows = details(self._board)
        return table_fragment(
            [*header[:_RUN_COLUMN], *header[_RUN_COLUMN + 1 :]],
            [[*row[:_RUN_COLUMN], *row[_RUN_COLUMN + 1 :]] for row in rows],
            title=self._title,
            notes=self._board.notes,
        )


def load_run(folder: str | Path) -> Run:
    """Load a run directory that ``k2eval run`` or `evaluate` wrote.

    Raises:
        JournalError: If the folder is not a run directory.
    """
    return Run(folder)
