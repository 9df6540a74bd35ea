"""Tables on the terminal, and the commands that only print one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from k2eval.system import terminal


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]], console: Console) -> None:
    """Print a table; columns of numbers are aligned on the right."""
    table = Table(box=SIMPLE)
    for title, cells in zip(header, zip(*rows, strict=True), strict=True):
        numbers = all(cell[:1] in "+-±0123456789–" for cell in cells)
        table.add_column(title, justify="right" if numbers else "left")
    for row in rows:
        table.add_row(*map(Text, row))  # a text may have brackets, which are no markup
    console.print(table)


def recipes_command() -> int:
    """Carry out ``k2eval recipes``."""
    from k2eval.recipes import BUILT_IN

    table = Table(title="Recipes", title_justify="left", box=SIMPLE)
    table.add_column("recipe")
    table.add_column("how a response is made")
    for entry in BUILT_IN:
        table.add_row(entry.name, entry.summary)
    terminal().print(table)
    return 0


def ablation_command(runs: Sequence[Path], n: int, data: Path | None, include: Sequence[Path] = ()) -> int:
    """Carry out ``k2eval ablation``."""
    from k2eval.ablation import ablate, print_ablation

    print_ablation(asyncio.run(ablate(runs, n, data, include)), terminal())
    return 0
