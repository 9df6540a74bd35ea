"""Averages over benchmarks, and the intervals of ranks by them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isclose

import numpy as np

from k2eval.leaderboard.columns import Benchmark, Row
from k2eval.statistics import combine, paired_means, pool, rank_intervals, resample


def add_averages(rows: Sequence[Row], benchmarks: Sequence[Benchmark]) -> tuple[str, ...]:
    """Add micro and macro averages of each group of benchmarks, and the macro average of all.

    Micro averages weigh benchmarks by their questions, macro averages weigh them equally. A row that lacks a
    benchmark, has not finished it, or was asked other questions gets a value with a note and no rank.

    Returns:
        The names of the added averages.
    """
    added: list[str] = []
    benchmarks = [benchmark for benchmark in benchmarks if not benchmark.part]
    groups = dict.fromkeys(benchmark.group for benchmark in benchmarks if benchmark.group)
    for group in groups:
        members = [benchmark for benchmark in benchmarks if benchmark.group == group]
        if len(members) > 1:
            for kind in ("micro", "macro"):
                _add(rows, members, f"{group}_{kind}")
                added.append(f"{group}_{kind}")
    covered = len(groups) == 1 and all(benchmark.group for benchmark in benchmarks)
    if len(benchmarks) > 1 and not covered:
        _add(rows, benchmarks, "macro")
        added.append("macro")
    return tuple(added)


@dataclass(frozen=True, slots=True)
class _Average:
    """One average over benchmarks, and the rows that are ranked by it."""

    name: str
    rows: Sequence[Row]
    members: Sequence[Benchmark]
    ranked: Sequence[int]
    """Indices of the rows that have finished all members on the same questions."""

    @property
    def weights(self) -> list[float]:
        return _weights(self.name, [len(member.questions) for member in self.members])

    @property
    def values(self) -> dict[int, float]:
        """Values of the ranked rows, by their index."""
        return {index: self.rows[index].record[self.name] for index in self.ranked}


def _add(rows: Sequence[Row], members: Sequence[Benchmark], name: str) -> None:
    for row in rows:
        _add_value(row, members, name)
    ranked = [
        index
        for index, row in enumerate(rows)
        if row.record[f"{name}_benchmarks"] == len(members)
        and all(index in member.ranked for member in members)
    ]
    if len(ranked) > 1:
        average = _Average(name, rows, members, ranked)
        _add_ranks(average)
        _add_standing(average)


def _add_value(row: Row, members: Sequence[Benchmark], name: str) -> None:
    present = [member for member in members if member.name in row.estimates]
    present = [member for member in present if row.estimates[member.name].questions]
    parts = [row.estimates[member.name] for member in present]
    estimate = pool(parts, _weights(name, [part.questions for part in parts]))
    notes = (
        []
        if len(present) == len(members)
        else [f"over {len(present)} of {len(members)} benchmarks: not ranked"]
    )
    for member in present:
        counted, whole = (row.record[f"{member.name}_{key}"] for key in ("questions", "expected_questions"))
        if counted < whole and name.endswith("micro"):
            notes.append(f"{member.title} weighs {counted} questions, not its {whole}")
    row.record.update(
        {
            name: 100 * estimate.value,
            f"{name}_low": 100 * estimate.low,
            f"{name}_high": 100 * estimate.high,
            f"{name}_questions": estimate.questions,
            f"{name}_benchmarks": len(present),
            f"{name}_notes": tuple(notes),
        }
    )


def _add_ranks(average: _Average) -> None:
    draws = np.sum(
        [
            share * resample(member.means[:, average.ranked], seed=seed)
            for seed, (share, member) in enumerate(zip(average.weights, average.members, strict=True))
        ],
        axis=0,
    )
    name, values = average.name, np.array(list(average.values.values()))
    for index, interval in zip(average.ranked, rank_intervals(values, draws), strict=True):
        if interval is not None:
            average.rows[index].record.update(
                {
                    f"{name}_rank": interval.rank,
                    f"{name}_rank_low": interval.low,
                    f"{name}_rank_high": interval.high,
                }
            )


def _add_standing(average: _Average) -> None:
    values = average.values
    leader = max(values, key=lambda index: values[index])
    for index in average.ranked:
        gaps = [
            paired_means(member.means[:, leader], member.means[:, index], test=False)
            for member in average.members
        ]
        near = combine(gaps, average.weights).high >= 0
        standing = "best" if isclose(values[index], values[leader]) else "near" if near else ""
        average.rows[index].record[f"{average.name}_standing"] = standing


def _weights(name: str, questions: Sequence[int]) -> list[float]:
    return [float(count) if name.endswith("micro") else 1.0 for count in questions]
