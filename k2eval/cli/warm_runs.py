"""Runs of one process, one after the other, which hand their engines on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from k2eval.cli.commands import evaluate
from k2eval.cli.run_options import RunOptions
from k2eval.config import RunConfig
from k2eval.engines import WarmEngines, open_engines
from k2eval.errors import JournalError, K2EvalError
from k2eval.journal import read_run
from k2eval.run import Progress
from k2eval.system import terminal

FAILED = 2
"""Exit code of a run that an error has ended."""


class WarmRuns:
    """Evaluates in this process, as ``k2eval run`` does, and leaves each engine to the next run.

    A context manager: the engines end with it. While it is open, standard error stays where it is although engines send
    the output of this process into their logs.

    Args:
        options: The options of a run, for a checkpoint or another value and its run directory.
        swap: Whether engines stay up; else each run starts its own.
    """

    def __init__(self, options: Callable[[Path | str, Path], RunOptions], swap: bool = True) -> None:
        self.console = terminal()
        """The console for everything."""
        self.problem = ""
        """The error that ended the last run; empty if none did."""
        self._options = options
        self._errors = terminal(stderr=True)
        self._warm = WarmEngines() if swap else None
        self._stack = contextlib.ExitStack()
        self._loop: asyncio.Runner

    def __enter__(self) -> Self:
        self._loop = self._stack.enter_context(asyncio.Runner())
        if self._warm:
            self._stack.callback(lambda: self._loop.run(self._close()))
        self._stack.enter_context(contextlib.redirect_stderr(self._errors.file))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    async def _close(self) -> None:
        if self._warm:
            await self._warm.close()

    def evaluate(self, value: Path | str, run: Path, look: Callable[[Progress], None] | None = None) -> int:
        """Evaluate into a run directory; return the exit code of ``k2eval run``, after an error ``FAILED``.

        Args:
            value: The checkpoint, or a value of a switch.
            run: The run directory.
            look: Called every few seconds while samples are made.
        """
        self.problem = ""
        try:
            options = self._options(value, run)
            return evaluate(
                options.configuration(),
                options.track,
                self.console,
                complete=self._loop.run,
                warm=self._warm,
                look=look,
            )
        except K2EvalError as error:
            self.problem = str(error)
            return FAILED

    def fingerprint(self, value: Path | str, run: Path) -> str:
        """Return the fingerprint of a checkpoint, as ``run.json`` would have it.

        Raises:
            ConfigError: If it is none.
        """
        return open_engines(self._options(value, run).configuration())["solver"].info.fingerprint

    def is_done(self, value: Path | str, run: Path) -> bool:
        """Return whether a run directory holds all that these options ask for."""
        try:
            record = read_run(run)
        except (JournalError, OSError):
            return False
        config = self._options(value, run).configuration()
        asked = RunConfig.model_validate(config.model_dump(mode="json"))
        there = record.config.model_copy(update={"model": asked.model, "out": asked.out})
        return record.complete and there == asked
