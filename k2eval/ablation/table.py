"""Results of an ablation by row and sample, and the comparisons of judges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from k2eval.records import SampleKey
from k2eval.statistics import Scores

ENOUGH = 0.95
"""Share of the samples that a row must have to be shown."""


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of one response."""

    whole: float
    """Output tokens of all its generations."""
    selected: float
    """Output tokens of the generation that was selected."""
    calls: float


@dataclass(frozen=True, slots=True)
class Cell:
    """One row's result on one sample."""

    score: float
    cost: Cost


@dataclass(frozen=True, slots=True)
class Duel:
    """One comparison of two candidates by a judge, and the candidates that are right."""

    orders: tuple[int | None, ...]
    """The candidate that the judge named in each order, first asked first."""
    shown_first: tuple[int, ...]
    winner: int
    right: frozenset[int]
    """The candidates that are right."""


@dataclass(slots=True)
class Table:
    """Results by row and sample."""

    n: int
    cells: dict[str, dict[SampleKey, Cell]] = field(default_factory=dict)
    duels: dict[str, dict[SampleKey, list[Duel]]] = field(default_factory=dict)
    asked: int = 0
    """Number of samples that the runs asked for."""

    def rows(self) -> list[str]:
        """Return the rows that nearly all samples have, in order.

        A row that only some samples have is left out. These samples are no random choice: easy questions need
        fewer generations and finish first.
        """
        most = max((len(cells) for cells in self.cells.values()), default=0)
        return [name for name, cells in self.cells.items() if cells and len(cells) >= ENOUGH * most]

    def partial(self) -> dict[str, int]:
        """Return the rows that only some samples have, each with the number of its samples."""
        shown = self.rows()
        return {name: len(cells) for name, cells in self.cells.items() if cells and name not in shown}

    def common(self, rows: Sequence[str], task: str | None = None) -> list[SampleKey]:
        """Return the samples that all these rows have, of one task or of all tasks."""
        shared = set.intersection(*(set(self.cells[row]) for row in rows)) if rows else set()
        return sorted(key for key in shared if task in (None, key.task))

    def scores(self, row: str, keys: Sequence[SampleKey]) -> Scores:
        """Return scores of shape (questions, repeats); NaN if a sample is not among ``keys``."""
        questions = {question: i for i, question in enumerate(dict.fromkeys(key[:2] for key in keys))}
        repeats = 1 + max((key.repeat_index for key in keys), default=0)
        scores = np.full((len(questions), repeats), np.nan)
        for key in keys:
            scores[questions[key[:2]], key.repeat_index] = self.cells[row][key].score
        return scores

    def mean_cost(self, row: str, keys: Sequence[SampleKey]) -> tuple[float, float, float]:
        """Return the mean whole tokens, selected tokens and calls of a response."""
        costs = [self.cells[row][key].cost for key in keys]
        whole, selected, calls = zip(
            *((cost.whole, cost.selected, cost.calls) for cost in costs), strict=True
        )
        return float(np.mean(whole)), float(np.mean(selected)), float(np.mean(calls))


def row_names(n: int) -> list[str]:
    """Return the names of all rows, in the order of the table."""
    names = ["plain", "plan", f"bo{n}", f"plan-bo{n}", "k2-published"]
    for kind in ("", "plan-"):
        names += [f"{kind}random", f"{kind}maj{n}", f"{kind}adaptive{n}", f"{kind}oracle{n}"]
    return names + curve_rows(n)


def curve_rows(n: int) -> list[str]:
    """Return the names of rows with fewer than ``n`` candidates, which are shown as curves."""
    kinds = ("bo", "maj", "oracle")
    return [f"{planned}{kind}{m}" for planned in ("", "plan-") for kind in kinds for m in range(1, n)]
