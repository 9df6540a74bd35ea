"""Averages over benchmarks, and how sure a place in them is."""

from __future__ import annotations

from collections.abc import Sequence
from math import isclose

import numpy as np

from k2eval.leaderboard.columns import Benchmark, Row
from k2eval.statistics import combine, pool, rank_intervals, resample
from k2eval.statistics.difference import paired_means


def add_averages(rows: Sequence[Row], benchmarks: Sequence[Benchmark]) -> tuple[str, ...]:
    """Adds micro and macro averages of each group of benchmarks, and the macro average of all.

    Micro averages weigh benchmarks by their questions, macro averages weigh them alike. Rows that lack a
    benchmark, have not finished it, or were asked other questions, get a value with a note and no rank.

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
        weights = _weights(name, [len(member.questions) for member in members])
        _add_ranks(rows, members, name, ranked, weights)
        _add_standing(rows, members, name, ranked, weights)


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
            f"{name}_notes": "; ".join(notes),
        }
    )


def _add_ranks(
    rows: Sequence[Row],
    members: Sequence[Benchmark],
    name: str,
    ranked: Sequence[int],
    weights: Sequence[float],
) -> None:
    draws = np.sum(
        [
            share * resample(member.means[:, ranked], seed=seed)
            for seed, (share, member) in enumerate(zip(weights, members, strict=True))
        ],
        axis=0,
    )
    values = np.array([rows[index].record[name] for index in ranked])
    for index, place in zip(ranked, rank_intervals(values, draws), strict=True):
        if place is not None:
            rows[index].record.update(
                {f"{name}_rank": place.rank, f"{name}_rank_low": place.low, f"{name}_rank_high": place.high}
            )


def _add_standing(
    rows: Sequence[Row],
    members: Sequence[Benchmark],
    name: str,
    ranked: Sequence[int],
    weights: Sequence[float],
) -> None:
    values = {index: rows[index].record[name] for index in ranked}
    leader = max(values, key=lambda index: values[index])
    for index in ranked:
        gaps = [
            paired_means(member.means[:, leader], member.means[:, index], test=False) for member in members
        ]
        near = combine(gaps, weights).high >= 0
        standing = "best" if isclose(values[index], values[leader]) else "near" if near else ""
        rows[index].record[f"{name}_standing"] = standing


def _weights(name: str, questions: Sequence[int]) -> list[float]:
    return [float(count) if name.endswith("micro") else 1.0 for count in questions]
