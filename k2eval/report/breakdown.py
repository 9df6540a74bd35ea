"""Detailed scores: pass@k and maj@k of each benchmark, and of its questions by difficulty, platform, level …"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from k2eval.errors import ConfigError, did_you_mean
from k2eval.leaderboard import cells, distinct_names
from k2eval.records import Verdict
from k2eval.report.samples import Samples
from k2eval.statistics import Estimate, average, majority_at_k, pass_at_k, supported
from k2eval.system import write_texts
from k2eval.texts import as_line

MOST_VALUES = 24
"""Most values of a tag that is broken down by unasked; a tag with more, such as a contest's date, must be named."""
EXPLANATION = (
    "Percent, with 95 % intervals on questions like these. pass@k: at least one of k repeats is right (unbiased); "
    "maj@k: the most frequent answer of k repeats is right (ties by first seen)."
)

ByQuestion = Mapping[str, Mapping[int, Verdict]]


def break_down(
    runs: Sequence[Path], by: Sequence[str] = (), data: Path | None = None, include: Sequence[Path] = ()
) -> pd.DataFrame:
    """Return one row per run, benchmark and value of a tag; the whole benchmark comes first, with tag and value empty.

    Args:
        runs: Run directories.
        by: Tags to break down by; if empty, all tags that have 2 to `MOST_VALUES` values.
        data: Folder with the questions; needed only for maj@k of choices, whose options change places.
        include: Folders with the user's own tasks.

    Returns:
        Columns ``run``, ``task``, ``title``, ``tag``, ``value``, ``questions``, ``samples``, ``k``, then
        ``avg``, ``pass@K`` and ``maj@K`` for K = 2, 4, 8 … and k, each with ``_low`` and ``_high``; in percent.

    Raises:
        ConfigError: If no question has one of the tags in ``by``.
        JournalError: If a run directory cannot be read.
    """
    samples = [Samples.load(run, data, include) for run in runs]
    known = {tag for run in samples for verdicts in run.verdicts.values() for tag in _tags(verdicts)}
    for tag in by:
        if tag not in known:
            raise ConfigError(
                f"No question of these runs has a tag {tag!r}. {did_you_mean(tag, sorted(known))} "
                f"There are: {', '.join(sorted(known)) or 'none'}."
            )
    return break_down_samples(samples, distinct_names([(run.run.name, run.folder) for run in samples]), by)


def break_down_samples(
    samples: Sequence[Samples], names: Sequence[str], by: Sequence[str] = ()
) -> pd.DataFrame:
    """Return the rows of `break_down` for runs that are read already, under these names."""
    pairs = zip(names, samples, strict=True)
    return pd.DataFrame([{"run": name} | row for name, run in pairs for row in _rows(run, by)])


def _rows(samples: Samples, by: Sequence[str]) -> Iterator[dict[str, object]]:
    for name, task in samples.run.tasks.items():
        verdicts = samples.verdicts[name]
        votes = samples.votes(name)
        votes_on = dict(zip(verdicts, votes, strict=True)) if votes is not None else None
        for tag, value, chosen in _groups(verdicts, by):
            row: dict[str, object] = {"task": name}
            row |= {"title": task.title or name, "tag": tag, "value": value}
            scores = _scores({question: verdicts[question] for question in chosen})
            row |= {"questions": len(chosen), "samples": int(np.isfinite(scores).sum()), "k": scores.shape[1]}
            row |= _figure("avg", average(scores))
            row |= _curve("pass", supported(pass_at_k(scores)))
            if votes_on is not None:
                row |= _curve("maj", supported(majority_at_k([votes_on[question] for question in chosen])))
            yield row


def _groups(verdicts: ByQuestion, by: Sequence[str]) -> Iterator[tuple[str, str, list[str]]]:
    """Yield (tag, value, question ids): first all questions, then those of each value of each tag."""
    if not verdicts:
        return
    yield "", "", list(verdicts)
    tags = _tags(verdicts)
    for tag in by or [tag for tag, values in tags.items() if 2 <= len(values) <= MOST_VALUES]:
        for value in sorted(tags.get(tag, ()), key=order_of):
            yield tag, value, [question for question, runs in verdicts.items() if _tag(runs, tag) == value]


def _tags(verdicts: ByQuestion) -> dict[str, Counter[str]]:
    tags: dict[str, Counter[str]] = {}
    for by_repeat in verdicts.values():
        for tag, value in next(iter(by_repeat.values())).tags.items():
            tags.setdefault(tag, Counter())[value] += 1
    return tags


def _tag(runs: Mapping[int, Verdict], tag: str) -> str | None:
    return next(iter(runs.values())).tags.get(tag)


