"""The table as Markdown, and the rows that Markdown, HTML and terminal share."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from k2eval.leaderboard import cells
from k2eval.leaderboard.board import Leaderboard
from k2eval.leaderboard.columns import Benchmark, group_title
from k2eval.leaderboard.published import TITLES

LEGEND = (
    "Scores are avg@k in percent, averaged over questions, with 95 % intervals clustered by question. "
    "**Bold**: the best of the column; ≈: its paired difference from the best may be noise."
)
PUBLISHED = (
    "## Published figures\n\nAs printed by their sources; not measured here, and not ranked with what was."
)


def to_markdown(board: Leaderboard, name: str) -> str:
    """Render the whole leaderboard as a Markdown page."""
    notes = cells.Footnotes()
    parts = [f"# Leaderboard: {name}", LEGEND, cells.markdown_table(*grid(board, notes, "<br>"))]
    parts.append("\n".join(f"- {line}" for line in (*board.notes, *notes.lines())))
    parts += ["## By benchmark", cells.markdown_table(*details(board))]
    if board.published is not None:
        parts += [PUBLISHED, cells.markdown_table(*published_table(board))]
    return "\n\n".join(part for part in parts if part) + "\n"


def header_of(frame: pd.DataFrame, benchmark: Benchmark) -> tuple[str, bool]:
    """Return the text under a benchmark's title, and whether it is true of all rows."""
    name = benchmark.name
    variety = (
        frame[[f"{name}_k", f"{name}_questions", f"{name}_expected_questions"]].dropna().drop_duplicates()
    )
    if len(variety) != 1:
        return "avg@k", False
    k, counted, expected = variety.iloc[0]
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
        group_title(name) + notes.mark(shared[name]) + (f"{line}rank" if f"{name}_rank" in frame else "")
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
        label = f"{record['run']}{line}{record['model']}, {record['recipe']}{cells.verified(record)}"
        row = [label + notes.mark(record["notes"], shared[""])]
        for name in board.averages:
            place = f"{line}{cells.rank(record, name)}" if f"{name}_rank" in frame else ""
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
    for benchmark in board.benchmarks:
        name = benchmark.name
        for _, record in board.frame[board.frame[name].notna()].iterrows():
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


def published_table(board: Leaderboard) -> tuple[list[str], list[list[str]]]:
    """Return a header and a row per published system, its source last."""
    frame = board.published if board.published is not None else pd.DataFrame()
    titles = {benchmark.name: benchmark.title for benchmark in board.benchmarks}
    scores = list(frame.columns.difference(["system", "source", "note"], sort=False))
    scores = [name for name in scores if frame[name].notna().any()]
    rows = [
        [record["system"], *(cells.plain(record[name], ".2f") for name in scores), _source(record)]
        for _, record in frame.iterrows()
    ]
    return ["System (published)", *(titles.get(name) or _title(name) for name in scores), "Source"], rows


def _title(name: str) -> str:
    stem = name.removesuffix("_computed")
    title = group_title(stem) if stem.endswith(("_micro", "_macro")) else TITLES.get(stem, stem)
    return title if stem == name else f"{title} (computed)"


def _source(record: pd.Series) -> str:
    return (
        f"{record['source']} ({record['note']})" if isinstance(record["note"], str) else str(record["source"])
    )
