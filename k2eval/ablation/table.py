"""What an ablation gathers: results by row and sample, and the comparisons of judges."""

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
    """What one response cost."""

    whole: float
    """Output tokens of everything that was generated for it."""
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
    """One comparison of two candidates by a judge, and who was right."""

    orders: tuple[int | None, ...]
    """Which candidate each order named, in the order in which they were asked."""
    shown_first: tuple[int, ...]
    winner: int
    right: frozenset[int]
    """Those of the two candidates that are right."""


@dataclass(slots=True)
class Table:
    """Results by row and sample."""

    n: int
    cells: dict[str, dict[SampleKey, Cell]] = field(default_factory=dict)
    duels: dict[str, dict[SampleKey, list[Duel]]] = field(default_factory=dict)
    asked: int = 0
    """Samples that the runs asked for."""

    def rows(self) -> list[str]:
        """Rows that nearly all samples have, in order.

        A row that only some samples have is left out: which ones those are is no accident, since easy questions
        need fewer generations and come first.
        """
        most = max((len(cells) for cells in self.cells.values()), default=0)
        return [name for name, cells in self.cells.items() if cells and len(cells) >= ENOUGH * most]

    def partial(self) -> dict[str, int]:
        """Rows that only some samples have, and how many those are."""
        shown = self.rows()
        return {name: len(cells) for name, cells in self.cells.items() if cells and name not in shown}

    def common(self, rows: Sequence[str], task: str | None = None) -> list[SampleKey]:
        """Samples that all of these rows have, of one task or of all."""
        shared = set.intersection(*(set(self.cells[row]) for row in rows)) if rows else set()
        return sorted(key for key in shared if task in (None, key.task))

    def scores(self, row: str, keys: Sequence[SampleKey]) -> Scores:
        """Scores of shape (questions, repeats); NaN where a sample is not among ``keys``."""
        questions = {question: i for i, question in enumerate(dict.fromkeys(key[:2] for key in keys))}
        repeats = 1 + max((key.repeat_index for key in keys), default=0)
        scores = np.full((len(questions), repeats), np.nan)
        for key in keys:
            scores[questions[key[:2]], key.repeat_index] = self.cells[row][key].score
        return scores

    def mean_cost(self, row: str, keys: Sequence[SampleKey]) -> tuple[float, float, float]:
        """Mean whole tokens, selected tokens and calls of a response."""
        costs = [self.cells[row][key].cost for key in keys]
        whole, selected, calls = zip(
            *((cost.whole, cost.selected, cost.calls) for cost in costs), strict=True
        )
        return float(np.mean(whole)), float(np.mean(selected)), float(np.mean(calls))


def row_names(n: int) -> list[str]:
    """All rows, in the order shown."""
    names = ["plain", "plan", f"bo{n}", f"plan-bo{n}", "k2-published"]
    for kind in ("", "plan-"):
        names += [f"{kind}random", f"{kind}maj{n}", f"{kind}adaptive{n}", f"{kind}oracle{n}"]
    return names + curve_rows(n)


def curve_rows(n: int) -> list[str]:
    """Rows with fewer than ``n`` candidates, which are shown as curves."""
    kinds = ("bo", "maj", "oracle")
    return [f"{planned}{kind}{m}" for planned in ("", "plan-") for kind in kinds for m in range(1, n)]
