"""The command that checks whether a run directory is what it claims."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from k2eval.cli.options import EVALUATE, DataOption, IncludeOption, MakersRecipeOption, RunArgument, to_path
from k2eval.system import terminal

_SHOWN = 20


def add_to(app: typer.Typer) -> None:
    """Register the command of this file."""
    app.command(rich_help_panel=EVALUATE)(verify)


def verify(
    run: RunArgument,
    sample: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="Grade only N samples again, chosen at random. [default: all samples]"
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            help="Seed of the samples, to choose the same again. [default: another each time]",
        ),
    ] = None,
    sign: Annotated[
        Path | None,
        typer.Option(
            parser=to_path,
            metavar="KEY",
            help="SSH key to sign the checksums of the run's files with, if the run holds.",
        ),
    ] = None,
    signers: Annotated[
        Path | None,
        typer.Option(
            parser=to_path,
            metavar="FILE",
            help="File of allowed signers, as of ssh-keygen. One of them must have signed the run.",
        ),
    ] = None,
    data: DataOption = None,
    include_path: IncludeOption = None,
    recipe: MakersRecipeOption = None,
) -> None:
    """Check that the verdicts of a run follow from its texts, its texts from its settings, and who signed it."""
    raise typer.Exit(verify_command(run, sample, seed, sign, signers, data, include_path or [], recipe))


def verify_command(
    run: Path,
    sample: int | None,
    seed: int | None,
    key: Path | None,
    signers: Path | None,
    data: Path | None,
    include: Sequence[Path],
    recipe: str | None = None,
) -> int:
    """Carry out ``k2eval verify``; return 0 if the run holds, else 1."""
    from k2eval.journal import checksums, remember_verified, seal_faults, sign, signer
    from k2eval.run import verify_run

    console = terminal()
    name = signer(run, signers)
    sums = checksums(run)
    result = asyncio.run(verify_run(run, data=data, include=include, recipe=recipe, sample=sample, seed=seed))
    # A new signature replaces the checksums that were there.
    faults = result.faults if key else [*seal_faults(run), *result.faults]
    if checksums(run) != sums:
        faults.append("its files changed while they were checked")

    def say(text: str) -> None:
        console.print(text, soft_wrap=True, highlight=False, markup=False)

    for fault in faults[:_SHOWN]:
        say(f"Does not hold: {fault}.")
    if len(faults) > _SHOWN:
        say(f"… and {len(faults) - _SHOWN} more.")
    for note in (*result.notes, *result.doubts):
        say(f"Note: {note}.")
    if faults:
        say(f"{run} is not verified: {len(faults)} contradictions in {result.checked} samples.")
        return 1
    if result.ungraded:
        say(f"{run} is not verified: {result.ungraded} of {result.checked} samples could not be graded here.")
        return 1
    signed = (
        f"Signed by {name}."
        if name
        else "Nobody signed it, so nobody vouches that the texts are the model's."
    )
    say(f"{run} holds: {result.checked} of {result.verdicts} verdicts follow from their texts. {signed}")
    if key:
        sign(run, key)
        say(f"Signed with {key}.")
    if result.doubts:
        say("Leaderboards will not mark it as verified, because of the notes above.")
    if result.is_whole:
        try:
            remember_verified(run)
        except OSError as error:
            say(f"Note: leaderboards will not mark it here, since that cannot be kept: {error}.")
    return 0
