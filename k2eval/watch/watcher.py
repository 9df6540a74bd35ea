"""Look for checkpoints, evaluate those that are whole and not done, and show their states."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rich.console import Console

from k2eval.errors import ConfigError, JournalError, K2EvalError
from k2eval.journal import RUN, read_run
from k2eval.report import STEPS, Point, RunSeries, write_series
from k2eval.run import Progress
from k2eval.system import ENDED, at_end
from k2eval.watch.folders import Found, fault_of, find_checkpoints, signature_of
from k2eval.watch.page import PAGE, Status, write_page
from k2eval.watch.record import NAME, Evaluated, WatchRecord, locked, read_record, write_record
from k2eval.watch.states import LOOKED_AT, Checkpoint, State, in_order

CURVE = "curve"
"""Name of the files with the curves, before their suffixes."""
_OWN_FILES = (NAME, PAGE, *(f"{CURVE}.{suffix}" for suffix in ("html", "csv", "md")))
_SETTLED_S = 60.0
"""Files that have not changed for so long are not being written."""
_DIGITS = 8
"""Characters of a fingerprint in the name of a run directory."""


class Evaluator(Protocol):
    """Evaluates checkpoints, all with the same options."""

    problem: str
    """The error that ended the last evaluation; empty if none did."""

    def fingerprint(self, value: Path | str, run: Path) -> str:
        """Return the fingerprint of a checkpoint, as ``run.json`` would have it.

        Raises:
            ConfigError: If it is no checkpoint.
        """
        ...

    def is_done(self, value: Path | str, run: Path) -> bool:
        """Return whether a run directory holds all that is asked for."""
        ...

    def evaluate(self, value: Path | str, run: Path, look: Callable[[Progress], None] | None = None) -> int:
        """Evaluate into a run directory; return the exit code of ``k2eval run``."""
        ...


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """The options of ``k2eval watch``."""

    order: tuple[str, ...] = ("oldest",)
    poll_s: float = 30.0
    """Time between two looks."""
    until_idle_s: float | None = None
    """Time without anything to do after which the watch ends; None for no end."""
    needs_tokenizer: bool = True
    """Whether a checkpoint must have a tokenizer of its own."""


class Watcher:
    """A watch over a folder or a pattern.

    Args:
        place: The folder or the pattern.
        out: Folder of the run directories, the curves and the page.
        evaluator: Evaluates checkpoints.
        settings: Options.
        console: The console for lines.
        clock: Tells the time in seconds.
        sleep: Waits for some seconds.
    """

    def __init__(
        self,
        place: str,
        out: Path,
        evaluator: Evaluator,
        settings: WatchSettings,
        console: Console,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.checkpoints: dict[str, Checkpoint] = {}
        """By name."""
        self._place = place
        self._out = out
        self._evaluator = evaluator
        self._settings = settings
        self._console = console
        self._clock = clock
        self._sleep = sleep
        self._record = WatchRecord()
        self._series: RunSeries | None = None
        self._active_at = clock()

    def watch(self) -> int:
        """Look and evaluate until nothing has happened for the time that was given.

        Returns:
            0, or 1 if a checkpoint could not be evaluated fully, or that of a signal which ended it, such as 130.

        Raises:
            ConfigError: If the output folder cannot be written, or another watch writes to it.
        """
        # A signal between two evaluations ends the process at once.
        with locked(self._out), at_end(lambda: self.show("stopped")):
            return self._watch()

    def _watch(self) -> int:
        self._record = read_record(self._out)
        self._recall()
        self._draw()
        was_busy = True
        while True:
            self._look()
            waiting = [point for point in self.checkpoints.values() if point.state is State.WAITING]
            if waiting:
                code = self._evaluate(in_order(waiting, self._settings.order)[0])
                if code in ENDED:
                    self.show("stopped")
                    return code
                self._active_at, was_busy = self._clock(), True
                continue
            if was_busy:
                self._tell(
                    f"Nothing more to evaluate; looking every {self._settings.poll_s:g} s. Ctrl-C ends the watch."
                )
            was_busy = False
            self.show("looking for checkpoints")
            limit = self._settings.until_idle_s
            settling = any(point.state is State.SETTLING for point in self.checkpoints.values())
            if limit is not None and not settling and self._clock() - self._active_at >= limit:
                self.show("ended: nothing happened any more")
                return self._code()
            self._sleep(
                self._settings.poll_s if limit is None else min(self._settings.poll_s, max(limit, 1.0))
            )

    def _code(self) -> int:
        failed = (State.FAILED, State.UNFINISHED)
        return int(any(point.state in failed for point in self.checkpoints.values()))

    def _recall(self) -> None:
        """Take in the checkpoints of earlier watches, which may have been deleted."""
        for entry in self._record.checkpoints:
            if (self._out / entry.run).is_dir():
                point = Checkpoint(entry.name, Path(entry.path), entry.step, State.DONE, is_there=False)
                point.fingerprint, point.run, point.seconds = (
                    entry.fingerprint,
                    self._out / entry.run,
                    entry.seconds,
                )
                self.checkpoints[entry.name] = point

    def _look(self) -> None:
        known = {name: point.path for name, point in self.checkpoints.items()}
        found = find_checkpoints(self._place, self._out, known)
        for candidate in found.values():
            self._look_at(candidate)
        for name in [name for name, point in self.checkpoints.items() if name not in found]:
            point = self.checkpoints[name]
            if point.run is not None and point.state in (State.DONE, State.UNFINISHED):
                point.is_there = False
                continue
            del self.checkpoints[name]
            if point.state is State.WAITING:
                self._tell(f"{name} is gone before it was evaluated.")

    def _look_at(self, found: Found) -> None:
        if found.name not in self.checkpoints and found.namesake is not None:
            self._tell(f"{found.path} is called {found.name}, since {found.namesake} has its name.")
        point = self.checkpoints.setdefault(found.name, Checkpoint(found.name, found.path, found.step))
        point.path, point.step, point.is_there = found.path, found.step, True
        try:
            signature = signature_of(found.path)
        except OSError as error:
            point.become(State.INCOMPLETE, f"it cannot be read: {error.strerror}")
            return
        now = self._clock()
        if signature != point.signature:
            point.signature, point.since, self._active_at = signature, now, now
            newest = max((changed for _, _, changed in signature), default=0) / 1e9
            fault = fault_of(found.path, self._settings.needs_tokenizer)
            if fault or now - newest < max(_SETTLED_S, self._settings.poll_s):
                point.become(State.INCOMPLETE if fault else State.SETTLING, fault or "")
                return
        elif point.state in LOOKED_AT:
            return
        elif fault := fault_of(found.path, self._settings.needs_tokenizer):
            point.become(State.INCOMPLETE, fault)
            return
        self._admit(point)

    def _admit(self, point: Checkpoint) -> None:
        """Decide about a checkpoint that is whole: whether it waits, is done, or is passed over."""
        if point.name in _OWN_FILES:
            self._pass_over(point, f"its run would take the place of the watch's own file {point.name}")
            return
        if point.step is None:
            self._pass_over(point, "nothing tells its step: neither its name nor trainer_state.json")
            return
        try:
            fingerprint = self._evaluator.fingerprint(point.path, self._out / point.name)
        except K2EvalError as error:
            self._pass_over(point, str(error))
            return
        if point.fingerprint and point.fingerprint != fingerprint:
            self._tell(f"{point.name} was replaced by another checkpoint.")
        point.fingerprint = fingerprint
        point.run = self._run_of(point)
        is_done = self._evaluator.is_done(point.path, point.run)
        point.become(State.DONE if is_done else State.WAITING)
        runs = {entry.name: entry.run for entry in self._record.checkpoints}
        if is_done and runs.get(point.name) != point.run.name:
            self._enter(point)
            self._draw()

    def _run_of(self, point: Checkpoint) -> Path:
        """Return the run directory of a checkpoint: one that holds its run, or a new one."""
        plain = self._out / point.name
        apart = plain.with_name(f"{plain.name}-{point.fingerprint[:_DIGITS]}")
        if not (plain / RUN).exists():
            return plain
        try:
            return plain if read_run(plain).model.fingerprint == point.fingerprint else apart
        except JournalError:
            return apart

    def _pass_over(self, point: Checkpoint, reason: str) -> None:
        point.become(State.FAILED, reason)
        self._tell(f"{point.name} is passed over until it changes: {reason}")

    def _evaluate(self, point: Checkpoint) -> int:
        assert point.run is not None
        if not point.path.is_dir():
            return 0  # the next look tells
        point.become(State.RUNNING)
        self._tell(f"Step {point.step}: {point.path}")
        self.show("evaluating")
        began = self._clock()
        code = self._evaluator.evaluate(
            point.path, point.run, lambda progress: self.show("evaluating", progress)
        )
        point.seconds = round(self._clock() - began, 1)
        if code in ENDED:
            point.become(State.WAITING)
        elif code not in (0, 1):
            self._pass_over(point, self._evaluator.problem or f"it ended with code {code}")
        else:
            failed = "some samples failed on our side; the next watch tries them again"
            point.become(State.UNFINISHED if code else State.DONE, failed if code else "")
            self._enter(point)
            self._draw()
        return code

    def _enter(self, point: Checkpoint) -> None:
        assert point.run is not None and point.step is not None
        entry = Evaluated(
            name=point.name,
            path=str(point.path),
            step=point.step,
            fingerprint=point.fingerprint,
            run=point.run.name,
            seconds=point.seconds,
        )
        self._record = self._record.with_entry(entry)
        write_record(self._out, self._record)

    def _draw(self) -> None:
        """Write the curves anew; of a checkpoint that was replaced only the newest counts."""
        newest = {entry.name: entry for entry in self._record.checkpoints if (self._out / entry.run).is_dir()}
        entries = sorted(newest.values(), key=lambda entry: (entry.step, entry.name))
        if not entries:
            return
        points = [
            (Point(Path(entry.path), entry.name, entry.step), self._out / entry.run) for entry in entries
        ]
        try:
            self._series = write_series(STEPS, points, self._out, CURVE)
        except JournalError as error:
            self._tell(f"The curves cannot be drawn: {error}")

    def show(self, activity: str, progress: Progress | None = None) -> None:
        """Write the page.

        Raises:
            ConfigError: If it cannot be written.
        """
        status = Status(
            place=self._place,
            activity=activity,
            poll_s=self._settings.poll_s,
            checkpoints=sorted(self.checkpoints.values(), key=lambda point: (point.step or 0, point.name)),
            series=self._series,
            progress=progress,
        )
        try:
            write_page(self._out, status)
        except OSError as error:
            raise ConfigError(
                f"Cannot write the page to {self._out}: {error.strerror}. Give another --out."
            ) from error

    def _tell(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)
