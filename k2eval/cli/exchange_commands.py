"""The commands at the borders: other people's formats, lm-eval's own command line, and series of checkpoints."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from k2eval.errors import ConfigError
from k2eval.system.console import terminal
from k2eval.tasks.task import tasks_folder


def export_command(
    run: Path, form: str, out: Path, data: Path | None, include_protected: bool, organization: str
) -> int:
    """``k2eval export``."""
    from k2eval.interop.export import export

    console = terminal()
    made = export(run, form, out, data=data, include_protected=include_protected, organization=organization)
    for note in made.notes:
        console.print(f"Note: {note}.", soft_wrap=True, highlight=False)
    for path in made.files:
        console.print(f"Wrote {path}", soft_wrap=True, highlight=False)
    return 0


def sweep_command(checkpoints: Sequence[str], out: Path, arguments: Sequence[str]) -> int:
    """``k2eval sweep``; ``arguments`` are those of ``k2eval run``."""
    from k2eval.report.sweep import in_a_process, sweep

    for option in ("--model", "--out"):
        if any(one == option or one.startswith(option + "=") for one in arguments):
            raise ConfigError(
                f"`k2eval sweep` sets {option} for each checkpoint itself. Leave {option} out of the options of `run`."
            )
    return sweep(checkpoints, out, in_a_process(arguments), terminal())


def lm_eval_command(arguments: Sequence[str]) -> int:
    """``k2eval lm-eval``."""
    from lm_eval.__main__ import cli_evaluate

    from k2eval.interop.lm_eval import add_to_path, with_chat
    from k2eval.interop.lm_eval_model import register

    register()
    add_to_path(tasks_folder())
    sys.argv = ["lm_eval", *with_chat(arguments)]
    cli_evaluate()
    return 0
