"""The table for people and for programs: CSV, Markdown, terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from k2eval.errors import ConfigError
from k2eval.leaderboard import cells
from k2eval.leaderboard.board import Leaderboard
from k2eval.leaderboard.columns import Benchmark

TITLES = {"math": "Maths"}
LEGEND = (
    "Scores are avg@k in percent, averaged over questions, with 95 % intervals clustered by question. "
    "**Bold**: the best of the column; ≈: its paired difference from the best may be noise."
)
PUBLISHED = (
    "## Published figures\n\nAs printed by their sources; not measured here, and not ranked with what was."
)


def write(board: Leaderboard, out: Path) -> list[Path]:
    """Writes ``OUT.csv`` and ``OUT.md``; returns their paths.

    Raises:
        ConfigError: the files cannot be written.
    """
    base = out.with_suffix("") if out.suffix in {".csv", ".md", ".html"} else out
    texts = {".csv": to_csv(board), ".md": to_markdown(board, base.name)}
    paths = []
    try:
        base.parent.mkdir(parents=True, exist_ok=True)
        for suffix, text in texts.items():
            paths.append(base.with_name(base.name + suffix))
            paths[-1].write_text(text, "utf-8")
    except OSError as error:
        raise ConfigError(
            f"Cannot write the leaderboard to {base}: {error.strerror}. Choose another --out."
        ) from error
    return paths


def to_csv(board: Leaderboard) -> str:
    """One number per cell; percentages in percent, to six decimals; empty where there is none."""
    return board.frame.round(6).to_csv(index=False, lineterminator="\n")


def to_markdown(board: Leaderboard, name: str) -> str:
    """The whole leaderboard as a page."""
    notes = cells.Footnotes()
    parts = [f"# Leaderboard: {name}", LEGEND, _markdown_table(*_grid(board, notes, "<br>"))]
    parts.append("\n".join(f"- {line}" for line in (*board.notes, *notes.lines())))
    parts += ["## By benchmark", _markdown_table(*_details(board))]
    if board.published is not None:
        parts += [PUBLISHED, _markdown_table(*_published(board.published))]
    return "\n\n".join(part for part in parts if part) + "\n"


def print_table(board: Leaderboard, console: Console) -> None:
    """The leaderboard on a terminal: one run benchmark by benchmark, several runs as a grid."""
    notes = cells.Footnotes()
    if len(board.frame) == 1:
        record = board.frame.iloc[0]
        title = f"{record['run']}: {record['model']}, recipe {record['recipe']}{_speed(record)}"
        header, rows = _single(board, record, notes)
    else:
        title = "avg@k in percent, 95 % interval clustered by question; ≈: within noise of the best"
        header, rows = _grid(board, notes, "\n")
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    for index, name in enumerate(header):
        table.add_column(name, justify="left" if index == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*(_terminal(cell) for cell in row))
    console.print(table)
    for line in (*board.notes, *notes.lines()):
        console.print(line, markup=False, highlight=False)


def average_title(name: str) -> str:
    """``math_micro`` -> ``Maths micro``."""
    group, _, kind = name.rpartition("_")
    return f"{TITLES.get(group, group.capitalize())} {kind}" if group else "Macro (all)"


def header_of(frame: pd.DataFrame, benchmark: Benchmark) -> tuple[str, bool]:
    """What stands under a benchmark's title, and whether that holds for all rows."""
    name = benchmark.name
    variety = (
        frame[[f"{name}_k", f"{name}_questions", f"{name}_expected_questions"]].dropna().drop_duplicates()
    )
    if len(variety) != 1:
        return "avg@k", False
    k, counted, expected = variety.iloc[0]
    return f"avg@{k:.0f}, {cells.questions(counted, expected)}", True


def _grid(board: Leaderboard, notes: cells.Footnotes, line: str) -> tuple[list[str], list[list[str]]]:
    """A row per run; ``line`` is a line break, and ``**`` encloses the best."""
    frame = board.frame
    under = {benchmark.name: header_of(frame, benchmark) for benchmark in board.benchmarks}
    header = ["Run"]
    header += [
        average_title(name) + (f"{line}rank" if f"{name}_rank" in frame else "") for name in board.averages
    ]
    header += [f"{benchmark.title}{line}{under[benchmark.name][0]}" for benchmark in board.benchmarks]
    header += ["Truncated %", "No answer %", "Tokens", "Tokens, whole recipe", "Tokens/s"]
    with_drafts = bool(frame["acceptance_length"].notna().any())
    header += ["Acceptance length"] if with_drafts else []
    rows = []
    for _, record in frame.iterrows():
        label = f"{record['run']}{line}{record['model']}, {record['recipe']}"
        row = [label + (f", {record['variant']}" if record["variant"] else "") + notes.mark(record["notes"])]
        for name in board.averages:
            place = f"{line}{cells.rank(record, name)}" if f"{name}_rank" in frame else ""
            row.append(_score(record, name, notes) + place)
        for benchmark in board.benchmarks:
            uniform = under[benchmark.name][1]
            row.append(
                _score(record, benchmark.name, notes) + ("" if uniform else _size(record, benchmark, line))
            )
        row += [cells.plain(record["truncated"]), cells.plain(record["no_answer"])]
        row += [cells.plain(record["tokens"], ",.0f"), cells.plain(record["recipe_tokens"], ",.0f")]
        row += [cells.plain(record["tokens_per_s"], ",.0f")]
        row += [cells.plain(record["acceptance_length"], ".2f")] if with_drafts else []
        rows.append(row)
    return header, rows


