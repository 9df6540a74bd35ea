"""The settings of a run for commands that only read it: whatever names code or files is taken from the user alone.

A run may be somebody else's. Its ``run.json`` names task files, which name functions to import, rows, and maybe a
recipe of the maker's own. None of them is opened or imported because ``run.json`` says so.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from k2eval.config import RunConfig
from k2eval.errors import ConfigError, K2EvalError
from k2eval.journal import RunRecord


def trusted_config(run: RunRecord, data: Path | None = None, include: Sequence[Path] = ()) -> RunConfig:
    """Return the configuration of a run with the user's places in place of its own.

    Args:
        run: The run.
        data: The user's folder with the rows of the benchmarks; None for ``K2EVAL_DATA`` or the hub.
        include: The user's folders with own tasks.
    """
    return run.config.model_copy(update={"data": data, "include_path": tuple(include)})


def check_recipe(run: RunRecord, given: str | None) -> None:
    """Make sure that the recipe of a run is one of k2eval's, or that the user has named it.

    Args:
        run: The run.
        given: The recipe that the user named.

    Raises:
        ConfigError: If it is a function of the maker's that the user did not name, or not the one that the user named.
    """
    names = dict.fromkeys((run.recipe, run.config.recipe))
    if given is not None and given not in names:
        raise ConfigError(
            f"--recipe: expected the recipe of the run, {run.recipe!r:.200}, got {given!r:.200}."
        )
    own = [name for name in names if ":" in name and name != given]
    if own:
        raise ConfigError(
            f"The recipe of the run {run.name} is code of its maker's own. It is not imported because a run names it. "
            f"If you trust it, give --recipe {own[0]:.200}"
        )


@contextlib.contextmanager
def hinting(run: RunRecord, data: Path | None, include: Sequence[Path]) -> Iterator[None]:
    """Add to an error of the block which places the run names, since they are not read.

    Raises:
        K2EvalError: The error, of its own kind.
    """
    try:
        yield
    except K2EvalError as error:
        words = hint(run, data, include)
        if not words:
            raise
        raise type(error)(f"{error} {words}") from error


def hint(run: RunRecord, data: Path | None, include: Sequence[Path]) -> str:
    """Return which places a run names that the user did not give, with the options to give them; empty if none."""
    folders = () if include else run.config.include_path
    named = [f"--include-path {folder}" for folder in folders]
    if run.config.data is not None and data is None:
        named.append(f"--data {run.config.data}")
    if not named:
        return ""
    return (
        "The run names folders of its own, which are not read because a run names them. If you trust them, give "
        f"{' '.join(named)}"
    )
