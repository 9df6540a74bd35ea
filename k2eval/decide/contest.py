"""A race over samples: which are drawn next, and where each pair of contestants stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from k2eval.errors import ConfigError
from k2eval.records import SampleKey, digest
from k2eval.statistics import Estimand, Hypothesis, Race, Scores, Standing

LOOKS = 32
"""Looks over the budget, if no batch is smaller than a sample."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A benchmark of a race."""

    name: str
    title: str
    questions: tuple[str, ...]
    repeats: int
    """Repeats of the fixed evaluation, which is the budget."""

    @property
    def samples(self) -> int:
        """Samples of one contestant in the whole budget."""
        return len(self.questions) * self.repeats


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of a race, fixed before it starts."""

    estimand: Estimand = Estimand.LIKE_THESE
    alpha: float = 0.05
    margin: float | None = None
    """Half the width of "equivalent", as a fraction; None decides only for better or worse."""
    looks: int = LOOKS
    all_pairs: bool = False
    """Whether every contestant meets every other; else each meets the first."""
    macro: bool = False
    """Whether the mean over the benchmarks is decided; else each benchmark is."""
    seed: int = 0


class Contest:
    """A race: gives out samples in a fixed random order, batch by batch, and looks after each batch.

    The order of the samples of a benchmark is a random order of its questions for the first repeat, another one for the
    second, and so on, the same for all contestants. A benchmark on which everything is decided gets no more samples.
    Neither does a contestant about whom everything is decided there.

    Args:
        names: The contestants.
        entries: The benchmarks.
        rules: The rules.

    Raises:
        ConfigError: If the level is too small for so many comparisons.
    """

    def __init__(self, names: Sequence[str], entries: Sequence[Entry], rules: Rules) -> None:
        self.names = tuple(names)
        self.entries = tuple(entries)
        self.rules = rules
        pairs = (
            combinations(range(len(names)), 2) if rules.all_pairs else ((0, i) for i in range(1, len(names)))
        )
        weights: list[tuple[tuple[int, float], ...]] = [((index, 1.0),) for index in range(len(entries))]
        if rules.macro:
            weights = [tuple((index, 1 / len(entries)) for index in range(len(entries)))]
        self.hypotheses = tuple(Hypothesis(*pair, weight) for pair in pairs for weight in weights)
        try:
            self._race = Race(
                self.hypotheses,
                [(len(entry.questions), entry.repeats) for entry in entries],
                estimand=rules.estimand,
                alpha=rules.alpha,
                margin=rules.margin,
                seed=rules.seed,
            )
        except ValueError as error:
            raise ConfigError(
                f"--alpha: {error}. Give a larger --alpha, fewer --tasks or contestants, or --macro."
            ) from error
        self._orders = [_order(entry, rules.seed) for entry in entries]
        self._drawn = np.zeros((len(entries), len(names)), dtype=np.intp)
        self.standings: tuple[Standing, ...] = ()

    @property
    def looks(self) -> int:
        """Number of looks so far."""
        return self._race.looks

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to draw: all is decided, or the budget is used up."""
        return not any(self._open(index) for index in range(len(self.entries)))

    def drawn(self, contestant: int) -> dict[str, int]:
        """Return the number of samples that were drawn of a contestant, by benchmark."""
        return {
            entry.name: int(count)
            for entry, count in zip(self.entries, self._drawn[:, contestant], strict=True)
        }

    def _open(self, entry: int) -> list[int]:
        """Return the contestants that need more samples of a benchmark."""
        samples = self.entries[entry].samples
        undecided = [
            hypothesis
            for index, hypothesis in enumerate(self.hypotheses)
            if not (self.standings and self.standings[index].decision)
            and any(benchmark == entry for benchmark, _ in hypothesis.weights)
        ]
        needed = {side for hypothesis in undecided for side in (hypothesis.first, hypothesis.second)}
        return sorted(side for side in needed if self._drawn[entry, side] < samples)

    def draw(self) -> list[list[SampleKey]]:
        """Draw the next batch; return the samples of each contestant, which are empty once the race is over."""
        batches: list[list[SampleKey]] = [[] for _ in self.names]
        for index, entry in enumerate(self.entries):
            size = -(-entry.samples // self.rules.looks)
            for contestant in self._open(index):
                start = int(self._drawn[index, contestant])
                places = self._orders[index][start : start + size]
                batches[contestant] += [
                    SampleKey(
                        entry.name,
                        entry.questions[place % len(entry.questions)],
                        place // len(entry.questions),
                    )
                    for place in places.tolist()
                ]
                self._drawn[index, contestant] += len(places)
        return batches

    def look(self, scores: Sequence[Mapping[str, Scores]]) -> tuple[Standing, ...]:
        """Look at the samples drawn so far.

        Args:
            scores: For each contestant, scores by benchmark of shape (questions, repeats), NaN without a score. Samples
                that are not drawn are not looked at.
        """
        seen = [
            [
                np.where(self.mask(entry, contestant), of_contestant[entry.name], np.nan)
                for contestant, of_contestant in enumerate(scores)
            ]
            for entry in self.entries
        ]
        self.standings = self._race.look(seen)
        return self.standings

    def mask(self, entry: Entry, contestant: int) -> NDArray[np.bool_]:
        """Return which samples of a contestant were drawn; shape (questions, repeats)."""
        index = self.entries.index(entry)
        mask = np.zeros(entry.samples, dtype=bool)
        mask[self._orders[index][: self._drawn[index, contestant]]] = True
        return mask.reshape(entry.repeats, -1).T


def _order(entry: Entry, seed: int) -> NDArray[np.intp]:
    """Return places (repeat × questions + question) in the order in which they are drawn."""
    count = len(entry.questions)
    passes = []
    for repeat in range(entry.repeats):
        rng = np.random.default_rng(int(digest(f"{seed}", entry.name, f"{repeat}")[:16], 16))
        passes.append(rng.permutation(count) + repeat * count)
    return np.concatenate(passes)
