"""Repeats where they narrow the interval of a score most, with an estimate that stays unbiased."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from k2eval.statistics.estimate import Array, Scores

Counts = NDArray[np.intp]

PILOT = 4
"""Repeats of every question in the first stage."""
STAGES = 3
_SECOND = 0.35
"""Share of the repeats that the pilot asks for, after which the noise is judged anew for the last stage."""
_LAST = 2.0
"""Repeats of the last stage for each one of the second stage, at least, when their weights are set."""
_RESERVE = 1.1
"""By how much the variance that is aimed at is smaller than the wanted one."""
_LEAST_LEFT = 0.2
"""Share of the wanted variance that is left to the last stage at least, if the earlier ones have used it up."""


class Stage(NamedTuple):
    """The repeats that were decided on at one time."""

    sums: Array
    """Sum of each question's scores; shape (questions,)."""
    counts: Counts
    """Number of its scores, at least one each."""
    empty: NDArray[np.bool_] | None = None
    """Questions without any score in the stage, whose sum and count are a guess; None if there are none."""


@dataclass(frozen=True, slots=True)
class Precise:
    """A score on these questions, of which only the noise of the repeats is left, as fractions."""

    value: float
    low: float
    high: float
    repeats: int
    """Number of samples, over all questions."""

    @property
    def margin(self) -> float:
        """Half the width of the interval before it is cut at 0 and 1."""
        return max(self.value - self.low, self.high - self.value)


def noise_of(sums: Array, counts: Counts | Array) -> Array:
    """Return the expected variance of one more score of each question, p (1 - p), given those so far.

    The chances of the questions follow a Beta distribution whose mean and spread are taken from all of them by their
    moments (empirical Bayes; Robbins 1956); p (1 - p) is its expectation for each question, so that a question that
    was solved twice in two repeats is not taken for certain. For scores between 0 and 1 it is an upper bound.

    >>> noise_of(np.array([0.0, 1.0, 2.0]), np.array([2, 2, 2])).round(3)
    array([0.15, 0.2 , 0.15])

    Args:
        sums: Sum of each question's scores; shape (questions,).
        counts: Number of its scores, at least one each.
    """
    means = sums / counts
    mean = float(np.clip(means.mean(), 0.5 / counts.sum(), 1 - 0.5 / counts.sum()))
    inverse = float((1 / counts).mean())
    between = float(means.var()) - mean * (1 - mean) * inverse
    known = between / (1 - inverse) if inverse <= 0.5 else 0.0  # one repeat each tells nothing about it
    between = float(np.clip(known, 0.0, 0.98 * mean * (1 - mean)))
    strength = mean * (1 - mean) / between - 1 if between > 0 else 1e6
    strength = min(strength, 1e6)
    a, b = strength * mean + sums, strength * (1 - mean) + counts - sums
    total = a + b
    noise: Array = a * b / (total * (total + 1))
    return noise


def next_stage(stages: Sequence[Stage], half_width: float, confidence: float = 0.95) -> Counts:
    """Return how many repeats each question gets in the next stage; shape (questions,), zeros after the last one.

    The first stage, the pilot, has `PILOT` repeats of every question. Then repeats go in proportion to the standard
    deviation of a question's scores, since all questions weigh the same (Neyman, J. R. Statist. Soc. 97, 1934). The
    second stage has about a third of what the pilot asks for; the last one has what is missing by then. Each question
    gets at least one repeat in each stage, so that its early repeats never decide about it alone. The number of stages
    is fixed: whoever goes on until the interval happens to be narrow enough stops at a score that is biased.

    >>> pilot = Stage(np.array([0.0, 2.0, 4.0, 3.0]), np.full(4, 4))
    >>> next_stage([pilot], half_width=0.05)
    array([ 1, 31,  1, 31])

    Args:
        stages: The stages so far, the pilot first.
        half_width: Half the width of the wanted interval, as a fraction.
        confidence: The interval's confidence.
    """
    questions = len(stages[0].sums)
    if len(stages) >= STAGES:
        return np.zeros(questions, dtype=np.intp)
    plan = _planned(stages[0], half_width, confidence)
    if len(stages) < STAGES - 1:
        wanted = _SECOND * plan - stages[0].counts
    else:
        weights = _weights(stages, half_width, confidence, STAGES)
        noise = _noise_of_folds(stages)
        used = noise * sum(
            weight**2 / stage.counts for weight, stage in zip(weights[:-1], stages, strict=True)
        )
        deviations = weights[-1] * np.sqrt(noise)
        wanted = np.zeros(questions)
        for fold, _ in _folds(questions):
            variance = _variance_of_fold(half_width, confidence, int(fold.sum()), questions)
            left = max(variance - float(used[fold].sum()), _LEAST_LEFT * variance)
            wanted[fold] = deviations[fold] * (deviations[fold].sum() / left)
    counts: Counts = np.maximum(np.ceil(wanted), 1).astype(np.intp)
    return counts


