"""Differences between runs, and tests whether they are more than noise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from k2eval.compare.quantised import MARGIN, Quantisation, quantisation_of
from k2eval.errors import ConfigError
from k2eval.journal import RunRecord
from k2eval.leaderboard import (
    CONTROL,
    SAFETY,
    Contamination,
    RunScores,
    TaskScores,
    differences,
    group_title,
    load_runs,
)
from k2eval.statistics import (
    Array,
    Difference,
    Estimate,
    average_of,
    combine,
    holm,
    mean_of,
    paired_means,
    pool,
    question_means,
    sign_flip_p,
    unpaired_means,
)

LEVEL = 0.05
"""Level of the tests behind "better" and "worse", over all benchmarks of a pair of runs together."""


_APART = ", under different protocols"
"""Behind the verdict on a difference that may be one of protocols alone."""


class Flip(NamedTuple):
    """A question answered right in most repeats of one run and wrong in most repeats of the other."""

    question: str
    first: float
    """Mean score in the first run."""
    second: float


@dataclass(frozen=True, slots=True)
class Line:
    """One benchmark, or one average over benchmarks, in two runs."""

    name: str
    title: str
    first: Estimate
    second: Estimate
    difference: Difference
    """Second minus first."""
    p: float
    """Two-sided p-value; that of a benchmark is corrected for the number of benchmarks (Holm)."""
    verdict: str
    """The conclusion in words."""
    notes: tuple[str, ...] = ()
    flips: tuple[Flip, ...] | None = None
    """Gained questions first, then lost ones, the largest change first; None if questions are not paired."""
    average: bool = False
    error_unit: str | None = None
    """Unit of errors, of which less is better; None if the line is about shares."""

    @property
    def scale(self) -> int:
        """The factor of what is shown: percent for shares, 1 for errors."""
        return 100 if self.error_unit is None else 1


@dataclass(frozen=True, slots=True)
class Pair:
    """Two runs."""

    first: RunScores
    second: RunScores
    lines: tuple[Line, ...]
    only_first: tuple[str, ...]
    """Benchmarks that the second run lacks."""
    only_second: tuple[str, ...]
    quantisation: Quantisation | None = None
    """Quality and cost, if the checkpoints differ in quantisation."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The first run against each of the others."""

    pairs: tuple[Pair, ...]
    notes: tuple[str, ...] = ()


def compare(runs: Sequence[Path], *, exclude: Path | None = None, margin: float = MARGIN) -> Comparison:
    """Compare the first run with each of the others.

    Args:
        runs: Run directories.
        exclude: File that lists questions to leave out, as for `k2eval.leaderboard.build`.
        margin: Half the width of "equivalent" where checkpoints differ in quantisation, as a fraction.

    Raises:
        ConfigError: If fewer than two runs are given.
        JournalError: If a run directory cannot be read.
    """
    if len(runs) < 2:
        raise ConfigError(f"Expected at least two run directories to compare, got {len(runs)}.")
    loaded, notes = Contamination.of(exclude=exclude, split=None, cutoff=None).apply(load_runs(runs))
    warnings = [warning for run in loaded for warning in run.warnings]
    warnings += [
        f"the samples of {run.info.name} follow no seeds, so that only questions are paired, not samples"
        for run in loaded
        if not run.info.reproducible
    ]
    return Comparison(tuple(_pair(loaded[0], other, margin) for other in loaded[1:]), (*notes, *warnings))


@dataclass(frozen=True, slots=True)
class _Aligned:
    """One benchmark of two runs, on the questions that are compared."""

    name: str
    first: TaskScores
    second: TaskScores
    paired: bool
    means: tuple[Array, Array]
    """Per-question means; aligned if the questions are paired."""
    questions: tuple[str, ...]
    """Ids of the aligned questions."""
    difference: Difference
    scores: tuple[Estimate, Estimate]
    """Averages over the questions that are compared, so that the difference is that of these numbers."""

    @property
    def title(self) -> str:
        return self.first.info.title or self.name

    @property
    def protocols(self) -> tuple[str, str] | None:
        """The protocols of the two runs, if they differ."""
        first, second = self.first.info.protocol_label, self.second.info.protocol_label
        return None if first == second else (first, second)


def _pair(first: RunScores, second: RunScores, margin: float) -> Pair:
    shared = [name for name in first.tasks if name in second.tasks]
    if not shared:
        raise ConfigError(
            f"Expected runs with a benchmark in common, got {first.path} with {', '.join(first.tasks)} and "
            f"{second.path} with {', '.join(second.tasks)}."
        )
    aligned = [_align(name, first.tasks[name], second.tasks[name]) for name in shared]
    whole = [benchmark for benchmark in aligned if not benchmark.first.info.part]
    adjusted = dict(zip(map(id, whole), holm([benchmark.difference.p for benchmark in whole]), strict=True))
    # Another view of a benchmark, such as its steps, does not add to the number of benchmarks to correct for.
    corrected = [
        adjusted.get(id(benchmark), float(np.minimum(1.0, len(whole) * benchmark.difference.p)))
        for benchmark in aligned
    ]
    sides = (first.info, second.info)
    lines = [_line(benchmark, p, len(whole), sides) for benchmark, p in zip(aligned, corrected, strict=True)]
    return Pair(
        first,
        second,
        (*_averages(aligned, first, second), *lines),
        tuple(name for name in first.tasks if name not in second.tasks),
        tuple(name for name in second.tasks if name not in first.tasks),
        quantisation_of(first, second, lines, margin),
    )


