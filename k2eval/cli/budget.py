"""``k2eval budget``: scores against the tokens that an answer may cost."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from k2eval.cli.options import COMPARE, DataOption, IncludeOption, RunsArgument, to_path
from k2eval.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from k2eval.leaderboard import RunScores


_DIGITS = 9
"""Most digits of a budget."""


def add_to(app: typer.Typer) -> None:
    """Register the commands of this file."""
    app.command(rich_help_panel=COMPARE)(budget)


def budget(
    runs: RunsArgument,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="N,…",
            help="Budgets in tokens of one sample, such as 1024,4096. [default: powers of two that the samples span]",
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Cut the reasoning of answers that did not end by a budget, and have each run's own engine answer "
            "from there. Needs --at and --out; for runs of the recipe plain. Starts whatever model and engine a run "
            "names, so give runs that you trust.",
        ),
    ] = False,
    data: DataOption = None,
    include_path: IncludeOption = None,
    gpus: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Number of GPUs that answered. [default: by the settings of each run]"
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            parser=to_path,
            metavar="PATH",
            help="Path of the table as CSV, Markdown and SVG chart, without a suffix. [default: only print it]",
        ),
    ] = None,
) -> None:
    """Show the score of stored answers against the tokens allowed, per token and per GPU hour, and the frontier."""
    raise typer.Exit(budget_command(runs, _budgets(at), gpus, out, force, data, include_path or []))


def _budgets(text: str | None) -> list[int]:
    """Return the budgets that ``--at`` names.

    Raises:
        ConfigError: If one is no whole number of tokens.
    """
    if text is None:
        return []
    parts = [part.strip().replace("_", "") for part in text.split(",") if part.strip()]
    if not parts or not all(part.isdecimal() and len(part) <= _DIGITS and int(part) for part in parts):
        raise ConfigError(f"--at: expected numbers of tokens such as 1024,4096, got {text!r:.100}.")
    return [int(part) for part in parts]


def budget_command(
    runs: Sequence[Path],
    at: Sequence[int],
    gpus: int | None,
    out: Path | None,
    force: bool = False,
    data: Path | None = None,
    include: Sequence[Path] = (),
) -> int:
    """Carry out ``k2eval budget``.

    Raises:
        ConfigError: If a run cannot be used, or a file cannot be written.
        JournalError: If a run cannot be read.
    """
    from k2eval.budget import budget_points, budget_table, explanation, notes_on, write_budget
    from k2eval.cli.show import print_table
    from k2eval.leaderboard import load_run, load_runs
    from k2eval.system import terminal

    loaded = load_runs(runs)
    points = budget_points(loaded, at, gpus=gpus)
    console = terminal()
    if force:
        if out is None or not at:
            raise ConfigError("--force: expected --at and --out, for the runs that it makes. Give both.")
        made, code = _force(loaded, at, out, data, include, console)
        if code:
            return code
        points = budget_points(loaded, at, {key: load_run(path) for key, path in made.items()}, gpus)
    paths = write_budget(points, out) if out else ()
    print_table(*budget_table(points), console)
    for line in (explanation(points), *notes_on(points)):
        console.print(line, soft_wrap=True, highlight=False, markup=False)
    for path in paths:
        console.print(f"Wrote {path}", soft_wrap=True, highlight=False)
    return 0


def _force(
    runs: Sequence[RunScores],
    at: Sequence[int],
    out: Path,
    data: Path | None,
    include: Sequence[Path],
    console: Console,
) -> tuple[dict[tuple[str, int], Path], int]:
    """Make a run with forced answers for each run and budget, with one start of an engine for each checkpoint.

    Returns:
        The run directories by the name of the run and the budget, and the exit code; 0 if all are finished.
    """
    from k2eval.budget import forced_config
    from k2eval.cli.commands import evaluate
    from k2eval.engines import WarmEngines

    configs = {
        (run.info.name, budget): forced_config(run, budget, out, data, include)
        for run in runs
        for budget in sorted(set(at))
    }
    warm = WarmEngines()
    made: dict[tuple[str, int], Path] = {}
    with asyncio.Runner() as loop:
        try:
            for key, config in configs.items():
                code = evaluate(config, None, console, complete=loop.run, warm=warm)
                if code:
                    return made, code
                made[key] = config.out
        finally:
            loop.run(warm.close())
    return made, 0
