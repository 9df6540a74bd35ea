"""Commands for other programs: their formats, lm-eval's own command line, and series of checkpoints."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from k2eval.cli.options import EVALUATE, EXCHANGE, DataOption, RunArgument, to_path

Format = Literal["lm-eval", "huggingface", "every-eval-ever", "inspect"]


def add_to(app: typer.Typer) -> None:
    """Register the commands of this file."""
    through = {"allow_extra_args": True, "ignore_unknown_options": True}
    app.command(context_settings=through, rich_help_panel=EVALUATE)(sweep)
    app.command(rich_help_panel=EXCHANGE)(export)
    app.command(
        name="lm-eval", context_settings={**through, "help_option_names": []}, rich_help_panel=EXCHANGE
    )(lm_eval)


def export(
    run: RunArgument,
    out: Annotated[Path, typer.Option(parser=to_path, metavar="DIR", help="Folder to write the files to.")],
    form: Annotated[Format, typer.Option("--format", help="Project whose format is written.")],
    data: DataOption = None,
    include_protected: Annotated[
        bool,
        typer.Option(
            "--include-protected", help="Write texts even if their authors ask users not to publish them."
        ),
    ] = False,
    organization: Annotated[
        str,
        typer.Option(metavar="NAME", help="Name of the evaluating organization, for formats that have it."),
    ] = "unspecified",
) -> None:
    """Write a run as files of lm-eval, Hugging Face, Every Eval Ever or Inspect."""
    from k2eval.interop import export_run as write
    from k2eval.system import terminal

    console = terminal()
    files = write(run, form, out, data=data, include_protected=include_protected, organization=organization)
    for note in files.notes:
        console.print(f"Note: {note}.", soft_wrap=True, highlight=False)
    for path in files.files:
        console.print(f"Wrote {path}", soft_wrap=True, highlight=False)


def sweep(
    context: typer.Context,
    out: Annotated[
        Path,
        typer.Option(
            parser=to_path,
            metavar="DIR",
            help="Folder for the run directory of each checkpoint or value, and for the tables.",
        ),
    ],
    checkpoints: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN",
            help="Checkpoint folder or quoted pattern, such as 'out/step-*'. May be given several times.",
        ),
    ] = None,
    over: Annotated[
        str | None,
        typer.Option(
            metavar="SWITCH=VALUE,…",
            help="Switch of thinking and its values, instead of checkpoints, such as "
            "reasoning_effort=low,medium,high, thinking=on,off or thinking_budget=1024,8192.",
        ),
    ] = None,
) -> None:
    """Evaluate a series of checkpoints, or of values of a switch, and draw the score against step or tokens.

    Takes the options of `k2eval run` too.
    """
    assert context.parent is not None
    group = context.parent.command
    assert isinstance(group, typer.core.TyperGroup)
    # Reads the options of `run` once, so that a mistake is reported before the first checkpoint.
    group.commands["run"].make_context("run", ["--model", "-", "--out", "-", *context.args])
    raise typer.Exit(sweep_command(checkpoints or [], over, out, context.args))


def sweep_command(checkpoints: Sequence[str], over: str | None, out: Path, arguments: Sequence[str]) -> int:
    """Evaluate a series; ``arguments`` are those of ``k2eval run``.

    Raises:
        ConfigError: If the arguments name what differs between the runs, or there is no series.
    """
    from k2eval.errors import ConfigError
    from k2eval.report import find_values, in_a_process, sweep_checkpoints, sweep_switch
    from k2eval.system import terminal

    if bool(checkpoints) == bool(over):
        raise ConfigError("Expected either --checkpoints or --over, to know in what the runs differ.")
    option = "--" + find_values(over)[0].column.replace("_", "-") if over else "--model"
    for own in (option, "--out"):
        if any(argument == own or argument.startswith(own + "=") for argument in arguments):
            raise ConfigError(
                f"`k2eval sweep` sets {own} for each run itself. Leave {own} out of the options of `run`."
            )
    evaluate = in_a_process(arguments, option)
    if over:
        return sweep_switch(over, out, evaluate, terminal())
    return sweep_checkpoints(checkpoints, out, evaluate, terminal())


def lm_eval(context: typer.Context) -> None:
    """Run stock lm-eval, which then knows `--model k2eval` and k2eval's tasks. All arguments go to lm-eval."""
    from lm_eval.__main__ import cli_evaluate

    from k2eval.interop import add_to_path, register, with_chat
    from k2eval.tasks import tasks_folders

    register()
    for folder in tasks_folders():
        add_to_path(folder)
    sys.argv = ["lm_eval", *with_chat(context.args)]
    cli_evaluate()
