"""Differences between runs, and tests whether they are more than noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from k2eval.compare.aligned import Aligned, align
from k2eval.compare.averages import averages_of
from k2eval.compare.line import APART, Flip, Line, in_words
from k2eval.compare.quantised import MARGIN, Quantisation, quantisation_of
from k2eval.errors import ConfigError
from k2eval.journal import RunRecord
from k2eval.leaderboard import Contamination, RunScores, differences, load_runs
from k2eval.statistics import holm


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


def _pair(first: RunScores, second: RunScores, margin: float) -> Pair:
    shared = [name for name in first.tasks if name in second.tasks]
    if not shared:
        raise ConfigError(
            f"Expected runs with a benchmark in common, got {first.path} with {', '.join(first.tasks)} and "
            f"{second.path} with {', '.join(second.tasks)}."
        )
    aligned = [align(name, first.tasks[name], second.tasks[name]) for name in shared]
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
        (*averages_of(aligned, first, second), *lines),
        tuple(name for name in first.tasks if name not in second.tasks),
        tuple(name for name in second.tasks if name not in first.tasks),
        quantisation_of(first, second, lines, margin),
    )


def _line(benchmark: Aligned, p: float, benchmarks: int, runs: tuple[RunRecord, RunRecord]) -> Line:
    repeats = (benchmark.first.info.repeats, benchmark.second.info.repeats)
    return Line(
        name=benchmark.name,
        title=benchmark.title,
        first=benchmark.scores[0],
        second=benchmark.scores[1],
        difference=benchmark.difference,
        p=p,
        verdict=in_words(benchmark.difference, p, repeats, benchmarks, benchmark.first.error_unit)
        + (APART if benchmark.protocols else ""),
        notes=tuple(_notes(benchmark, runs)),
        flips=_flips(benchmark),
        error_unit=benchmark.first.error_unit,
    )


def _notes(benchmark: Aligned, runs: tuple[RunRecord, RunRecord]) -> list[str]:
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


def _flips(benchmark: Aligned) -> tuple[Flip, ...] | None:
    # Weights belong to steps, and the questions of these steps are shown themselves.
    # Errors have no border between right and wrong.
    if not benchmark.paired or benchmark.first.weights is not None or benchmark.first.error_unit is not None:
        return None
    sides = zip(benchmark.questions, *benchmark.means, strict=True)
    flips = [Flip(question, float(a), float(b)) for question, a, b in sides if (a - 0.5) * (b - 0.5) < 0]
    return tuple(sorted(flips, key=lambda flip: flip.first - flip.second))
