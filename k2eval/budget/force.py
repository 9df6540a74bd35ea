"""Runs with answers forced at a budget, over the generations of finished runs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from k2eval.config import RunConfig
from k2eval.errors import ConfigError
from k2eval.leaderboard import RunScores
from k2eval.run import trusted_config


def forced_config(
    run: RunScores, budget: int, out: Path, data: Path | None = None, include: Sequence[Path] = ()
) -> RunConfig:
    """Return the configuration of a run that forces the answers of another one at a budget.

    It is that of the other run with the recipe ``forcedN``, and takes its generations over. Engine and model are those
    that the run names; rows and task files are the user's.

    Args:
        run: A run of the recipe `plain`.
        budget: The budget in tokens.
        out: Path of the tables; the run directories are in the folder ``OUT-forced`` beside them.
        data: Folder with the rows of the benchmarks; ``K2EVAL_DATA`` or the hub if None.
        include: Folders with the user's own tasks.

    Raises:
        ConfigError: If the run has another recipe, is not finished, or has an engine that no configuration can open.
    """
    if run.info.recipe != "plain":
        raise ConfigError(
            f"{run.path}: --force expected a run of the recipe plain, got {run.info.recipe}, whose answers have "
            "several generations. Leave the run out, or leave out --force."
        )
    if any(task.missing for task in run.tasks.values()):
        raise ConfigError(
            f"{run.path}: --force expected a finished run. Finish it first, with its own command."
        )
    config = trusted_config(run.info, data, include)
    if config.engine.kind is None:
        raise ConfigError(
            f"{run.path}: --force expected an engine that the configuration names, got an object of the Python API. "
            "Make the run with `k2eval run`."
        )
    base = out.with_suffix("") if out.suffix in {".csv", ".md", ".svg"} else out
    folder = base.with_name(f"{base.name}-forced")
    name = re.sub(r"[^\w.-]", "_", run.info.name)
    changes = {
        "recipe": f"forced{budget}",
        "out": folder / f"{name}-{budget}",
        "reuse": (run.path,),
        "lengths_from": (),
    }
    return RunConfig.model_validate(config.model_dump() | changes)
