"""Commands for other programs: their formats, and lm-eval's own command line."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from k2eval.cli.options import (
    EXCHANGE,
    DataOption,
    IncludeOption,
    ProtectedOption,
    RunArgument,
    RunsArgument,
    to_path,
)
from k2eval.errors import ConfigError

Format = Literal["lm-eval", "huggingface", "every-eval-ever", "inspect", "parquet", "model-card"]


def add_to(app: typer.Typer) -> None:
    """Register the commands of this file."""
    through = {"allow_extra_args": True, "ignore_unknown_options": True}
    app.command(rich_help_panel=EXCHANGE)(export)
    app.command(rich_help_panel=EXCHANGE)(publish)
    app.command(
        name="lm-eval", context_settings={**through, "help_option_names": []}, rich_help_panel=EXCHANGE
    )(lm_eval)


def export(
    run: RunArgument,
    out: Annotated[Path, typer.Option(parser=to_path, metavar="DIR", help="Folder to write the files to.")],
    form: Annotated[Format, typer.Option("--format", help="Format that is written.")],
    data: DataOption = None,
    include_path: IncludeOption = None,
    include_protected: ProtectedOption = False,
    organization: Annotated[
        str,
        typer.Option(metavar="NAME", help="Name of the evaluating organization, for formats that have it."),
    ] = "unspecified",
) -> None:
    """Write a run as files of lm-eval, Hugging Face, Every Eval Ever or Inspect, as Parquet, or as a model card."""
    from k2eval.interop import export_run as write
    from k2eval.system import terminal

    console = terminal()
    files = write(
        run,
        form,
        out,
        data=data,
        include=include_path or [],
        include_protected=include_protected,
        organization=organization,
    )
    for note in files.notes:
        console.print(f"Note: {note}.", soft_wrap=True, highlight=False, markup=False)
    for path in files.files:
        console.print(f"Wrote {path}", soft_wrap=True, highlight=False, markup=False)


def publish(
    runs: RunsArgument,
    out: Annotated[
        Path,
        typer.Option(
            parser=to_path,
            metavar="DIR",
            help="Folder to write to: a new one, or that of an earlier publication, whose files are replaced.",
        ),
    ],
    title: Annotated[
        str, typer.Option(metavar="TEXT", help="Title of the first page.")
    ] = "Evaluation results",
    data: DataOption = None,
    include_path: IncludeOption = None,
    include_protected: ProtectedOption = False,
) -> None:
    """Write runs as a folder for a static host or a Hugging Face Space, and show what would be uploaded."""
    from k2eval.cli.show import print_table
    from k2eval.interop import publish as write
    from k2eval.system import terminal

    made = write(
        runs,
        out,
        title=title,
        data=data,
        include=include_path or [],
        include_protected=include_protected,
    )
    console = terminal()
    groups: dict[str, list[int]] = {}
    for name, size in made.files.items():
        folders = Path(name).parts[:-1]
        group = "/".join((*folders[: 2 if folders[:1] == ("runs",) else 1], "")) if folders else name
        groups.setdefault(group, []).append(size)
    rows = [[name, f"{len(sizes):,}", f"{sum(sizes) / 1e6:,.1f}"] for name, sizes in groups.items()]
    rows.append(["All", f"{len(made.files):,}", f"{sum(made.files.values()) / 1e6:,.1f}"])
    print_table(["What would be uploaded", "Files", "MB"], rows, console)
    for note in made.notes:
        console.print(f"Note: {note}.", soft_wrap=True, highlight=False, markup=False)
    console.print(
        f"Nothing was uploaded. Look at {out / 'index.html'}. To upload it as a Space: "
        f"hf upload USER/NAME {shlex.quote(str(out))} . --repo-type space",
        soft_wrap=True,
        highlight=False,
        markup=False,
    )


def lm_eval(context: typer.Context) -> None:
    """Run stock lm-eval, which then knows `--model k2eval` and k2eval's tasks. All arguments go to lm-eval."""
    from lm_eval.__main__ import cli_evaluate

    from k2eval.interop import add_to_path, no_protocol, register, with_chat
    from k2eval.tasks import tasks_folders

    asked = [argument for argument in context.args if argument.partition("=")[0] == "--protocol"]
    if asked:
        raise ConfigError(no_protocol(asked[0].partition("=")[2] or "--protocol"))
    register()
    for folder in tasks_folders():
        add_to_path(folder)
    sys.argv = ["lm_eval", *with_chat(context.args)]
    cli_evaluate()