def _terminal(cell: str) -> Text:
    """The cell with what ``**`` encloses in bold; brackets in names stay what they are."""
    text = Text()
    for index, part in enumerate(cell.split("**")):
        text.append(part, style="bold" if index % 2 else None)
    return text


def _score(record: pd.Series, name: str, notes: cells.Footnotes) -> str:
    text, standing = cells.score(record, name), record.get(f"{name}_standing")
    text = f"**{text}**" if standing == "best" else f"{text} ≈" if standing == "near" else text
    failed = " ⚠" if cells.number(record.get(f"{name}_failed")) > 0 else ""
    return text + failed + notes.mark(record.get(f"{name}_notes"))


def _size(record: pd.Series, benchmark: Benchmark, line: str) -> str:
    name = benchmark.name
    if pd.isna(record.get(f"{name}_k")):
        return ""
    size = cells.questions(record[f"{name}_questions"], record[f"{name}_expected_questions"])
    return f"{line}avg@{record[f'{name}_k']:.0f}, {size}"


_COLUMNS = ("avg@k %", "k", "Questions", "Samples", "Failed", "Truncated %", "No answer %", "Tokens")


def _single(
    board: Leaderboard, record: pd.Series, notes: cells.Footnotes
) -> tuple[list[str], list[list[str]]]:
    """One run, a row per benchmark and average."""
    rows = [[benchmark.title, *_facts(record, benchmark.name, notes)] for benchmark in board.benchmarks]
    for name in board.averages:
        mark = notes.mark(record[f"{name}_notes"])
        rows.append(
            [average_title(name), cells.score(record, name) + mark, "", f"{record[f'{name}_questions']}"]
        )
    whole = [f"{record['samples']:,}", f"{record['failed']:,}"]
    whole += [
        cells.plain(record["truncated"]),
        cells.plain(record["no_answer"]),
        cells.plain(record["tokens"], ",.0f"),
    ]
    rows.append(["All" + notes.mark(record["notes"]), "", "", "", *whole])
    return ["Benchmark", *_COLUMNS], [row + [""] * (9 - len(row)) for row in rows]


def _speed(record: pd.Series) -> str:
    """Tokens per second and acceptance length, where known."""
    speed = cells.plain(record["tokens_per_s"], ",.0f")
    drafts = cells.plain(record["acceptance_length"], ".2f")
    words = [f"{speed} tokens/s"] if speed != cells.ABSENT else []
    words += [f"acceptance length {drafts}"] if drafts != cells.ABSENT else []
    return "".join(f"; {word}" for word in words)


def _details(board: Leaderboard) -> tuple[list[str], list[list[str]]]:
    """A row per benchmark and run, with every denominator."""
    header = [
        "Benchmark",
        "Run",
        *_COLUMNS,
        "Tokens, whole recipe",
        "SE: questions, runs",
        "Questions' fingerprint",
    ]
    rows = []
    for benchmark in board.benchmarks:
        name = benchmark.name
        for _, record in board.frame[board.frame[name].notna()].iterrows():
            row = [benchmark.title, record["run"], *_facts(record, name, None)]
            row.append(cells.plain(record[f"{name}_recipe_tokens"], ",.0f"))
            parts = (cells.plain(record[f"{name}_{part}_se"]) for part in ("question", "run"))
            mismatch = record[f"{name}_fingerprint"] != benchmark.fingerprint
            row += [
                ", ".join(parts),
                f"{record[f'{name}_fingerprint'][:8]}{' ≠' if mismatch else ''}, {record[f'{name}_grader']}",
            ]
            rows.append(row)
    return [*header[:-1], "Questions' fingerprint, grader"], rows


def _facts(record: pd.Series, name: str, notes: cells.Footnotes | None) -> list[str]:
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


def _published(frame: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    scores = list(frame.columns.difference(["system", "source", "note"], sort=False))
    scores = [name for name in scores if frame[name].notna().any()]
    rows = [
        [record["system"], *(cells.plain(record[name], ".2f") for name in scores), _source(record)]
        for _, record in frame.iterrows()
    ]
    return ["System (published)", *scores, "Source"], rows


def _source(record: pd.Series) -> str:
    return (
        f"{record['source']} ({record['note']})" if isinstance(record["note"], str) else str(record["source"])
    )


def _markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(
        "| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines
    )