def _align(name: str, first: TaskScores, second: TaskScores) -> _Aligned:
    """Pair the questions by their ids if both runs were asked the same data, else compare all questions."""
    means = question_means(first.values), question_means(second.values)
    shares = first.error_unit is None
    if first.info.fingerprint != second.info.fingerprint:
        difference = unpaired_means(*means, bounded=shares)
        return _Aligned(name, first, second, False, means, (), difference, (first.estimate, second.estimate))
    there = set(first.questions) & set(second.questions)
    common = tuple(question for question in first.questions if question in there)
    left, right = (side.means_of(common) for side in (first, second))
    both = np.isfinite(left) & np.isfinite(right)
    mean = average_of if shares else mean_of
    scores = mean(left[both]), mean(right[both])
    difference = paired_means(left, right, bounded=shares)
    return _Aligned(name, first, second, True, (left, right), common, difference, scores)


def _line(benchmark: _Aligned, p: float, benchmarks: int, runs: tuple[RunRecord, RunRecord]) -> Line:
    repeats = (benchmark.first.info.repeats, benchmark.second.info.repeats)
    return Line(
        name=benchmark.name,
        title=benchmark.title,
        first=benchmark.scores[0],
        second=benchmark.scores[1],
        difference=benchmark.difference,
        p=p,
        verdict=in_words(benchmark.difference, p, repeats, benchmarks, benchmark.first.error_unit)
        + (_APART if benchmark.protocols else ""),
        notes=tuple(_notes(benchmark, runs)),
        flips=_flips(benchmark),
        error_unit=benchmark.first.error_unit,
    )


def in_words(
    difference: Difference,
    p: float,
    repeats: tuple[int, int],
    benchmarks: int = 1,
    error_unit: str | None = None,
) -> str:
    """State the conclusion from a difference: "better", "worse", or the size that would have been shown.

    >>> gained = Difference(0.1, 0.02, 0.18, 0.04, 0.02, 0.12, 30, True)
    >>> in_words(gained, p=0.02, repeats=(4, 4))
    'better'
    >>> in_words(gained, p=0.06, repeats=(4, 4), benchmarks=3)
    'better on its own, but not when corrected for 3 benchmarks'
    >>> small = Difference(0.01, -0.07, 0.09, 0.04, 0.8, 0.12, 30, True)
    >>> in_words(small, p=0.8, repeats=(4, 4))
    'no difference shown: 30 questions × 4 repeats would show ±12.0 or more'

    Args:
        difference: The second average minus the first.
        p: Its p-value, corrected for the number of benchmarks.
        repeats: Repeats per question on both sides.
        benchmarks: Number of benchmarks that p is corrected for.
        error_unit: Unit of errors, of which less is better; None if the averages are shares.
    """
    if difference.questions == 0:
        return "nothing to compare: no question has scores on both sides"
    direction = "better" if (difference.value > 0) is (error_unit is None) else "worse"
    if p < LEVEL:
        return direction
    if difference.p < LEVEL:
        return f"{direction} on its own, but not when corrected for {benchmarks} benchmarks"
    repeated = (
        f"{repeats[0]} repeats" if repeats[0] == repeats[1] else f"{repeats[0]} and {repeats[1]} repeats"
    )
    size = f"{difference.questions} questions × {repeated}"
    if not np.isfinite(difference.detectable):
        return f"no difference shown: {size} cannot show any"
    if error_unit is not None:
        return f"no difference shown: {size} would show ±{difference.detectable:.3f} {error_unit} or more"
    return f"no difference shown: {size} would show ±{100 * difference.detectable:.1f} or more"


