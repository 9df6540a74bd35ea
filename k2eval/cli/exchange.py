"""Commands at the borders: ``export``, ``sweep`` and ``lm-eval``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

Format = Literal["lm-eval", "huggingface", "every-eval-ever", "inspect"]


def export(
    run: Annotated[Path, typer.Argument(help="Run directory.")],
    out: Annotated[Path, typer.Option(help="Folder for the files.")],
    form: Annotated[Format, typer.Option("--format", help="Whose format.")],
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Folder with the benchmarks' rows, for prompts. [default: K2EVAL_DATA]"),
    ] = None,
    include_protected: Annotated[
        bool, typer.Option("--include-protected", help="Write texts whose authors ask not to publish them.")
    ] = False,
    organization: Annotated[
        str, typer.Option(help="Who evaluated, for formats that say so.")
    ] = "unspecified",
) -> None:
    """Write a run as files of lm-eval, Hugging Face, Every Eval Ever or Inspect."""
    from k2eval.cli.exchange_commands import export_command

    raise typer.Exit(export_command(run, form, out, data, include_protected, organization))


def sweep(
    context: typer.Context,
    checkpoints: Annotated[
        list[str], typer.Option(help="Folder or quoted pattern, such as 'out/step-*'; may be repeated.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for one run directory each, and for the tables.")],
) -> None:
    """Evaluate a series of checkpoints and draw score against step; all other options are those of `run`."""
    from k2eval.cli.exchange_commands import sweep_command

    assert context.parent is not None
    group = context.parent.command
    assert isinstance(group, typer.core.TyperGroup)
    # Reads the options of `run` once, so that a mistake is said before the first checkpoint.
    group.commands["run"].make_context("run", ["--model", "-", "--out", "-", *context.args])
    raise typer.Exit(sweep_command(checkpoints, out, context.args))


def lm_eval(context: typer.Context) -> None:
    """Run stock lm-eval with `--model k2eval` and our tasks known to it; all arguments go to it."""
    from k2eval.cli.exchange_commands import lm_eval_command

    raise typer.Exit(lm_eval_command(context.args))


def add_to(app: typer.Typer) -> None:
    """Make these commands part of ``app``."""
    through = {"allow_extra_args": True, "ignore_unknown_options": True}
    app.command()(export)
    app.command(context_settings=through)(sweep)
    app.command(name="lm-eval", context_settings={**through, "help_option_names": []})(lm_eval)
