"""Averages over benchmarks, and the rank groups by them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from k2eval.leaderboard.columns import CONTROL, SAFETY, Benchmark, Row
from k2eval.leaderboard.groups import add_groups
from k2eval.leaderboard.once import Once
from k2eval.leaderboard.published import MATHS_QUESTIONS, TITLES
from k2eval.statistics import Difference, combine, paired_means, pool

_UNRANKED = (
    "the plain mean of the aspects, as in K2-Think's report; not ranked, since refusing everything would win"
)


_ASPECTS = 4


def add_averages(rows: Sequence[Row], benchmarks: Sequence[Benchmark]) -> tuple[str, ...]:
    """Add micro and macro averages of each group of benchmarks, and the macro average of all.

    A question that several benchmarks ask counts once. Micro averages weigh benchmarks by their questions, macro
    averages weigh them equally. A row that lacks a
    benchmark, has not finished it, or was asked other questions gets a value with a note and no rank.

    Benchmarks of numeric answers are in no average: errors are no percentages, and what error passes is a choice.
    Those of safety have averages of their own: the macro of the aspects, and the balanced one, in which answered
    harmless requests weigh as much as all aspects together. Only the latter ranks, so a model that refuses everything
    does not win.

    Returns:
        The names of the added averages.
    """
    added: list[str] = []
    benchmarks = [benchmark for benchmark in benchmarks if not benchmark.part and not benchmark.numeric]
    every = benchmarks
    benchmarks = [benchmark for benchmark in benchmarks if benchmark.group not in (SAFETY, CONTROL)]
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
    return (*added, *_add_safety(rows, every))


def _add_safety(rows: Sequence[Row], benchmarks: Sequence[Benchmark]) -> list[str]:
    aspects = [benchmark for benchmark in benchmarks if benchmark.group == SAFETY]
    controls = [benchmark for benchmark in benchmarks if benchmark.group == CONTROL]
    added = []
    if aspects and controls:
        _add(rows, [*aspects, *controls], "safety_balanced")
        added.append("safety_balanced")
    if len(aspects) > 1:
        _add(rows, aspects, "safety_macro", grouped=False)
        added.append("safety_macro")
    return added


def _add(rows: Sequence[Row], members: Sequence[Benchmark], name: str, *, grouped: bool = True) -> None:
    once = Once(members)
    members = once.counted
    for row in rows:
        _add_value(row, once, name)
    if not grouped:
        return
    ranked = [
        index
        for index, row in enumerate(rows)
        if row.record[f"{name}_benchmarks"] == len(members)
        and all(index in member.ranked for member in members)
    ]
    weights = _weights(name, members, [once.size(member) for member in members])
    means = {member.name: once.means(member) for member in members}

    def gap(first: int, second: int, confidence: float) -> Difference:
        gaps = [
            paired_means(means[member.name][:, first], means[member.name][:, second], confidence, test=False)
            for member in members
        ]
        return combine(gaps, weights)

    add_groups(rows, name, {index: rows[index].record[name] for index in ranked}, gap)


def _add_value(row: Row, once: Once, name: str) -> None:
    members = once.counted
    found = {member.name: once.estimate(member, row) for member in members if member.name in row.estimates}
    present = [member for member in members if member.name in found and found[member.name].questions]
    parts = [found[member.name] for member in present]
    estimate = pool(parts, _weights(name, present, [part.questions for part in parts]))
    notes = (
        []
        if len(present) == len(members)
        else [f"over {len(present)} of {len(members)} benchmarks: not ranked"]
    )
    aspects = sum(member.group == SAFETY for member in members)
    if name.startswith("safety_") and aspects < _ASPECTS:
        notes.append(f"over {aspects} aspects of safety, not the {_ASPECTS} of K2-Think's report")
    notes += [_UNRANKED, *once.notes] if name == "safety_macro" else once.notes
    others = [
        member for member in present if row.run.tasks[member.name].info.protocol_label != member.protocol
    ]
    if others:
        titles = ", ".join(member.title for member in others)
        notes.append(f"another protocol than other rows ({titles}): not ranked with them")
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


def mark_beside_published(
    rows: Sequence[Row], benchmarks: Sequence[Benchmark], averages: Sequence[str]
) -> None:
    """Note on averages of mathematics that are not over the benchmarks of the published ones.

    Args:
        rows: The rows, with their averages.
        benchmarks: The columns.
        averages: Names of the averages that the published figures have, too.
    """
    title_of = {
        benchmark.name: benchmark.title
        for benchmark in benchmarks
        if benchmark.group == "math" and not benchmark.part and not benchmark.numeric
    }
    for row in rows:
        there = {
            name: title
            for name, title in title_of.items()
            if name in row.estimates and row.estimates[name].questions
        }
        lacking = [title_of.get(name, TITLES[name]) for name in MATHS_QUESTIONS if name not in there]
        others = [title for name, title in there.items() if name not in MATHS_QUESTIONS]
        parts = [
            f"{word} {', '.join(titles)}"
            for word, titles in (("without", lacking), ("with", others))
            if titles
        ]
        if parts:
            note = (
                f"not over the {len(MATHS_QUESTIONS)} benchmarks of the published average: {', '.join(parts)}"
            )
            for name in averages:
                row.record[f"{name}_notes"] = (*row.record[f"{name}_notes"], note)


def _weights(name: str, members: Sequence[Benchmark], questions: Sequence[int]) -> list[float]:
    if name.endswith("micro"):
        return [float(count) for count in questions]
    if not name.endswith("balanced"):
        return [1.0] * len(members)
    sizes = Counter(member.group for member in members)
    return [1.0 / sizes[member.group] for member in members]
