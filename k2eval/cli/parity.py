"""Commands that explain why two people report different scores: an audit by other graders, and parity."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from k2eval.cli.options import (
    COMPARE,
    DataOption,
    IncludeOption,
    ProtectedOption,
    RunArgument,
    to_path,
)


def add_to(app: typer.Typer) -> None:
    """Register the commands of this file."""
    app.command(rich_help_panel=COMPARE)(audit)
    app.command(rich_help_panel=COMPARE)(parity)


def audit(
    run: RunArgument,
    harness: Annotated[
        list[str] | None,
        typer.Option(
            "--as",
            metavar="HARNESS",
            help="Harness whose graders to use: math-verify, lm-eval, lm-eval-strict, simple-evals, eval360, "
            "eval360-hle, reasoning360, matharena, sieval, livecodebench, scicode or scicode-inspect. May be given "
            "several times. [default: all]",
        ),
    ] = None,
    tasks: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="Tasks of the run, separated by commas. [default: all]"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            parser=to_path,
            metavar="PATH",
            help="Path of the results without a suffix: PATH.json, PATH.md, and the samples that differ as "
            "PATH.jsonl. [default: only print them]",
        ),
    ] = None,
    data: DataOption = None,
    include_path: IncludeOption = None,
    include_protected: ProtectedOption = False,
) -> None:
    """Grade the responses of a run as other harnesses would, and say how many samples differ and why."""
    raise typer.Exit(
        audit_command(run, harness or [], tasks, out, data, include_path or [], include_protected)
    )


def parity(
    run: RunArgument,
    against: Annotated[
        Path,
        typer.Option(
            parser=to_path,
            metavar="PATH",
            help="Figures of somebody else: a CSV of published figures, results_*.json of lm-eval, a log of Inspect "
            "(.json or .eval), or a folder with files of Eval360. docs/parity.md shows the CSV.",
        ),
    ],
    row: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="System of a CSV with several: its name, or a part of it."),
    ] = None,
    task: Annotated[
        list[str] | None,
        typer.Option(
            metavar="OURS=THEIRS",
            help="Two names of one benchmark, if they cannot be told to be the same. May be given several times.",
        ),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Metric of a file with several. [default: the first that is a share of right answers]",
        ),
    ] = None,
    no_audit: Annotated[
        bool,
        typer.Option("--no-audit", help="Do not grade your responses by their grader, nor theirs by yours."),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            parser=to_path,
            metavar="PATH",
            help="Path of the results without a suffix: PATH.json and PATH.md. [default: only print them]",
        ),
    ] = None,
    data: DataOption = None,
    include_path: IncludeOption = None,
) -> None:
    """Say whether a run agrees with the figures of somebody else, and which of eight causes differ."""
    raise typer.Exit(
        parity_command(run, against, row, task or [], metric, not no_audit, out, data, include_path or [])
    )


def parity_command(
    run: Path,
    against: Path,
    row: str | None,
    pairs: Sequence[str],
    metric: str | None,
    with_audit: bool,
    out: Path | None,
    data: Path | None,
    include: Sequence[Path],
) -> int:
    """Carry out ``k2eval parity``; return 0 if all benchmarks agree, else 1."""
    from k2eval.cli.show import print_table
    from k2eval.errors import ConfigError
    from k2eval.parity import (
        EXPLANATION,
        causes_table,
        parity_of,
        scores_table,
        sentences,
        write_parity,
    )
    from k2eval.system import terminal

    named = {}
    for pair in pairs:
        ours, mark, theirs = pair.partition("=")
        if not (mark and ours.strip() and theirs.strip()):
            raise ConfigError(f"Expected --task OURS=THEIRS, got {pair!r:.100}.")
        named[ours.strip()] = theirs.strip()
    report = parity_of(
        run,
        against,
        row=row,
        metric=metric,
        pairs=named,
        with_audit=with_audit,
        data=data,
        include=include,
    )
    paths = write_parity(report, out) if out else []
    console = terminal()

    def say(text: str) -> None:
        console.print(text, soft_wrap=True, highlight=False, markup=False)

    print_table(*scores_table(report), console)
    for each in report.parities:
        for line in sentences(each):
            say(line)
        print_table(*causes_table(each), console)
    say(EXPLANATION)
    for note in report.notes:
        say(f"Note: {note}.")
    for path in paths:
        say(f"Wrote {path}")
    return 0 if report.agrees else 1


def audit_command(
    run: Path,
    harnesses: Sequence[str],
    tasks: str | None,
    out: Path | None,
    data: Path | None,
    include: Sequence[Path],
    include_protected: bool,
) -> int:
    """Carry out ``k2eval audit``."""
    from k2eval.audit import EXPLANATION, audit_run, audit_table, reasons_table, write_audit
    from k2eval.cli.show import print_table
    from k2eval.system import terminal

    names = None if tasks is None else known_tasks(run, tasks)
    result = audit_run(
        run,
        harnesses=harnesses,
        tasks=names,
        data=data,
        include=include,
        include_protected=include_protected,
    )
    paths = write_audit(result, out) if out else []
    console = terminal()

    def say(text: str) -> None:
        console.print(text, soft_wrap=True, highlight=False, markup=False)

    print_table(*audit_table(result), console)
    header, rows = reasons_table(result)
    if rows:
        print_table(header, rows, console)
    say(EXPLANATION)
    for note in result.notes:
        say(f"Note: {note}.")
    for path in paths:
        say(f"Wrote {path}")
    if result.failed:
        say(f"{result.failed} gradings failed on our side; these samples are not compared.")
    return 1 if result.failed else 0


def known_tasks(run: Path, names: str) -> list[str]:
    """Return the tasks that a text names.

    Raises:
        ConfigError: If the run has no such task.
        JournalError: If the folder is not a run directory.
    """
    from k2eval.errors import ConfigError, did_you_mean
    from k2eval.journal import read_run

    known = list(read_run(run).tasks)
    chosen = [name.strip() for name in names.split(",") if name.strip()]
    for name in chosen:
        if name not in known:
            raise ConfigError(f"{run} has no task {name!r:.100}. {did_you_mean(name, known)}")
    if not chosen:
        raise ConfigError(f"Expected names of tasks, got {names!r:.100}. The run has {', '.join(known)}.")
    return chosen
