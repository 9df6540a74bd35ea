"""Figures of configurations side by side: terminal, CSV, Markdown, and a plot of throughput against latency."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table

from k2eval.errors import ConfigError
from k2eval.speed.figures import LONG_ANSWER, Figures
from k2eval.system import replacing, write_text

METRICS = {
    "Failed requests": ("failed", ",.0f"),
    "Mean prompt, tokens": ("prompt_tokens", ",.1f"),
    "Mean answer, tokens": ("output_tokens", ",.1f"),
    "Requests/s": ("requests_per_s", ",.2f"),
    "Output tokens/s": ("tokens_per_s", ",.1f"),
    "Output tokens/s, all in flight": ("tokens_per_s_full", ",.1f"),
    "Tokens/s of one request": ("tokens_per_s_each", ",.1f"),
    "TTFT mean, ms": ("ttft_ms_mean", ",.1f"),
    "TTFT median, ms": ("ttft_ms_median", ",.1f"),
    "TTFT P99, ms": ("ttft_ms_p99", ",.1f"),
    "TPOT mean, ms": ("tpot_ms_mean", ",.2f"),
    "TPOT median, ms": ("tpot_ms_median", ",.2f"),
    "TPOT P99, ms": ("tpot_ms_p99", ",.2f"),
    "ITL mean, ms": ("itl_ms_mean", ",.2f"),
    "ITL median, ms": ("itl_ms_median", ",.2f"),
    "ITL P99, ms": ("itl_ms_p99", ",.2f"),
    f"One answer of {LONG_ANSWER:,} tokens, s": ("long_answer_s", ",.1f"),
    "Acceptance length": ("acceptance_length", ".2f"),
    "Acceptance rate, %": ("acceptance_rate", ".1%"),
    "Peak GPU memory, GiB": ("peak_gpu_gib", ",.2f"),
    "Peak resident memory, GiB": ("peak_rss_gib", ",.2f"),
}
"""Title -> column and format, in the order of the tables."""
EXPLANATION = (
    "TTFT: time to first token. TPOT: time per further token of one answer. ITL: time between two arrivals, each of "
    "which may hold several tokens. Changes are against the first configuration."
)
_SAME_LENGTH = 0.02


def table_of(measured: Sequence[Figures]) -> tuple[list[str], list[list[str]]]:
    """Return a table of configurations under one load, side by side; metrics that none of them has are left out."""
    rows = [figures.row() for figures in measured]
    header = ["Metric", measured[0].config]
    for figures in measured[1:]:
        header += [figures.config, "Change"]
    lines = []
    for title, (column, form) in METRICS.items():
        values = [float(row[column]) for row in rows]
        if all(math.isnan(value) for value in values):
            continue
        line = [title, _number(values[0], form)]
        for value in values[1:]:
            line += [_number(value, form), _change(values[0], value)]
        lines.append(line)
    return header, lines


def _number(value: float, form: str) -> str:
    if math.isnan(value):
        return "-"
    return format(value, form).removesuffix("%")


def _change(before: float, after: float) -> str:
    if math.isnan(before) or math.isnan(after) or before == 0:
        return "" if before == after else "-"
    return f"{100 * (after / before - 1):+.1f} %"


def remarks(measured: Sequence[Figures]) -> list[str]:
    """Return the remarks that a reader must know before quoting a figure of this load."""
    first, lines = measured[0], []
    for figures in measured:
        if figures.failed:
            lines.append(
                f"{figures.config}: {figures.failed} of {figures.requests} requests failed and count in no figure: "
                + "; ".join(figures.errors)
            )
    for other in measured[1:]:
        longer = other.output_tokens / first.output_tokens - 1 if first.output_tokens else math.nan
        if abs(longer) > _SAME_LENGTH:
            lines.append(
                f"{other.config} wrote answers {100 * longer:+.1f} % long, so tokens/s compares different work"
            )
        if other.tokens_per_s > first.tokens_per_s and other.tpot.mean > first.tpot.mean:
            lines.append(
                f"{other.config} answers more tokens/s in all, but each answer comes more slowly (TPOT "
                f"{_change(first.tpot.mean, other.tpot.mean)})"
            )
    return lines


def by_load(measured: Sequence[Figures]) -> list[list[Figures]]:
    """Group figures by load, in order of first appearance."""
    order = list(dict.fromkeys(figures.load for figures in measured))
    ordered = sorted(measured, key=lambda figures: order.index(figures.load))
    return [list(group) for _, group in groupby(ordered, key=lambda figures: figures.load)]


def print_tables(measured: Sequence[Figures], console: Console) -> None:
    """Print the tables of all loads on a terminal."""
    for group in by_load(measured):
        header, rows = table_of(group)
        title = f"{group[0].load}: {group[0].requests} requests"
        table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
        for index, name in enumerate(header):
            table.add_column(name, justify="left" if index == 0 else "right", overflow="fold")
        for row in rows:
            table.add_row(*row)
        console.print(table)
        for line in remarks(group):
            console.print(f"- {line}", soft_wrap=True, highlight=False)


def to_markdown(measured: Sequence[Figures], command: str) -> str:
    """Render a Markdown page with all loads."""
    parts = ["# Speed", f"`{command}`", EXPLANATION]
    for group in by_load(measured):
        header, rows = table_of(group)
        parts.append(f"## {group[0].load}, {group[0].requests} requests")
        lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
        parts.append(
            "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
        )
        parts.append("\n".join(f"- {line}" for line in remarks(group)))
    return "\n\n".join(part for part in parts if part) + "\n"


def write(measured: Sequence[Figures], out: Path, command: str) -> list[Path]:
    """Write ``OUT.csv``, ``OUT.md`` and ``OUT.png``; return their paths.

    Raises:
        ConfigError: If the files cannot be written.
    """
    base = out.with_suffix("") if out.suffix in {".csv", ".md", ".png"} else out
    paths = [base.with_name(base.name + suffix) for suffix in (".csv", ".md", ".png")]
    try:
        frame = pd.DataFrame([figures.row() for figures in measured])
        write_text(paths[0], frame.round(6).to_csv(index=False, lineterminator="\n"))
        write_text(paths[1], to_markdown(measured, command))
        with replacing(paths[2]) as temporary:
            plot(measured, temporary)
    except OSError as error:
        raise ConfigError(
            f"Cannot write the speed table to {base}: {error.strerror}. Choose another --out."
        ) from error
    return paths


def plot(measured: Sequence[Figures], path: Path) -> None:
    """Plot output tokens/s against median TPOT and against median TTFT, one line per configuration."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.2), layout="constrained")
    sides = figure.subplots(1, 2, sharey=True)
    for axes, name, title in zip(
        sides, ("tpot", "ttft"), ("per further token", "to the first token"), strict=True
    ):
        for number, config in enumerate(dict.fromkeys(figures.config for figures in measured)):
            # Arrivals at a rate and requests kept in flight are two curves.
            for arriving, marker in ((False, "o-"), (True, "s--")):
                group = [
                    figures
                    for figures in measured
                    if figures.config == config and figures.load.endswith("second") == arriving
                ]
                label = config + (", arriving" if arriving else "")
                if group:
                    _curve(axes, group, name, marker, number, label)
        axes.set_xlabel(f"median time {title}, ms")
        axes.grid(alpha=0.3)
        axes.margins(x=0.15)
    sides[0].set_ylabel("output tokens/s, all requests")
    sides[0].set_ylim(bottom=0)
    sides[0].legend()
    figure.savefig(path, dpi=130, format="png")


def _curve(axes: Any, group: Sequence[Figures], name: str, marker: str, number: int, label: str) -> None:
    across = [getattr(figures, name).median for figures in group]
    axes.plot(across, [figures.tokens_per_s for figures in group], marker, color=f"C{number}", label=label)
    rightmost = max(filter(math.isfinite, across), default=math.nan)
    for place, figures in zip(across, group, strict=True):
        named = any(
            text.get_text() == figures.load
            and math.isclose(text.xy[0], place, rel_tol=0.1)
            and math.isclose(text.xy[1], figures.tokens_per_s, rel_tol=0.1)
            for text in axes.texts
        )
        if math.isfinite(place) and math.isfinite(figures.tokens_per_s) and not named:
            side = "right" if place == rightmost and len(group) > 1 else "left"
            axes.annotate(
                figures.load,
                (place, figures.tokens_per_s),
                fontsize=7,
                color=f"C{number}",
                ha=side,
                va="top" if number % 2 else "bottom",
                xytext=(-4 if side == "right" else 4, -4 if number % 2 else 4),
                textcoords="offset points",
            )
