"""Write run directories in formats of others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from k2eval.errors import ConfigError, did_you_mean
from k2eval.interop.exported import Folder, Run


class Export(NamedTuple):
    """The result of an export."""

    files: list[Path]
    notes: list[str]
    """Notes on data that the files lack, with the reasons."""


def export_run(
    folder: Path,
    form: str,
    out: Path,
    *,
    data: Path | None = None,
    include: Sequence[Path] = (),
    include_protected: bool = False,
    organization: str = "unspecified",
) -> Export:
    """Write a run directory in another format.

    Args:
        folder: The run directory.
        form: One of `FORMATS`.
        out: Folder to write to.
        data: The data folder, for prompts and golds; ``K2EVAL_DATA`` if None.
        include: Folders with the user's own tasks; those of the run are not taken.
        include_protected: Whether to write texts whose authors ask not to publish them.
        organization: Name of the evaluating organization, for formats that have it.

    Raises:
        ConfigError: If there is no such format, nothing is graded, or the folder cannot be written.
        JournalError: If ``folder`` is not a run directory.
    """
    if form not in FORMATS:
        raise ConfigError(f"Unknown format {form!r}. {did_you_mean(form, list(FORMATS))}")
    run = Run(folder, data, include, include_protected=include_protected)
    target = Folder(out)
    try:
        FORMATS[form](run, target, organization)
    except OSError as error:
        raise ConfigError(f"Cannot write to {out}: {error}. Give another --out.") from error
    return Export(target.written, run.notes)


def _lm_eval(run: Run, folder: Folder, organization: str) -> None:
    from k2eval.interop import lm_eval_files

    lm_eval_files.write(run, folder)


def _huggingface(run: Run, folder: Folder, organization: str) -> None:
    from k2eval.interop import huggingface

    huggingface.write(run, folder)


def _every_eval_ever(run: Run, folder: Folder, organization: str) -> None:
    from k2eval.interop import every_eval_ever

    every_eval_ever.write(run, folder, organization)


def _inspect(run: Run, folder: Folder, organization: str) -> None:
    from k2eval.interop import inspect

    inspect.write(run, folder)


def _parquet(run: Run, folder: Folder, organization: str) -> None:
    from k2eval.interop import parquet

    parquet.write(run, folder)


def _model_card(run: Run, folder: Folder, organization: str) -> None:
    from k2eval.interop import model_card

    model_card.write(run, folder)


FORMATS: dict[str, Callable[[Run, Folder, str], None]] = {
    "lm-eval": _lm_eval,
    "huggingface": _huggingface,
    "every-eval-ever": _every_eval_ever,
    "inspect": _inspect,
    "parquet": _parquet,
    "model-card": _model_card,
}