def precise_mean(stages: Sequence[Stage], half_width: float, confidence: float = 0.95) -> Precise:
    """Return the equal-weighted mean over questions of the chances to be right, from repeats chosen by `next_stage`.

    A question's value is a weighted mean of its stages. How many repeats a question has in a stage follows from
    outcomes, so the plain mean of all its repeats would be biased. The mean of one stage is not: its size was decided
    before it. So are the weights: that of the pilot is taken from the other half of the questions (even and odd
    places), and the pilot tells how the later stages share the rest. So the expectation is the truth, for any chances.
    The interval is the normal one, with each question's noise from all its repeats (`noise_of`).

    Args:
        stages: All stages.
        half_width: Half the width for which the stages were made, as a fraction.
        confidence: The interval's confidence.
    """
    questions = len(stages[0].sums)
    weights = _moved(_weights(stages, half_width, confidence, len(stages)), stages)
    noise = _noise(stages)
    values = sum(weight * stage.sums / stage.counts for weight, stage in zip(weights, stages, strict=True))
    variance = sum(
        float((noise * weight**2 / stage.counts).sum()) for weight, stage in zip(weights, stages, strict=True)
    )
    value = float(np.mean(values))
    margin = float(ndtri((1 + confidence) / 2) * np.sqrt(variance)) / questions
    return Precise(value, value - margin, value + margin, int(sum(stage.counts.sum() for stage in stages)))


def weighted_scores(
    scores: Scores,
    half_width: float,
    confidence: float = 0.95,
    there: NDArray[np.bool_] | None = None,
) -> Scores:
    """Return scores of which the plain mean of each question's row is the question's value in `precise_mean`.

    So every table that averages over repeats first and over questions then shows the unbiased score.

    Args:
        scores: As for `stages_of`. As long as the pilot is not whole, they are returned as they are.
        half_width: Half the width for which the stages were made, as a fraction.
        confidence: The interval's confidence.
        there: As for `stages_of`.
    """
    stages = stages_of(scores, half_width, confidence, there)
    if not stages:
        return scores
    only = [stage for stage, _ in stages]
    weights = _moved(_weights(only, half_width, confidence, len(stages)), only)
    known = np.isfinite(scores)
    members = [member & known for _, member in stages]
    total = np.maximum(np.sum(members, axis=0).sum(axis=1), 1)
    result = np.full(scores.shape, np.nan)
    for weight, member, stage in zip(weights, members, only, strict=True):
        factor = (weight * total / stage.counts)[:, None]
        result = np.where(member, scores * factor, result)
    return result