def _notes(benchmark: _Aligned, runs: tuple[RunRecord, RunRecord]) -> list[str]:
    first, second = benchmark.first.info, benchmark.second.info
    notes = []
    if benchmark.protocols:
        notes.append(
            f"protocol {benchmark.protocols[1]} instead of {benchmark.protocols[0]}: the difference is of the "
            "protocols too, so it does not rank the runs"
        )
    if not benchmark.paired:
        notes.append(
            f"unpaired: the questions differ (fingerprints {first.fingerprint[:8]} and {second.fingerprint[:8]}), "
            "so their choice adds to the noise"
        )
    elif benchmark.difference.questions < max(
        len(benchmark.first.questions), len(benchmark.second.questions)
    ):
        notes.append(f"compared on the {benchmark.difference.questions} questions that both have")
    others = differences(second.settings, first.settings)
    notes += [words for name, words in others.items() if name != "protocol"]
    for side, run in zip((benchmark.first, benchmark.second), runs, strict=True):
        deviations = side.info.deviations(run.recipe).values()
        if deviations:
            notes.append(
                f"{run.name} deviates from protocol {side.info.protocol_label}: {'; '.join(deviations)}"
            )
    failed = (benchmark.first.failed, benchmark.second.failed)
    if any(failed):
        notes.append(f"infrastructure failures, left out: {failed[0]} and {failed[1]} samples")
    missing = (benchmark.first.missing, benchmark.second.missing)
    if any(missing):
        notes.append(f"without a verdict: {missing[0]} and {missing[1]} samples")
    expected = first.expected_questions
    if expected is not None and first.questions < expected:
        notes.append(f"{first.questions} of {expected} questions")
    if benchmark.first.error_unit is not None:
        read = [side.graded for side in (benchmark.first, benchmark.second)]
        made = [side.decided for side in (benchmark.first, benchmark.second)]
        notes.append(
            f"mean absolute error: less is better; of answers with a number, {read[0]} of {made[0]} and {read[1]} of "
            f"{made[1]}"
        )
    return notes


def _flips(benchmark: _Aligned) -> tuple[Flip, ...] | None:
    # Weights belong to steps, and the questions of these steps are shown themselves.
    # Errors have no border between right and wrong.
    if not benchmark.paired or benchmark.first.weights is not None or benchmark.first.error_unit is not None:
        return None
    sides = zip(benchmark.questions, *benchmark.means, strict=True)
    flips = [Flip(question, float(a), float(b)) for question, a, b in sides if (a - 0.5) * (b - 0.5) < 0]
    return tuple(sorted(flips, key=lambda flip: flip.first - flip.second))


def _averages(aligned: Sequence[_Aligned], *runs: RunScores) -> list[Line]:
    groups: dict[str, list[_Aligned]] = {}
    every = {name: task.info.micro for run in runs for name, task in run.tasks.items()}
    for benchmark in aligned:
        if benchmark.first.info.micro and benchmark.difference.questions:
            groups.setdefault(benchmark.first.info.micro, []).append(benchmark)
    counts = Counter(every.values())
    lines = [
        _average(f"{group}_{kind}", members, counts[group], _weights(kind, members))
        for group, members in groups.items()
        if len(members) > 1 and group != CONTROL
        for kind in (("macro",) if group == SAFETY else ("micro", "macro"))
    ]
    aspects, controls = groups.get(SAFETY, []), groups.get(CONTROL, [])
    if aspects and controls:
        weights = [1 / len(side) for side in (aspects, controls) for _ in side]
        number = counts[SAFETY] + counts[CONTROL]
        lines.append(_average("safety_balanced", [*aspects, *controls], number, weights))
    return lines


def _weights(kind: str, members: Sequence[_Aligned]) -> list[float]:
    return [float(benchmark.difference.questions) if kind == "micro" else 1.0 for benchmark in members]


def _average(name: str, members: Sequence[_Aligned], benchmarks: int, weights: Sequence[float]) -> Line:
    """Average over ``members``; the group has ``benchmarks`` benchmarks in the two runs together."""
    difference = combine([benchmark.difference for benchmark in members], weights)
    p = _p_of_all(members, weights, difference)
    difference = combine([benchmark.difference for benchmark in members], weights, p)
    notes = [] if difference.paired else ["unpaired in part: some questions differ"]
    apart = [benchmark.title for benchmark in members if benchmark.protocols]
    if apart:
        notes.append(f"under different protocols: {', '.join(apart)}")
    if len(members) < benchmarks:
        notes.append(f"over the {len(members)} of {benchmarks} benchmarks that both have")
    repeats = (
        max(benchmark.first.info.repeats for benchmark in members),
        max(benchmark.second.info.repeats for benchmark in members),
    )
    return Line(
        name=name,
        title=group_title(name),
        first=pool([benchmark.scores[0] for benchmark in members], weights),
        second=pool([benchmark.scores[1] for benchmark in members], weights),
        difference=difference,
        p=p,
        verdict=in_words(difference, p, repeats) + (_APART if apart else ""),
        notes=tuple(notes),
        average=True,
    )


def _p_of_all(members: Sequence[_Aligned], weights: Sequence[float], difference: Difference) -> float:
    """Test by sign flips over all questions, each with its weight in the average; if unpaired, by the normal law."""
    if not difference.paired:
        return float(2 * ndtr(-abs(difference.value) / difference.se)) if difference.se > 0 else 1.0
    total = sum(weights)
    gaps = []
    for benchmark, weight in zip(members, weights, strict=True):
        gap = benchmark.means[1] - benchmark.means[0]
        gap = gap[np.isfinite(gap)]
        gaps.append(gap * weight / total / len(gap))
    return sign_flip_p(np.concatenate(gaps))
