"""The table as Markdown, and the rows that Markdown, HTML and terminal share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from k2eval.leaderboard import cells
from k2eval.leaderboard.board import Leaderboard
from k2eval.leaderboard.columns import Benchmark, group_title
from k2eval.leaderboard.published import ELSEWHERE, TITLES

LEGEND = (
    "Scores are avg@k in percent, averaged over questions, with 95 % intervals on questions like these, "
    "clustered by question. "
    "**Bold**: the best of the column; ≈: in its group, since no difference from it is shown."
)
PUBLISHED = "As printed by their sources; not measured here, and not ranked with what was."
NOT_RUN = (
    "k2eval does not run these: they need tools, the web or a simulated user. As printed by their sources."
)


def to_markdown(board: Leaderboard, name: str) -> str:
    """Render the whole leaderboard as a Markdown page."""
    notes = cells.Footnotes()
    parts = [f"# Leaderboard: {name}", LEGEND, cells.markdown_table(*grid(board, notes, "<br>"))]
    parts.append("\n".join(f"- {cells.in_markdown(line)}" for line in (*board.notes, *notes.lines())))
    parts += ["## By benchmark", cells.markdown_table(*details(board))]
    for table in published_tables(board):
        parts += [f"## {table.title}", table.remark, cells.markdown_table(table.header, table.rows)]
    return "\n\n".join(part for part in parts if part) + "\n"


def header_of(frame: pd.DataFrame, benchmark: Benchmark) -> tuple[str, bool]:
    """Return the text under a benchmark's title, and whether it is true of all rows."""
    name = benchmark.name
    sizes = zip(*(frame[f"{name}_{part}"] for part in ("k", "questions", "expected_questions")), strict=True)
    variety = {size for size in sizes if not any(map(pd.isna, size))}
    if len(variety) != 1:
        return "avg@k", False
    [(k, counted, expected)] = variety
    return f"avg@{k:.0f}, {cells.questions(counted, expected)}", True


def grid(
    board: Leaderboard, notes: cells.Footnotes, line: str, only: int | None = None
) -> tuple[list[str], list[list[str]]]:
    """Return a header and a row per run (the first ``only``); ``line`` breaks a line, ``**`` encloses the best."""
    frame = board.frame
    under = {benchmark.name: header_of(frame, benchmark) for benchmark in board.benchmarks}
    shared = {name: cells.shared(frame, name) for name in ("", *board.averages, *under)}
    header = ["Run" + notes.mark(shared[""])]
    header += [
        group_title(name) + notes.mark(shared[name]) + (f"{line}rank" if f"{name}_group" in frame else "")
        for name in board.averages
    ]
    header += [
        f"{benchmark.title}{notes.mark(shared[benchmark.name])}{line}{under[benchmark.name][0]}"
        for benchmark in board.benchmarks
    ]
    with_thinking = "thinking" in frame
    header += ["Thinking"] if with_thinking else []
    header += ["Truncated %", "No answer %", "Tokens", "Tokens, whole recipe", "Tokens/s"]
    with_drafts = bool(frame["acceptance_length"].notna().any())
    header += ["Acceptance length"] if with_drafts else []
    rows = []
    for _, record in frame.head(len(frame) if only is None else only).iterrows():
        label = f"{record['run']}{line}{record['model']}, {record['recipe']}"
        label += cells.protocol(record) + cells.verified(record)
        row = [label + notes.mark(record["notes"], shared[""])]
        for name in board.averages:
            place = f"{line}{cells.rank(record, name)}" if f"{name}_group" in frame else ""
            row.append(score_cell(record, name, notes, shared[name]) + place)
        for benchmark in board.benchmarks:
            size = "" if under[benchmark.name][1] else size_of(record, benchmark)
            cell = score_cell(record, benchmark.name, notes, shared[benchmark.name])
            row.append(cell + (line + size if size else ""))
        row += [record["thinking"] or cells.ABSENT] if with_thinking else []
        row += [cells.plain(record["truncated"]), cells.plain(record["no_answer"])]
        row += [cells.plain(record["tokens"], ",.0f"), cells.plain(record["recipe_tokens"], ",.0f")]
        row += [cells.plain(record["tokens_per_s"], ",.0f")]
        row += [cells.plain(record["acceptance_length"], ".2f")] if with_drafts else []
        rows.append(row)
    return header, rows


def score_cell(record: pd.Series, name: str, notes: cells.Footnotes, shared: Sequence[str]) -> str:
    """Format a score with its interval, and the marks that its heading lacks; ``**`` encloses the best score."""
    text, standing = cells.score(record, name), record.get(f"{name}_standing")
    text = f"**{text}**" if standing == "best" else f"{text} ≈" if standing == "near" else text
    failed = " ⚠" if cells.number(record.get(f"{name}_failed")) > 0 else ""
    return text + failed + notes.mark(record.get(f"{name}_notes"), shared)


def size_of(record: pd.Series, benchmark: Benchmark) -> str:
    """Format the size of a benchmark in one row: ``avg@16, 30 questions``."""
    name = benchmark.name
    if pd.isna(record.get(f"{name}_k")):
        return ""
    size = cells.questions(record[f"{name}_questions"], record[f"{name}_expected_questions"])
    return f"avg@{record[f'{name}_k']:.0f}, {size}"


