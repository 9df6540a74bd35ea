"""Commands that show runs and compare them, and the lists of tasks and recipes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from k2eval.cli import completion
from k2eval.cli.options import (
    COMPARE,
    LOOK,
    DataOption,
    ExcludeOption,
    IncludeOption,
    ProtectedOption,
    RunsArgument,
    to_path,
)


def add_to(app: typer.Typer) -> None:
    """Register the commands of this file."""
    look = app.command(rich_help_panel=LOOK)
    look(leaderboard)
    look(report)
    look(breakdown)
    look(view)
    look(tasks)
    look(contamination)
    look(recipes)
    look(protocols)
    app.command(rich_help_panel=COMPARE)(compare)
    app.command(rich_help_panel=COMPARE)(ablation)


def leaderboard(
    runs: RunsArgument,
    out: Annotated[
        Path,
        typer.Option(
            parser=to_path,
            metavar="PATH",
            help="Path of the tables without a suffix: leaderboards/mine becomes mine.csv, mine.md and mine.html.",
        ),
    ],
    published: Annotated[
        Path | None,
        typer.Option(
            parser=to_path,
            metavar="FILE",
            help="CSV file of published figures to show beside the runs. [default: the figures shipped with k2eval]",
        ),
    ] = None,
    exclude: ExcludeOption = None,
    split: Annotated[
        Path | None,
        typer.Option(
            parser=to_path,
            metavar="FILE",
            help="File of questions to score apart from the others, in the form of --exclude.",
        ),
    ] = None,
    cutoff: Annotated[
        str | None,
        typer.Option(
            metavar="DATE",
            help="Day such as 2024-10-01. Benchmarks with dated questions are also scored before and from this day.",
        ),
    ] = None,
    order: Annotated[
        Literal["score", "lower"],
        typer.Option(help="Order of the rows: by score, or by the lower end of its interval."),
    ] = "score",
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Print only the names of the files, not the table.")
    ] = False,
) -> None:
    """Write a table of runs as CSV, Markdown and HTML."""
    from k2eval.cli.commands import leaderboard_command

    scope: dict[str, Any] = {"exclude": exclude, "split": split, "cutoff": cutoff, "order": order}
    raise typer.Exit(leaderboard_command(runs, out, published, quiet, **scope))


def breakdown(
    runs: RunsArgument,
    by: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TAG",
            help="Tag to group questions by, such as difficulty. May be given several times. "
            "[default: every tag with few values]",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            parser=to_path,
            metavar="PATH",
            help="Path of the table as CSV and Markdown, without a suffix. [default: only print it]",
        ),
    ] = None,
    data: DataOption = None,
    include_path: IncludeOption = None,
) -> None:
    """Show pass@k and maj@k, and the scores by difficulty, platform, level and other tags."""
    from k2eval.cli.commands import breakdown_command

    raise typer.Exit(breakdown_command(runs, by or [], out, data, include_path or []))


def view(
    folder: Annotated[
        Path,
        typer.Argument(
            parser=to_path,
            metavar="[DIR]",
            help="Folder of run directories; they may lie up to four levels deep.",
        ),
    ] = Path("runs"),
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="PORT", help="Port to listen on; 0 takes a free one.")
    ] = 0,
    browse: Annotated[bool, typer.Option("--open", help="Open the page in this machine's browser.")] = False,
    data: DataOption = None,
    include_path: IncludeOption = None,
) -> None:
    """Show a folder of runs in the browser: live progress, and boards, comparisons and reports of those you choose."""
    from k2eval.cli.commands import view_command

    raise typer.Exit(view_command(folder, port, browse, data, include_path or []))


def compare(
    runs: RunsArgument,
    out: Annotated[
        Path | None,
        typer.Option(
            parser=to_path, metavar="FILE", help="Markdown file for the comparison. [default: only print it]"
        ),
    ] = None,
    exclude: ExcludeOption = None,
    margin: Annotated[
        float,
        typer.Option(
            min=0.01,
            max=100,
            help="Points within which a quantised checkpoint counts as equivalent to the first run's.",
        ),
    ] = 2.0,
) -> None:
    """Compare the first run with the others, question by question, and tell which differences are real."""
    from k2eval.cli.commands import compare_command

    raise typer.Exit(compare_command(runs, out, exclude, margin))


def report(
    runs: RunsArgument,
    out: Annotated[Path, typer.Option(parser=to_path, metavar="DIR", help="Folder to write report.html to.")],
    data: DataOption = None,
    include_path: IncludeOption = None,
    exclude: ExcludeOption = None,
    include_protected: ProtectedOption = False,
) -> None:
    """Write one HTML page with charts, a grid of all samples, and a viewer of each."""
    from k2eval.cli.commands import report_command

    raise typer.Exit(report_command(runs, out, data, include_path or [], exclude, include_protected))


def tasks(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TASK", autocompletion=completion.task, help="Names of the tasks to list. [default: all]"
        ),
    ] = None,
    data: DataOption = None,
    include_path: IncludeOption = None,
    questions: Annotated[
        bool,
        typer.Option("--questions", help="List the id and the hash of every question instead of the tasks."),
    ] = False,
    overlap: Annotated[
        bool,
        typer.Option(
            "--overlap", help="Name the questions that several tasks share, near duplicates included."
        ),
    ] = False,
) -> None:
    """List the tasks with their questions, source, grader and repeats; named ones with their protocol cards."""
    from k2eval.cli.commands import tasks_command

    raise typer.Exit(tasks_command(names or [], data, questions, include_path or [], overlap))


def contamination(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="TASK…", autocompletion=completion.task, help="Names of the tasks to look for."
        ),
    ],
    corpus: Annotated[
        Path,
        typer.Option(
            parser=to_path,
            metavar="DIR",
            help="Folder with training data: JSON Lines, text (both also as .gz and .zst) or Parquet, with subfolders.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            parser=to_path, metavar="FILE", help="Write the questions found to this list, for --exclude."
        ),
    ] = None,
    least: Annotated[
        float,
        typer.Option(
            "--least", min=0.01, max=1.0, help="List a question if one document holds this share of its text."
        ),
    ] = 0.5,
    data: DataOption = None,
    include_path: IncludeOption = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Number of processes that look. [default: one per processor]"),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            parser=to_path,
            metavar="FILE",
            help="Keep what was found in each part of the data in FILE, and go on from there if it exists.",
        ),
    ] = None,
) -> None:
    """Look for the questions of tasks in a folder of training data."""
    from k2eval.cli.contamination import contamination_command

    raise typer.Exit(
        contamination_command(names, corpus, out, least, data, include_path or [], workers, resume)
    )


def protocols(
    tasks: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TASK]...",
            autocompletion=completion.task,
            help="Tasks to show the protocols of. [default: one of each kind]",
        ),
    ] = None,
    form: Annotated[
        Literal["table", "md", "json"],
        typer.Option("--format", help="Form of the output: a table for the terminal, Markdown or JSON."),
    ] = "table",
    include_path: IncludeOption = None,
) -> None:
    """Show how others run a benchmark (`run --protocol`), side by side, with sources and what is unknown."""
    from k2eval.cli.protocols import protocols_command

    raise typer.Exit(protocols_command(tasks or [], form, include_path or []))


def recipes() -> None:
    """List the recipes, each of which makes a response in its own way."""
    from k2eval.cli.show import recipes_command

    raise typer.Exit(recipes_command())


def ablation(
    runs: RunsArgument,
    n: Annotated[
        int,
        typer.Option("--n", min=1, metavar="N", help="Number of candidates that a recipe chooses from."),
    ] = 3,
    data: DataOption = None,
    include_path: IncludeOption = None,
) -> None:
    """Show the effects of planning and choosing, from stored samples of one checkpoint. Nothing is generated."""
    from k2eval.cli.show import ablation_command

    raise typer.Exit(ablation_command(runs, n, data, include_path or []))