def order_of(value: str) -> tuple[float, str]:
    """Return a sort key of a tag's value: numbers by size, then words; easy before medium before hard."""
    order = {"easy": "0", "medium": "1", "hard": "2"}
    try:
        number = float(value)
    except ValueError:
        number = np.inf
    return (number, value) if np.isfinite(number) else (np.inf, order.get(value.lower(), value))


def _scores(verdicts: ByQuestion) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    repeats = max(max(by_repeat) for by_repeat in verdicts.values()) + 1
    scores = np.full((len(verdicts), repeats), np.nan)
    for row, by_repeat in enumerate(verdicts.values()):
        for repeat_index, verdict in by_repeat.items():
            if verdict.score is not None:
                scores[row, repeat_index] = verdict.score
    return scores


def _curve(name: str, curve: Sequence[Estimate]) -> dict[str, object]:
    row: dict[str, object] = {}
    for k, estimate in enumerate(curve, start=1):
        if k > 1 and (k == len(curve) or k & (k - 1) == 0):
            row |= _figure(f"{name}@{k}", estimate)
    return row


def _figure(name: str, estimate: Estimate) -> dict[str, object]:
    return {
        name: 100 * estimate.value,
        f"{name}_low": 100 * estimate.low,
        f"{name}_high": 100 * estimate.high,
    }


def figures_of(frame: pd.DataFrame) -> list[str]:
    """Return the names of the scores in a breakdown: avg, then pass@K by K, then maj@K by K."""
    curves = [name for name in frame.columns if "@" in name and not name.endswith(("_low", "_high"))]
    return ["avg", *sorted(curves, key=lambda name: (name[:3] != "pas", int(name.partition("@")[2])))]


def tables(frame: pd.DataFrame) -> Iterator[tuple[str, list[str], list[list[str]]]]:
    """Yield (title, header, rows): the benchmarks, then for each tag avg and the largest pass@K and maj@K."""
    if frame.empty:
        return
    names = figures_of(frame)
    whole = frame[frame["tag"] == ""]
    yield "Benchmarks", *_table(whole.assign(value=whole["title"]), "Benchmark", names)
    for title, header, rows, _ in by_tag(frame):
        yield title, header, rows


def by_tag(frame: pd.DataFrame) -> Iterator[tuple[str, list[str], list[list[str]], pd.DataFrame]]:
    """Yield (title, header, rows, their part of the frame) of each tag of each benchmark."""
    if frame.empty:
        return
    names = figures_of(frame)
    for (tag, title), found in frame[frame["tag"] != ""].groupby(["tag", "title"], sort=False):
        part = _by_value(found)
        there = [name for name in names if part[name].notna().any()]
        longest = {name.partition("@")[0]: name for name in there}
        yield f"{title}, by {tag}", *_table(part, str(tag), list(longest.values())), part


def _table(part: pd.DataFrame, heading: str, names: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """Return a header and rows; only the last point of a curve has its interval, the CSV has all of them."""
    several = part["run"].nunique() > 1
    shown = [name for name in names if part[name].notna().any()]
    ends = {name.partition("@")[0]: name for name in shown}.values()
    header = [heading, *(["Run"] if several else []), "Questions", "k", "Samples", *shown]
    rows = [
        [
            as_line(str(row["value"])),
            *([str(row["run"])] if several else []),
            f"{row['questions']}",
            f"{row['k']}",
            f"{row['samples']}",
            *(cells.score(row, name) if name in ends else cells.plain(row[name]) for name in shown),
        ]
        for _, row in _by_value(part).iterrows()
    ]
    return header, rows


def _by_value(part: pd.DataFrame) -> pd.DataFrame:
    return part.sort_values("value", key=lambda values: values.map(order_of), kind="stable")


def print_breakdown(frame: pd.DataFrame, console: Console) -> None:
    """Print the breakdown on a terminal."""
    for title, header, rows in tables(frame):
        table = Table(title=Text(title), title_justify="left", box=box.SIMPLE_HEAD)
        for index, name in enumerate(header):
            table.add_column(Text(name), justify="left" if index == 0 else "right", no_wrap=index > 0)
        for row in rows:
            table.add_row(*map(Text, row))
        console.print(table)
    console.print(EXPLANATION, markup=False, highlight=False, soft_wrap=True)


def write_breakdown(frame: pd.DataFrame, out: Path) -> list[Path]:
    """Write ``OUT.csv`` and ``OUT.md``; return their paths.

    Raises:
        ConfigError: If the files cannot be written.
    """
    parts = ["# Breakdown", EXPLANATION]
    for title, header, rows in tables(frame):
        parts += [f"## {title}", cells.markdown_table(header, rows)]
    csv = frame.round(6).to_csv(index=False, lineterminator="\n")
    return write_texts(out, {".csv": csv, ".md": "\n\n".join(parts) + "\n"})