FACTS = ("avg@k %", "k", "Questions", "Samples", "Failed", "Truncated %", "No answer %", "Tokens")


def details(board: Leaderboard) -> tuple[list[str], list[list[str]]]:
    """Return a header and a row per benchmark and run, with every denominator."""
    header = [
        "Benchmark",
        "Run",
        *FACTS,
        "Tokens, whole recipe",
        "SE: questions, repeats",
        "Questions' fingerprint, grader",
    ]
    rows = []
    records = [record for _, record in board.frame.iterrows()]  # of which each is a copy of all columns
    for benchmark in board.benchmarks:
        name = benchmark.name
        for record in (record for record in records if pd.notna(record[name])):
            row = [benchmark.title, record["run"], *facts(record, name, None)]
            row.append(cells.plain(record[f"{name}_recipe_tokens"], ",.0f"))
            parts = (cells.plain(record[f"{name}_{part}_se"]) for part in ("question", "repeat"))
            mismatch = record[f"{name}_fingerprint"] != benchmark.fingerprint
            row += [
                ", ".join(parts),
                f"{record[f'{name}_fingerprint'][:8]}{' ≠' if mismatch else ''}, {record[f'{name}_grader']}",
            ]
            rows.append(row)
    return header, rows


def of_one_run(
    board: Leaderboard, record: pd.Series, notes: cells.Footnotes
) -> tuple[list[str], list[list[str]]]:
    """Return a header and a row per benchmark and average of one run, with every denominator."""
    rows = [[benchmark.title, *facts(record, benchmark.name, notes)] for benchmark in board.benchmarks]
    for name in board.averages:
        mark = notes.mark(record[f"{name}_notes"])
        rows.append(
            [group_title(name), cells.score(record, name) + mark, "", f"{record[f'{name}_questions']}"]
        )
    whole = [f"{record['samples']:,}", f"{record['failed']:,}"]
    whole += [
        cells.plain(record["truncated"]),
        cells.plain(record["no_answer"]),
        cells.plain(record["tokens"], ",.0f"),
    ]
    rows.append(["All" + notes.mark(record["notes"]), "", "", "", *whole])
    rows = [row + [""] * (1 + len(FACTS) - len(row)) for row in rows]
    if not record["recipe_tokens"] > record["tokens"]:
        return ["Benchmark", *FACTS], rows
    costs = [record[f"{benchmark.name}_recipe_tokens"] for benchmark in board.benchmarks]
    costs += [None] * len(board.averages) + [record["recipe_tokens"]]
    rows = [
        [*row, "" if cost is None else cells.plain(cost, ",.0f")]
        for row, cost in zip(rows, costs, strict=True)
    ]
    return ["Benchmark", *FACTS, "Tokens,\nwhole"], rows


def facts(record: pd.Series, name: str, notes: cells.Footnotes | None) -> list[str]:
    """Return the cells of `FACTS` for one benchmark of one run."""
    expected, counted = record[f"{name}_expected_questions"], record[f"{name}_questions"]
    failed = int(record[f"{name}_failed"])
    return [
        cells.score(record, name) + (notes.mark(record[f"{name}_notes"]) if notes else ""),
        f"{record[f'{name}_k']:.0f}",
        cells.questions(counted, expected).removesuffix(" questions"),
        f"{record[f'{name}_samples']:,.0f}",
        f"{failed} ⚠" if failed else "0",
        cells.plain(record[f"{name}_truncated"]),
        cells.plain(record[f"{name}_no_answer"]),
        cells.plain(record[f"{name}_tokens"], ",.0f"),
    ]


class PublishedTable(NamedTuple):
    """A table of published figures."""

    title: str
    remark: str
    header: list[str]
    rows: list[list[str]]
    """A row per system with any of these figures, its source last."""


def published_tables(board: Leaderboard) -> list[PublishedTable]:
    """Return the published figures: those of benchmarks that k2eval runs, and apart those that it does not run."""
    frame = board.published if board.published is not None else pd.DataFrame()
    scores = list(frame.columns.difference(["system", "source", "note"], sort=False))
    scores = [name for name in scores if frame[name].notna().any()]
    tables = [
        ("Published figures", PUBLISHED, [name for name in scores if name not in ELSEWHERE]),
        ("Published figures of other benchmarks", NOT_RUN, [name for name in scores if name in ELSEWHERE]),
    ]
    return [
        PublishedTable(title, remark, *_published(board, frame, names))
        for title, remark, names in tables
        if names
    ]


def _published(
    board: Leaderboard, frame: pd.DataFrame, scores: Sequence[str]
) -> tuple[list[str], list[list[str]]]:
    titles = {benchmark.name: benchmark.title for benchmark in board.benchmarks}
    rows = [
        [record["system"], *(cells.plain(record[name], ".2f") for name in scores), _source(record)]
        for _, record in frame[frame[scores].notna().any(axis=1)].iterrows()
    ]
    return ["System (published)", *(titles.get(name) or _title(name) for name in scores), "Source"], rows


def _title(name: str) -> str:
    stem = name.removesuffix("_computed")
    title = group_title(stem) if stem.endswith(("_micro", "_macro")) else (TITLES | ELSEWHERE).get(stem, stem)
    return title if stem == name else f"{title} (computed)"


def _source(record: pd.Series) -> str:
    return (
        f"{record['source']} ({record['note']})" if isinstance(record["note"], str) else str(record["source"])
    )
