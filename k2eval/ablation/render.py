"""The ablation as tables: the 2 × 2 of planning and choosing, baselines, the judge, and curves over N."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table as RichTable

from k2eval.ablation.table import Duel, Table, curve_rows
from k2eval.records import SampleKey
from k2eval.statistics import Difference, average, paired


def print_ablation(table: Table, console: Console) -> None:
    """Print all tables: for each task and, if there are several tasks, for all together."""
    shown = [row for row in table.rows() if row not in curve_rows(table.n)]
    if not shown:
        console.print("None of these samples is complete in any recipe: there is nothing to show.")
        return
    partial = [f"{row} ({count})" for row, count in table.partial().items() if row not in curve_rows(table.n)]
    if partial:
        console.print(
            f"Left out, as only some of {table.asked} samples have all their generations: {', '.join(partial)}.",
            highlight=False,
            soft_wrap=True,
        )
    tasks = sorted({key.task for row in shown for key in table.cells[row]})
    for task in [*tasks, None] if len(tasks) > 1 else tasks:
        keys = table.common(shown, task)
        console.print(f"\n[bold]{task or 'all tasks'}[/]: {_extent(keys)}", highlight=False)
        if not keys:
            console.print("  no sample has all rows")
            continue
        _two_by_two(table, shown, keys, console)
        _rows(table, shown, keys, console)
        _curve(table, keys, console)
        _judge(table, keys, console)
    _missing(table, console)


def _extent(keys: Sequence[SampleKey]) -> str:
    questions = len({key[:2] for key in keys})
    return f"{questions} questions, {len(keys)} samples that every row has"


def _two_by_two(table: Table, shown: Sequence[str], keys: Sequence[SampleKey], console: Console) -> None:
    n = table.n
    corner = (("plain", "plan"), (f"bo{n}", f"plan-bo{n}"))
    if any(row not in shown for pair in corner for row in pair):
        return
    grid = RichTable(box=box.SIMPLE_HEAD, title="Planning × choosing, in percent", title_justify="left")
    for heading in ("", "no plan", "plan", "plan brings"):
        grid.add_column(heading, justify="left" if heading == "" else "right")
    for label, (without, with_plan) in zip(("one candidate", f"best of {n}"), corner, strict=True):
        cells = [_score(table, row, keys) for row in (without, with_plan)]
        grid.add_row(label, *cells, _gap(table, without, with_plan, keys))
    brings = [_gap(table, corner[0][column], corner[1][column], keys) for column in (0, 1)]
    grid.add_row("choosing brings", *brings, f"both: {_gap(table, 'plain', f'plan-bo{n}', keys)}")
    console.print(grid)


def _rows(table: Table, shown: Sequence[str], keys: Sequence[SampleKey], console: Console) -> None:
    grid = RichTable(
        box=box.SIMPLE_HEAD, title="Recipes and baselines on the same samples", title_justify="left"
    )
    headings = ("recipe", "score %", "against plain", "tokens, whole", "tokens, selected", "calls")
    for heading in headings:
        grid.add_column(heading, justify="left" if heading == "recipe" else "right")
    for row in shown:
        whole, selected, calls = table.mean_cost(row, keys)
        against = "" if row == "plain" or "plain" not in shown else _gap(table, "plain", row, keys)
        label = _label(row, table.n)
        grid.add_row(
            label, _score(table, row, keys), against, f"{whole:,.0f}", f"{selected:,.0f}", f"{calls:.1f}"
        )
    console.print(grid)
    for kind in ("", "plan-"):
        full, early = f"{kind}maj{table.n}", f"{kind}adaptive{table.n}"
        if full in shown and early in shown:
            whole, part = (table.mean_cost(row, keys)[0] for row in (full, early))
            saved = 100 * (1 - part / whole) if whole else 0.0
            console.print(
                f"  {early} gives the answers of {full} with {saved:.1f}% fewer tokens.", highlight=False
            )


def _label(row: str, n: int) -> str:
    kind = "planned " if row.startswith("plan-") else ""
    base = row.removeprefix("plan-")
    names = {
        "random": f"a random {kind}candidate of {n}",
        f"oracle{n}": f"{kind}oracle: pass@{n}",
        f"maj{n}": f"{row} (maj@{n})",
    }
    if row == "plan-bo3":
        return "k2 (plan-bo3)"
    return names.get(base, row)


def _curve(table: Table, keys: Sequence[SampleKey], console: Console) -> None:
    """Print scores by the number of candidates, one line for each way to choose among them."""
    for kind, planned in (("", ""), ("plan-", ", planned")):
        for how, name in (("bo", "best of N"), ("maj", "maj@N"), ("oracle", "pass@N")):
            rows = [f"{kind}{how}{m}" for m in range(1, table.n + 1)]
            if all(set(keys) <= set(table.cells[row]) for row in rows):
                values = ", ".join(
                    f"{m}: {100 * average(table.scores(row, keys)).value:.1f}"
                    for m, row in enumerate(rows, 1)
                )
                console.print(f"  {name}{planned} by N: {values}", highlight=False)


def _judge(table: Table, keys: Sequence[SampleKey], console: Console) -> None:
    samples = set(keys)
    shown = table.rows()
    for row in (f"bo{table.n}", f"plan-bo{table.n}", "k2-published"):
        if row not in shown:
            continue
        by_sample = table.duels.get(row, {})
        duels = [duel for key, listed in by_sample.items() if key in samples for duel in listed]
        if duels:
            console.print(f"  judge of {row}: {judge_line(duels)}", highlight=False, soft_wrap=True)


def judge_line(duels: Sequence[Duel]) -> str:
    """Describe a judge: agreement of the two orders, preference for the first place, and right choices."""
    calls = [
        (named, first)
        for duel in duels
        for named, first in zip(duel.orders, duel.shown_first, strict=True)
        if named is not None
    ]
    parts = [f"{len(duels)} comparisons"]
    both = [duel for duel in duels if len(duel.orders) == 2 and None not in duel.orders]
    if both:
        agreed = sum(duel.orders[0] == duel.orders[1] for duel in both)
        parts.append(f"both orders agree in {_share(agreed, len(both))}")
    if calls:
        parts.append(
            f"the response shown first is named in {_share(sum(a == b for a, b in calls), len(calls))}"
        )
    telling = [duel for duel in duels if len(duel.right) == 1]
    if telling:
        won = sum(duel.winner in duel.right for duel in telling)
        single = [named in duel.right for duel in telling for named in duel.orders if named is not None]
        parts.append(
            f"if exactly one of two is right, the right one is chosen in {_share(won, len(telling))}"
            + (f" (single verdicts: {_share(sum(single), len(single))})" if single else "")
        )
    return "; ".join(parts)


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}% ({part}/{whole})"


def _score(table: Table, row: str, keys: Sequence[SampleKey]) -> str:
    estimate = average(table.scores(row, keys))
    return f"{100 * estimate.value:.1f} ({100 * estimate.low:.1f} – {100 * estimate.high:.1f})"


def _gap(table: Table, first: str, second: str, keys: Sequence[SampleKey]) -> str:
    return gap(paired(table.scores(first, keys), table.scores(second, keys), test=False))


def gap(difference: Difference) -> str:
    """Format a difference with its paired interval, in percentage points."""
    if not np.isfinite(difference.value):
        return "–"
    value, low, high = (
        round(100 * part, 1) + 0.0 for part in (difference.value, difference.low, difference.high)
    )
    return f"{value:+.1f} ({low:+.1f} … {high:+.1f})"


def _missing(table: Table, console: Console) -> None:
    """Print the rows that need new generations, and the command that makes them."""
    n = table.n
    sources = {f"bo{n}": ("plain", f"bo{n}"), f"{_planned(n)}": ("plan", f"plan-bo{n}")}
    for recipe, rows in sources.items():
        absent = [row for row in rows if row not in table.rows()]
        if absent:
            console.print(
                f"  Not in these runs: {', '.join(absent)}. `k2eval run --recipe {recipe} --reuse RUN …` makes "
                "them.",
                highlight=False,
                soft_wrap=True,
            )


def _planned(n: int) -> str:
    return "k2" if n == 3 else f"plan-bo{n}"
