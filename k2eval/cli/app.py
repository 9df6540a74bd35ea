"""The command line: parses, calls, prints. Heavy imports happen in the command that needs them."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TextIO

import typer

from k2eval.cli import exchange, speed
from k2eval.cli.options import DataOption, SpeculativeOption
from k2eval.errors import K2EvalError
from k2eval.sandbox.cli import app as sandbox_app

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Evaluate reasoning checkpoints on mathematics, code and science.",
)

app.add_typer(sandbox_app, name="sandbox")


@app.command()
def run(
    model: Annotated[
        str | None, typer.Option(help="Checkpoint folder, hub name, or a served model's name.")
    ] = None,
    tasks: Annotated[
        str | None, typer.Option(help="Task names, separated by commas; see `k2eval tasks`.")
    ] = None,
    recipe: Annotated[
        str | None, typer.Option(help="How a response is made; see `k2eval recipes`. [default: plain]")
    ] = None,
    repeats: Annotated[
        int | None, typer.Option(min=1, help="Repeats of every question. [default: the task's]")
    ] = None,
    runs: Annotated[int | None, typer.Option(min=1, hidden=True)] = None,
    out: Annotated[Path | None, typer.Option(help="Run directory; the same one again continues.")] = None,
    config: Annotated[
        Path | None, typer.Option(help="YAML file with these settings; flags win over it.")
    ] = None,
    data: DataOption = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many questions of each task.")] = None,
    reuse: Annotated[
        list[Path] | None,
        typer.Option(help="Run directory whose generations are taken over where they are the same."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed that all requests' seeds derive from. [default: 0]")
    ] = None,
    engine: Annotated[str | None, typer.Option(help="vllm, endpoint or scripted. [default: vllm]")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Grading processes. [default: cores - 1]")
    ] = None,
    speculative: SpeculativeOption = None,
    track: Annotated[
        Literal["wandb", "trackio"] | None,
        typer.Option(help="Send progress and scores there as well; failures never stop the run."),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="SECTION.KEY=VALUE",
            help="Any setting: engine.max_model_len=8192, aime24.repeats=4 …",
        ),
    ] = None,
) -> None:
    """Ask questions, grade the answers, keep everything in a run directory."""
    from k2eval.cli.commands import run_command

    flags: dict[str, Any] = {
        "model": model, "tasks": tasks, "recipe": recipe, "repeats": repeats, "runs": runs, "out": out,
        "data": data, "limit": limit, "seed": seed, "workers": workers, "speculative": speculative,
        "reuse": tuple(reuse) if reuse else None,
    }  # fmt: skip
    raise typer.Exit(run_command(config, flags, engine, set_ or [], track))


@app.command()
def grade(run: Annotated[Path, typer.Argument(help="Run directory.")], data: DataOption = None) -> None:
    """Grade a run again from its journal; loads no engine."""
    from k2eval.cli.commands import grade_command

    raise typer.Exit(grade_command(run, data))


@app.command()
def score(
    responses: Annotated[
        Path, typer.Argument(help='JSON lines: {"question_id", "response"} or {"gold", "response"}.')
    ],
    out: Annotated[Path, typer.Option(help="Where the graded rows go.")],
    task: Annotated[str | None, typer.Option(help="Task that the question ids belong to.")] = None,
    grader: Annotated[
        str | None, typer.Option(help="Grader for rows with their own gold: math or choice.")
    ] = None,
    data: DataOption = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="TASK.KEY=VALUE", help="Options of the task.")
    ] = None,
) -> None:
    """Grade responses that were made elsewhere."""
    from k2eval.cli.commands import score_command

    raise typer.Exit(score_command(responses, out, task, grader, data, set_ or []))


RunsArgument = Annotated[list[Path], typer.Argument(help="Run directories.")]
ExcludeOption = Annotated[
    Path | None, typer.Option(help="File of questions to leave out: an id, task/id or hash on each line.")
]


@app.command()
def leaderboard(
    runs: RunsArgument,
    out: Annotated[Path, typer.Option(help="Path of the tables without suffix, such as leaderboards/mine.")],
    published: Annotated[Path | None, typer.Option(help="CSV of published figures to show beside.")] = None,
    exclude: ExcludeOption = None,
    split: Annotated[
        Path | None, typer.Option(help="File of questions to score apart from the others.")
    ] = None,
    cutoff: Annotated[
        str | None, typer.Option(help="Date; dated questions are scored before and after it.")
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Write the files and print only their names.")
    ] = False,
) -> None:
    """Write a table of runs as CSV, Markdown and HTML."""
    from k2eval.cli.commands import leaderboard_command

    scope = {"exclude": exclude, "split": split, "cutoff": cutoff}
    raise typer.Exit(leaderboard_command(runs, out, published, quiet, **scope))


@app.command()
def breakdown(
    runs: RunsArgument,
    by: Annotated[
        list[str] | None,
        typer.Option(
            help="Tag of the questions, such as difficulty or level. [default: all with few values]"
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Path of CSV and Markdown without suffix.")] = None,
    data: DataOption = None,
) -> None:
    """Show pass@k and maj@k, and the scores by difficulty, platform, level and other tags."""
    from k2eval.cli.commands import breakdown_command

    raise typer.Exit(breakdown_command(runs, by or [], out, data))


@app.command()
def compare(
    runs: RunsArgument,
    out: Annotated[Path | None, typer.Option(help="Markdown file to write as well.")] = None,
    exclude: ExcludeOption = None,
) -> None:
    """Compare the first run with the others, question by question, and say which differences are real."""
    from k2eval.cli.commands import compare_command

    raise typer.Exit(compare_command(runs, out, exclude))


@app.command()
def report(
    runs: RunsArgument,
    out: Annotated[Path, typer.Option(help="Directory for report.html.")],
    data: DataOption = None,
    exclude: ExcludeOption = None,
    include_protected: Annotated[
        bool, typer.Option("--include-protected", help="Show texts whose authors ask not to publish them.")
    ] = False,
) -> None:
    """Write one HTML page: charts, a grid of all samples, and a viewer of each."""
    from k2eval.cli.commands import report_command

    raise typer.Exit(report_command(runs, out, data, exclude, include_protected))


@app.command(name="tasks")
def tasks_(
    names: Annotated[list[str] | None, typer.Argument(help="Only these.")] = None,
    data: DataOption = None,
    questions: Annotated[bool, typer.Option("--questions", help="List the ids of the questions.")] = False,
) -> None:
    """List the tasks: rows found, source, grader, default repeats."""
    from k2eval.cli.commands import tasks_command

    raise typer.Exit(tasks_command(names or [], data, questions))


@app.command()
def ablation(
    runs: Annotated[
        list[Path], typer.Argument(help="Run directories of one checkpoint, such as bo3 and k2.")
    ],
    n: Annotated[int, typer.Option("--n", min=1, help="Candidates.")] = 3,
    data: DataOption = None,
) -> None:
    """Show what planning and choosing bring, from stored samples; generates nothing."""
    from k2eval.cli.commands import ablation_command

    raise typer.Exit(ablation_command(runs, n, data))


@app.command()
def recipes() -> None:
    """List the recipes."""
    from k2eval.cli.commands import recipes_command

    raise typer.Exit(recipes_command())


@app.command()
def doctor(data: DataOption = None) -> None:
    """Check what this machine offers: engine, memory, disk, data, sandbox."""
    from k2eval.cli.commands import doctor_command

    raise typer.Exit(doctor_command(data))


speed.add_to(app)
exchange.add_to(app)


def main() -> None:
    """Entry point: prints k2eval's own errors without a traceback and exits with code 2."""
    warnings.showwarning = _show_warning
    status: list[int] = []
    atexit.register(leave, status)  # before whatever a command registers, so called after it
    try:
        app()
    except K2EvalError as error:
        print(f"k2eval: {error}", file=sys.stderr)
        status.append(2)
        sys.exit(2)
    except SystemExit as ending:
        status.append(ending.code if isinstance(ending.code, int) else int(ending.code is not None))
        raise


def leave(status: Sequence[int]) -> None:
    """End the process without tearing down PyTorch and vLLM, which takes seconds; empty: end as usual."""
    if status and "torch" in sys.modules:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status[0])


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Our own warnings as a line for users; those of libraries are for us, and go nowhere."""
    if Path(filename).is_relative_to(Path(__file__).parent.parent):
        print(f"k2eval: {message}", file=sys.stderr)
