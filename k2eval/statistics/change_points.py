"""Steps of a series of runs at which its scores change, by paired tests over questions."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from k2eval.statistics.estimate import Array

_EXACT_UP_TO = 12
"""Questions up to which all signs are tried."""
_DRAWS = 19_999
_BATCH = 4_000_000
"""Numbers of one batch of drawn signs."""
_LEAST_QUESTIONS = 2


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """A place in a series at which scores change."""

    index: int
    """Number of the first run after the change, from 0."""
    before: float
    """Mean over runs and questions from the last change (or the start) up to this one."""
    after: float
    """Mean from this change up to the next one (or the end)."""
    p: float
    """The p-value of "no change anywhere" for the part of the series in which this change is the largest."""

    @property
    def difference(self) -> float:
        """Mean after the change minus mean before."""
        return self.after - self.before


def change_points(means: Array, alpha: float = 0.05) -> list[ChangePoint]:
    """Find the changes of a series by binary segmentation (Vostrikova 1981, Soviet Mathematics Doklady 24).

    A part of the series is split where the gap between the runs before and the runs after is largest compared with
    its spread over questions. It is split only if so large a gap is rare without a change. To judge this, the gaps of
    each question get a random sign, one for all splits together (Westfall and Young 1993, ch. 2): if nothing changes,
    no sign is likelier than the other. The largest of all splits is compared with the largest under random signs, so
    the chance to find anything in a series without a change is at most ``alpha``, however long the series is. The parts
    are tested again with shares of ``alpha`` by their lengths.

    A steady rise has no steps, so its changes only tell where the levels differ.

    Args:
        means: Per-question means of shape (runs, questions), NaN if unknown. Questions that one run of a part lacks do
            not count for that part.
        alpha: Chance to find a change where there is none.

    >>> rng = np.random.default_rng(0)
    >>> levels = np.repeat([0.3, 0.6], 4)[:, None]  # eight runs, the fifth is better
    >>> found = change_points(np.clip(levels + rng.normal(0, 0.15, (8, 30)), 0, 1))
    >>> [(change.index, round(change.difference, 1)) for change in found]
    [(4, 0.3)]
    """
    means = np.asarray(means, dtype=float)
    if means.ndim != 2:
        raise ValueError(f"expected means of shape (runs, questions), got {means.ndim} dimensions")
    splits = sorted(_splits(means, 0, len(means), alpha))
    ends = [*(index for index, _ in splits), len(means)]
    starts = [0, *ends[:-1]]
    found = []
    for number, (index, p) in enumerate(splits):
        part = means[starts[number] : ends[number + 1]]
        known = part[:, _in_all(part)]
        cut = index - starts[number]
        found.append(ChangePoint(index, float(known[:cut].mean()), float(known[cut:].mean()), p))
    return found


def _splits(means: Array, start: int, end: int, alpha: float) -> list[tuple[int, float]]:
    """Return the changes within a part of the series, each with its p-value."""
    part = means[start:end]
    part = part[:, _in_all(part)]
    if len(part) < 2 or part.shape[1] < _LEAST_QUESTIONS:
        return []
    gaps = _gaps(part)
    cut, p = _largest(gaps)
    if p > alpha:
        return []
    middle = start + cut + 1
    share = (middle - start) / (end - start)
    return [
        (middle, p),
        *_splits(means, start, middle, alpha * share),
        *_splits(means, middle, end, alpha * (1 - share)),
    ]


def _in_all(part: Array) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(part).all(axis=0))


def _gaps(part: Array) -> Array:
    """Return mean after minus mean before of each question for each split; shape (runs - 1, questions)."""
    counts = np.arange(1, len(part))[:, None]
    sums = part.cumsum(axis=0)
    gaps: Array = (sums[-1] - sums[:-1]) / (len(part) - counts) - sums[:-1] / counts
    return gaps


def _largest(gaps: Array) -> tuple[int, float]:
    """Return the split with the largest statistic, and the p-value of that maximum under random signs."""
    lengths = np.sqrt((gaps**2).sum(axis=1))
    scaled = np.divide(gaps, lengths[:, None], out=np.zeros_like(gaps), where=lengths[:, None] > 1e-12)
    observed = np.abs(scaled.sum(axis=1))
    limit = observed.max() - 1e-9
    questions = gaps.shape[1]
    if questions <= _EXACT_UP_TO:
        signs = np.array([(1, *rest) for rest in product((1, -1), repeat=questions - 1)], dtype=float)
        return int(observed.argmax()), float((np.abs(signs @ scaled.T).max(axis=1) >= limit).mean())
    rng = np.random.default_rng(0)
    extreme, drawn = 1, 0
    while drawn < _DRAWS:
        batch = min(_DRAWS - drawn, max(1, _BATCH // questions))
        signs = rng.integers(0, 2, (batch, questions), dtype=np.int8) * 2.0 - 1.0
        extreme += int((np.abs(signs @ scaled.T).max(axis=1) >= limit).sum())
        drawn += batch
    return int(observed.argmax()), extreme / (_DRAWS + 1)
