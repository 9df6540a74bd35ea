"""The command line: parse, call, print. Heavy imports happen in the command that needs them."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, TextIO

import typer

from k2eval.cli import (
    budget,
    decide,
    evaluate,
    exchange,
    gate,
    machine,
    parity,
    series,
    serve,
    tables,
    verify,
)
from k2eval.cli.options import MACHINE
from k2eval.errors import K2EvalError
from k2eval.sandbox import app as sandbox_app
from k2eval.system import CLOSED_PIPE, ENDED, ClosedPipe, heed_signals, ignore_signals, silence
from k2eval.texts import showable

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Markdown leaves a default in brackets as it is; rich would take it for a style and show nothing.
    rich_markup_mode="markdown",
    help="Evaluate reasoning checkpoints on mathematics, code and science.",
)


def _print_version(requested: bool) -> None:
    if requested:
        from k2eval import __version__

        typer.echo(f"k2eval {__version__}")
        raise typer.Exit()


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """Evaluate reasoning checkpoints on mathematics, code and science."""


evaluate.add_to(app)
series.add_to(app)
tables.add_to(app)
decide.add_to(app)
gate.add_to(app)
parity.add_to(app)
budget.add_to(app)
exchange.add_to(app)
machine.add_to(app)
serve.add_to(app)
verify.add_to(app)
app.add_typer(sandbox_app, name="sandbox", rich_help_panel=MACHINE)


def main() -> None:
    """Run the command line. k2eval's own errors are printed without a traceback and end with code 2."""
    heed_signals()
    warnings.showwarning = _show_warning
    status: list[int] = []
    atexit.register(leave, status)  # before whatever a command registers, so called after it
    try:
        app(prog_name="k2eval")
    except ClosedPipe:
        status.append(CLOSED_PIPE)
        sys.exit(CLOSED_PIPE)
    except K2EvalError as error:
        _print_error(str(error))
        status.append(2)
        sys.exit(2)
    except SystemExit as ending:
        status.append(ending.code if isinstance(ending.code, int) else int(ending.code is not None))
        raise
    finally:
        if status and status[0] in ENDED:  # `timeout` and shells send their signal twice
            ignore_signals()
        for stream in (sys.stdout, sys.stderr):
            silence(stream)


def leave(status: Sequence[int]) -> None:
    """End the process at once; empty: end as usual.

    Tearing down PyTorch and vLLM takes seconds, and Ray without its head crashes.
    """
    if status and not sys.modules.keys().isdisjoint(("torch", "ray")):
        for stream in (sys.stdout, sys.stderr):
            silence(stream)
        os._exit(status[0])


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Show our own warnings as a line for users; those of libraries are for us, and go nowhere."""
    if Path(filename).is_relative_to(Path(__file__).parent.parent):
        _print_error(str(message))


def _print_error(message: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # nobody reads standard error any more
        print(showable(f"k2eval: {message}"), file=sys.stderr)
