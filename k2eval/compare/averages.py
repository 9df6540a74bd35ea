"""Averages over the benchmarks of two runs.

A question that several benchmarks ask counts once, as on the leaderboard.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr

from k2eval.compare.aligned import Aligned
from k2eval.compare.line import APART, Line, in_words
from k2eval.leaderboard import CONTROL, SAFETY, RunScores, group_title, left_out
from k2eval.statistics import Difference, combine, pool, sign_flip_p


def averages_of(aligned: Sequence[Aligned], *runs: RunScores) -> list[Line]:
    """Return the averages that the leaderboard has, too: of each group, of all benchmarks, and of safety.

    Args:
        aligned: The benchmarks that both runs have.
        runs: The two runs.
    """
    groups: dict[str, list[Aligned]] = {}
    for benchmark in aligned:
        if benchmark.first.info.micro and benchmark.difference.questions and not benchmark.first.info.part:
            groups.setdefault(benchmark.first.info.micro, []).append(benchmark)
    tasks = {name: task.info for run in runs for name, task in run.benchmarks.items()}
    counts = Counter(info.micro for info in tasks.values())
    lines = [
        line
        for group, members in groups.items()
        if len(members) > 1 and group != CONTROL
        for kind in (("macro",) if group == SAFETY else ("micro", "macro"))
        for line in _average(f"{group}_{kind}", members, counts[group])
    ]
    apart = (SAFETY, CONTROL)
    every = [info for info in tasks.values() if info.micro not in apart and info.error_unit is None]
    members = [each for each in aligned if _is_in_macro(each)]
    if len(members) > 1 and not (len({info.micro for info in every}) == 1 and every[0].micro):
        lines += _average("macro", members, len(every))
    aspects, controls = groups.get(SAFETY, []), groups.get(CONTROL, [])
    if aspects and controls:
        lines += _average("safety_balanced", [*aspects, *controls], counts[SAFETY] + counts[CONTROL])
    return lines


def _is_in_macro(benchmark: Aligned) -> bool:
    """Tell whether the average of all benchmarks counts one: no part, no measured numbers, nothing of safety."""
    info = benchmark.first.info
    whole = not info.part and info.error_unit is None and info.micro not in (SAFETY, CONTROL)
    return whole and benchmark.difference.questions > 0


def _weights(name: str, members: Sequence[Aligned]) -> list[float]:
    if name.endswith("micro"):
        return [float(benchmark.difference.questions) for benchmark in members]
    sizes = Counter(benchmark.first.info.micro if name.endswith("balanced") else "" for benchmark in members)
    return [
        1.0 / sizes[benchmark.first.info.micro] if name.endswith("balanced") else 1.0 for benchmark in members
    ]


def _once(members: Sequence[Aligned]) -> tuple[list[Aligned], tuple[str, ...]]:
    """Return the benchmarks with the questions that count in them, and notes on those that count elsewhere."""
    out, notes = left_out([benchmark.asked for benchmark in members])
    counted = [benchmark.without(out[benchmark.name]) for benchmark in members]
    return [benchmark for benchmark in counted if benchmark.difference.questions], notes


def _average(name: str, whole: Sequence[Aligned], benchmarks: int) -> list[Line]:
    """Return the average over benchmarks; the group has ``benchmarks`` of them in the two runs together."""
    members, shared = _once(whole)
    if not members:
        return []
    weights = _weights(name, members)
    difference = combine([benchmark.difference for benchmark in members], weights)
    p = _p_of_all(members, weights, difference)
    difference = combine([benchmark.difference for benchmark in members], weights, p)
    notes = [] if difference.paired else ["unpaired in part: some questions differ"]
    apart = [benchmark.title for benchmark in members if benchmark.protocols]
    if apart:
        notes.append(f"under different protocols: {', '.join(apart)}")
    if len(whole) < benchmarks:
        notes.append(f"over the {len(whole)} of {benchmarks} benchmarks that both have")
    notes += shared
    repeats = (
        max(benchmark.first.info.repeats for benchmark in members),
        max(benchmark.second.info.repeats for benchmark in members),
    )
    line = Line(
        name=name,
        title=group_title(name),
        first=pool([benchmark.scores[0] for benchmark in members], weights),
        second=pool([benchmark.scores[1] for benchmark in members], weights),
        difference=difference,
        p=p,
        verdict=in_words(difference, p, repeats) + (APART if apart else ""),
        notes=tuple(notes),
        average=True,
    )
    return [line]


def _p_of_all(members: Sequence[Aligned], weights: Sequence[float], difference: Difference) -> float:
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
