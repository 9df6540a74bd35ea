"""``k2eval gate``: judge runs by a policy, for continuous integration."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from k2eval.cli.options import COMPARE, RunsArgument, to_path
from k2eval.errors import ConfigError
from k2eval.system import is_of_run, real_path, terminal, write_text


def add_to(app: typer.Typer) -> None:
    """Register the commands of this file."""
    app.command(rich_help_panel=COMPARE)(gate)


def gate(
    policy: Annotated[
        Path,
        typer.Argument(
            parser=to_path, metavar="POLICY", help="YAML file with the rules, as docs/gate.md describes them."
        ),
    ],
    runs: RunsArgument,
    baseline: Annotated[
        Path | None,
        typer.Option(
            parser=to_path,
            metavar="RUN",
            help="Run directory that rules compare with. [default: the policy's own baseline]",
        ),
    ] = None,
    json: Annotated[
        Path | None,
        typer.Option(
            "--json", parser=to_path, metavar="FILE", help="JSON file for the answers and their figures."
        ),
    ] = None,
    junit: Annotated[
        Path | None,
        typer.Option(
            parser=to_path, metavar="FILE", help="JUnit XML file for the answers, one test case a rule."
        ),
    ] = None,
    summary: Annotated[
        Path | None,
        typer.Option(
            parser=to_path,
            metavar="FILE",
            help="Markdown file for a pull request. In GitHub Actions, the job's page gets the summary in any case.",
        ),
    ] = None,
) -> None:
    """Judge runs by the rules of a policy: GO (exit code 0), NO-GO (1) or INCONCLUSIVE (3), with reasons."""
    raise typer.Exit(gate_command(policy, runs, baseline, json, junit, summary))


def gate_command(
    policy: Path,
    runs: Sequence[Path],
    baseline: Path | None,
    json: Path | None = None,
    junit: Path | None = None,
    summary: Path | None = None,
) -> int:
    """Carry out ``k2eval gate``.

    Raises:
        ConfigError: If the policy cannot be used, or a file cannot be written.
        JournalError: If a run cannot be read.
    """
    from k2eval.cli.show import print_table
    from k2eval.decide import (
        gate_json,
        gate_junit,
        gate_markdown,
        gate_notes,
        gate_of_runs,
        gate_table,
        gate_words,
        read_policy,
        summary_lines,
    )

    others = [baseline] if baseline else []
    _check_places([file for file in (json, junit, summary) if file is not None], policy, [*runs, *others])
    result = gate_of_runs(read_policy(policy, baseline), runs)
    texts = [(json, gate_json(result)), (junit, gate_junit(result)), (summary, gate_markdown(result))]
    for file, text in texts:  # before the table, whose reader may leave after its first lines
        if file is not None:
            _write(file, text)
    page = os.environ.get("GITHUB_STEP_SUMMARY")
    if page:
        _add(Path(page), gate_markdown(result))
    console = terminal()
    for gated in result.runs:
        console.print(f"{gated.run.info.name}", style="bold", highlight=False, markup=False)
        print_table(*gate_table(gated), console)
        for note in gate_notes(gated):
            console.print(f"- {note}", soft_wrap=True, highlight=False, markup=False)
    for line in (gate_words(result), *summary_lines(result)):
        console.print(line, soft_wrap=True, highlight=False, markup=False)
    for file, _ in texts:
        if file is not None:
            console.print(f"Wrote {file}", soft_wrap=True, highlight=False)
    return result.answer.exit_code


def _check_places(files: Sequence[Path], policy: Path, runs: Sequence[Path]) -> None:
    """Make sure that no file to write is another one of them, the policy, or a file of a run."""
    from k2eval.journal import GENERATIONS, RUN, VERDICTS

    taken = {
        real_path(policy),
        *(real_path(run / name) for run in runs for name in (RUN, VERDICTS, GENERATIONS)),
    }
    for file in files:
        place = real_path(file)
        if place in taken:
            raise ConfigError(
                f"Expected a file of its own for each of --json, --junit and --summary, got {file}, which would be "
                "overwritten. Name another file."
            )
        if not place.exists() or place.is_file():  # several may go to /dev/stdout
            taken.add(place)


def _write(file: Path, text: str) -> None:
    try:
        write_text(file, text)
    except OSError as error:
        raise ConfigError(f"Cannot write {file}: {error}. Name another file.") from error


def _add(page: Path, text: str) -> None:
    try:
        if is_of_run(page):
            raise OSError("it is a file of a run")
        with page.open("a", encoding="utf-8") as file:
            file.write(text + "\n")
    except OSError as error:
        raise ConfigError(
            f"Cannot add to GITHUB_STEP_SUMMARY, {page}: {error}. Unset the variable, or correct it."
        ) from error
