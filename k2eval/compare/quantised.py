"""A checkpoint against a quantised one: quality, memory, speed and acceptance in one table and one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from k2eval.journal import RunRecord, WeightsRecord
from k2eval.leaderboard import ABSENT, RunScores
from k2eval.records import NoteKind
from k2eval.statistics import Difference, combine

if TYPE_CHECKING:
    from k2eval.compare.line import Line

MARGIN = 0.02
"""Half the width of "equivalent", as a fraction of the questions."""
_OWN = (
    "model",
    "revision",
    "tokenizer",
    "tokenizer_revision",
    "quantization",
    "hf_overrides",
    "generation_config",
)
"""Engine arguments that tell which checkpoint answers, not how fast."""


@dataclass(frozen=True, slots=True)
class Quantisation:
    """Two runs whose checkpoints differ in quantisation."""

    header: list[str]
    rows: list[list[str]]
    sentence: str
    """Quality and cost in one sentence."""


def quantisation_of(
    first: RunScores, second: RunScores, lines: Sequence[Line], margin: float = MARGIN
) -> Quantisation | None:
    """Return the comparison of two quantisations; None if the runs' checkpoints have the same, or tell none.

    Args:
        first: The first run.
        second: The second run.
        lines: The benchmarks that both have.
        margin: Half the width of "equivalent", as a fraction.
    """
    before, after = first.info.model.weights, second.info.model.weights
    if before is None or after is None or before.quantisation == after.quantisation:
        return None
    parts = [
        _scores([line for line in lines if _counts(line, first)], margin),
        _weights(before, after),
        _speed(first.info, second.info),
        _acceptance(first.info, second.info),
    ]
    words = "; ".join(part.words for part in parts if part.words)
    return Quantisation(
        [
            "Quantisation",
            f"{first.info.name}: {before.label}",
            f"{second.info.name}: {after.label}",
            "Change",
        ],
        [part.row for part in parts if part.row],
        f"{after.label} against {before.label}: {words}.",
    )


class _Part(NamedTuple):
    """One row of the table, and its words in the sentence."""

    row: list[str]
    words: str


def _scores(lines: Sequence[Line], margin: float) -> _Part:
    if not lines:
        return _Part([], "no score can be compared")
    difference = combine([line.difference for line in lines], [1.0] * len(lines))
    before, after = (np.mean([getattr(line, side).value for line in lines]) for side in ("first", "second"))
    change = f"{_points(difference.value)} ({_points(difference.low)} … {_points(difference.high)})"
    title = f"Score, mean of {_benchmarks(len(lines))}"
    return _Part(
        [title, f"{100 * before:.1f}", f"{100 * after:.1f}", change], quality(difference, margin, len(lines))
    )


def _weights(before: WeightsRecord, after: WeightsRecord) -> _Part:
    shown, change = [_size(side.size) for side in (before, after)], _percent(before.size, after.size)
    known = before.size and after.size
    words = f"weights of {shown[1]} instead of {shown[0]} ({change})"
    return _Part(["Weights", *shown, change], words if known else "the sizes of the weights are not known")


def _speed(first: RunRecord, second: RunRecord) -> _Part:
    before, after, obstacle = first.tokens_per_s, second.tokens_per_s, incomparable(first, second)
    row = ["Tokens/s (whole run)", *(f"{speed:,.0f}" if speed else ABSENT for speed in (before, after))]
    if obstacle or not before or not after:
        reason = obstacle or "a run has generated nothing"
        return _Part([*row, "not comparable"], f"speeds that cannot be compared: {reason}")
    return _Part(
        [*row, _percent(before, after)], f"{after / before:.2f} × the tokens/s{_disturbed(first, second)}"
    )


def _acceptance(first: RunRecord, second: RunRecord) -> _Part:
    before, after = first.acceptance_length(), second.acceptance_length()
    if before is None and after is None:
        return _Part([], "")
    shown = [f"{length:.2f}" if length else ABSENT for length in (before, after)]
    row = ["Acceptance length (whole run)", *shown, _percent(before, after)]
    both = before is not None and after is not None
    return _Part(row, f"an acceptance length of {shown[1]} instead of {shown[0]}" if both else "")


def quality(difference: Difference, margin: float, benchmarks: int) -> str:
    """Say what the scores show; "equivalent" means that the whole interval lies within the margin.

    >>> quality(Difference(-0.004, -0.012, 0.004, 0.004, 0.3, 0.01, 400, True), 0.02, 4)
    'the scores are equivalent within ±2 points (−0.4, 95 % interval −1.2 … +0.4, 400 questions of 4 benchmarks)'
    >>> quality(Difference(-0.004, -0.03, 0.022, 0.01, 0.7, 0.04, 100, True), 0.02, 1)[:78]
    'neither a difference nor equivalence within ±2 points is shown (−0.4, 95 % int'
    """
    low, high = difference.low, difference.high
    bound = f"±{100 * margin:g} points"
    if not np.isfinite(high - low):
        words = "the scores tell nothing"
    elif -margin < low and high < margin:
        words = f"the scores are equivalent within {bound}"
        if low > 0 or high < 0:
            words = f"the scores are {'higher' if low > 0 else 'lower'}, by less than {100 * margin:g} points"
    elif low > 0 or high < 0:
        words = f"the scores are {'higher' if low > 0 else 'lower'}"
    else:
        words = f"neither a difference nor equivalence within {bound} is shown"
    paired = "" if difference.paired else ", unpaired"
    return (
        f"{words} ({_points(difference.value)}, 95 % interval {_points(low)} … {_points(high)}, "
        f"{difference.questions} questions of {_benchmarks(benchmarks)}{paired})"
    )


def incomparable(first: RunRecord, second: RunRecord) -> str | None:
    """Return why the speeds of two runs cannot be compared; None if they can."""
    devices = first.machine.device, second.machine.device
    if None in devices:
        return "a run does not tell the machine that computed"
    if devices[0] != devices[1]:
        return f"{devices[0]} there, {devices[1]} here"
    if first.machine.system != second.machine.system:
        return "the machines have different systems"
    if first.model.engine != second.model.engine:
        return f"{first.model.engine} there, {second.model.engine} here"
    before, after = (_speed_settings(run) for run in (first, second))
    differing = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    if differing:
        return f"the engines have different settings ({', '.join(differing)})"
    if {name: task.repeats for name, task in first.tasks.items()} != {
        name: task.repeats for name, task in second.tasks.items()
    }:
        return "the runs have different tasks or repeats"
    return None


def _speed_settings(run: RunRecord) -> dict[str, object]:
    return {name: value for name, value in run.engine.settings.items() if name not in _OWN}


def _disturbed(*runs: RunRecord) -> str:
    names = [run.name for run in runs if any(note.kind == NoteKind.LOAD for note in run.engine.notes)]
    return f" (other programs kept the machine busy meanwhile: {' and '.join(names)})" if names else ""


def _counts(line: Line, run: RunScores) -> bool:
    task = run.tasks.get(line.name)
    return bool(
        not line.average
        and task
        and not task.info.part
        and line.error_unit is None
        and line.difference.questions
    )


def _benchmarks(number: int) -> str:
    return "1 benchmark" if number == 1 else f"{number} benchmarks"


def _points(fraction: float) -> str:
    return f"{100 * fraction:+.1f}".replace("-", "−") if np.isfinite(fraction) else ABSENT


def _percent(before: float | None, after: float | None) -> str:
    """Return a change in percent.

    >>> _percent(3.104, 3.099), _percent(4.47, 1.56), _percent(None, 1.0)
    ('+0 %', '−65 %', '–')
    """
    if not before or not after:
        return ABSENT
    return f"{100 * (after / before - 1):+.0f} %".replace("-0 %", "+0 %").replace("-", "−")


def _size(size: int | None) -> str:
    """Format bytes in decimal units.

    >>> [_size(size) for size in (15_231_000_000, 1_655_528, None)]
    ['15.2 GB', '1.66 MB', '–']
    """
    if not size:
        return ABSENT
    unit, name = (1e9, "GB") if size >= 1e9 else (1e6, "MB")
    return f"{size / unit:.3g} {name}"