def _folds(questions: int) -> list[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """Return both halves of the questions, each with the half that decides about its weights."""
    even = np.arange(questions) % 2 == 0
    return [(even, ~even), (~even, even)] if questions > 1 else [(even, even)]


def _weights(stages: Sequence[Stage], half_width: float, confidence: float, count: int) -> Array:
    """Return the weight of each stage for each question; shape (stages, questions).

    The pilot's weight is the best one for the other half of the questions. The rest goes to the later stages in
    proportion to their repeats. Those of the last one are taken to be what the pilot leaves to it, and at least twice
    those of the second one: a question that only seemed certain may need many there.

    Args:
        stages: The stages so far, all but the last one at least.
        half_width: Half the width of the wanted interval.
        confidence: The interval's confidence.
        count: Number of stages, which may be one more than there are.
    """
    questions = len(stages[0].sums)
    if count == 1:
        return np.ones((1, questions))
    pilot, second = stages[0].counts, stages[1].counts
    third = np.zeros(questions)
    if count == STAGES:
        third = np.maximum(_planned(stages[0], half_width, confidence) - pilot - second, _LAST * second)
    noise = _noise_of_folds(stages[: count - 1])
    first = np.zeros(questions)
    for fold, other in _folds(questions):
        early, late = (float((noise / repeats)[other].sum()) for repeats in (pilot, second + third))
        first[fold] = late / (early + late)
    share = second / (second + third)
    return np.array([first, (1 - first) * share, (1 - first) * (1 - share)])[:count]


def _moved(weights: Array, stages: Sequence[Stage]) -> Array:
    """Return the weights with those of empty stages moved to another stage of the question, a later one if there is.

    A stage is empty where the question already has the most repeats that it may get, or where all of its samples
    failed on our side. The pilot decides about the former, so its own mean is the last resort: more weight for pilots
    that went well or badly would make a bias.
    """
    moved = weights.copy()
    filled = [
        np.ones(len(stage.sums), dtype=bool) if stage.empty is None else ~stage.empty for stage in stages
    ]
    for index in range(len(stages)):
        left = ~filled[index]
        for other in (*range(index + 1, len(stages)), *range(index - 1, -1, -1)):
            here = left & filled[other]
            moved[other, here] += moved[index, here]
            moved[index, here] = 0.0
            left &= ~here
    return moved


def _noise(stages: Sequence[Stage]) -> Array:
    sums = np.sum([stage.sums for stage in stages], axis=0)
    return noise_of(sums, np.sum([stage.counts for stage in stages], axis=0))


def _noise_of_folds(stages: Sequence[Stage]) -> Array:
    """Return the noise of each question, judged from its own half of the questions alone; shape (questions,)."""
    noise = np.zeros(len(stages[0].sums))
    for fold, _ in _folds(len(noise)):
        noise[fold] = _noise([Stage(stage.sums[fold], stage.counts[fold]) for stage in stages])
    return noise


def _variance_of_fold(half_width: float, confidence: float, size: int, questions: int) -> float:
    """Return the variance aimed at for the sum of a fold's values; both folds take a share by their size."""
    wanted = (half_width / ndtri((1 + confidence) / 2)) ** 2 / _RESERVE
    return float(wanted * questions * size)


def _planned(pilot: Stage, half_width: float, confidence: float) -> Array:
    """Return the repeats of each question that the pilot asks for in all; shape (questions,)."""
    deviations = np.sqrt(_noise_of_folds([pilot]))
    counts = np.zeros(len(deviations))
    for fold, _ in _folds(len(counts)):
        variance = _variance_of_fold(half_width, confidence, int(fold.sum()), len(counts))
        counts[fold] = deviations[fold] * (deviations[fold].sum() / variance)
    return counts


def stages_of(
    scores: Scores,
    half_width: float,
    confidence: float = 0.95,
    there: NDArray[np.bool_] | None = None,
) -> list[tuple[Stage, NDArray[np.bool_]]]:
    """Return the stages of scores that were made as `next_stage` says, each with the samples that belong to it.

    Args:
        scores: Shape (questions, most repeats of a question), NaN without a score. The order of the questions must be
            that in which the stages were made.
        half_width: Half the width for which the stages were made, as a fraction.
        confidence: The interval's confidence.
        there: Which samples were made, failed ones included; None: those with a score.

    Returns:
        The stages of which every sample was made.
    """
    questions, most = scores.shape
    there = np.isfinite(scores) if there is None else there
    stages: list[tuple[Stage, NDArray[np.bool_]]] = []
    start = np.zeros(questions, dtype=np.intp)
    counts = np.full(questions, PILOT, dtype=np.intp)
    while counts.any():
        end = np.minimum(start + counts, most)
        columns = np.arange(most)
        member = (columns >= start[:, None]) & (columns < end[:, None])
        if not there[member].all() or not member.any():
            break
        stages.append((stage_of(scores, member), member))
        start = end
        counts = next_stage([stage for stage, _ in stages], half_width, confidence)
    return stages


def stage_of(scores: Scores, member: NDArray[np.bool_]) -> Stage:
    """Return the stage of these samples; a question without any counts as one sample of its own mean, and is marked.

    Args:
        scores: Shape (questions, repeats), NaN without a score.
        member: Which samples belong to the stage.
    """
    known = np.isfinite(scores)
    chosen = member & known
    counts = chosen.sum(axis=1)
    sums = np.where(chosen, scores, 0.0).sum(axis=1)
    means = np.where(known, scores, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    empty = counts == 0
    return Stage(
        np.where(empty, means, sums), np.maximum(counts, 1).astype(np.intp), empty if empty.any() else None
    )
