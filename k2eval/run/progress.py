"""The display of a run: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from k2eval.engines import Engine
from k2eval.records import Generation, Outcome, Verdict
from k2eval.run.session import Session
from k2eval.run.time_left import TimeLeft
from k2eval.system import ClosedPipe

_PLAIN_EVERY_S = 15.0
_LOOK_EVERY_S = 1.0
_MANY_UNGRADED = 64


@dataclass(slots=True)
class TaskProgress:
    """The progress of one task."""

    total: int
    done: int = 0
    scored: int = 0
    score: float = 0.0
    outcomes: Counter[Outcome] = field(default_factory=Counter)


class Progress:
    """The counts of a run, and their display.

    Args:
        totals: Number of samples of each task.
        console: The console for the display.
        session: The session, which counts tokens and the engine's time.
    """

    def __init__(self, totals: Mapping[str, int], console: Console, session: Session) -> None:
        self.tasks = {name: TaskProgress(total) for name, total in totals.items()}
        self._console = console
        self._session = session
        self._live: Live | None = None
        self._started = self._printed = time.monotonic()
        self._time_left = TimeLeft()
        self._ungraded = self._places_waiting = 0

    @contextlib.contextmanager
    def starting(self, engine: Engine) -> Iterator[None]:
        """Show that an engine starts, which takes from seconds to minutes: elapsed time, activity, and its log."""
        info = engine.info
        log = f" Its log: {info.log}" if info.log else ""
        start = time.monotonic()

        def line() -> str:
            stage = engine.info.stage
            return f"Starting {info.engine}, {clock(time.monotonic() - start)}" + (
                f": {stage}" if stage else ""
            )

        if self._console.is_terminal:
            spinner = Spinner("dots")

            def look() -> Spinner:
                spinner.update(text=Text(f"{line()}.{log}"))
                return spinner

            with Live(
                get_renderable=look,
                console=self._console,
                refresh_per_second=8,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            ):
                yield
        else:
            self._print(f"Starting {info.engine} …{log}")
            with _repeated(lambda: self._print(f"{line()}."), lambda: engine.info.stage):
                yield
        if time.monotonic() - start >= _LOOK_EVERY_S:
            self._print(f"Started {engine.info.engine} in {clock(time.monotonic() - start)}.")

    def __enter__(self) -> Self:
        self._started = self._printed = time.monotonic()
        self._time_left.restart()
        if self._console.is_terminal:
            self._live = Live(
                get_renderable=self._render,
                console=self._console,
                refresh_per_second=2,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.__exit__(kind, error, trace)
            return
        try:
            self._print_line()
        except ClosedPipe:
            if error is None:  # else that error says more
                raise

    def on_generation(self, generation: Generation) -> None:
        """Show a new generation, which the session has counted."""
        self._print_sometimes()

    def on_verdict(self, verdict: Verdict) -> None:
        """Count a verdict, new or kept."""
        task = self.tasks[verdict.task]
        task.done += 1
        task.outcomes[verdict.outcome] += 1
        if verdict.score is not None:
            task.scored += 1
            task.score += verdict.score
        self._time_left.count()
        self._print_sometimes()

    def on_response(self, task: str) -> None:
        """Count a response that no grader of ours decides about."""
        self.tasks[task].done += 1
        self._time_left.count()
        self._print_sometimes()

    @contextlib.contextmanager
    def grading(self) -> Iterator[None]:
        """Count a response that has no grade yet."""
        self._ungraded += 1
        try:
            yield
        finally:
            self._ungraded -= 1

    @contextlib.contextmanager
    def waiting(self, full: bool) -> Iterator[None]:
        """Count a place of the engine that stays empty, if so many responses have no grade yet that it must wait."""
        self._places_waiting += full
        try:
            yield
        finally:
            self._places_waiting -= full

    def tell(self, line: str) -> None:
        """Print a line about an event, above the display."""
        with contextlib.suppress(
            ClosedPipe
        ):  # raised among replicas, it would end them; the next line ends the run
            self._print(line[:1].upper() + line[1:])

    def _render(self) -> Group:
        table = Table(box=None, pad_edge=False)
        for heading in ("task", "done", "score %", "truncated %", "no answer %", "failed on our side"):
            table.add_column(heading, justify="left" if heading == "task" else "right")
        for name, task in self.tasks.items():
            failed = sum(count for outcome, count in task.outcomes.items() if outcome.is_infrastructure)
            table.add_row(
                name,
                f"{task.done}/{task.total}",
                f"{100 * task.score / task.scored:.1f}" if task.scored else "-",
                _percent(task.outcomes[Outcome.TRUNCATED], task.done),
                _percent(task.outcomes[Outcome.NO_ANSWER], task.done),
                Text(str(failed), style="bold red") if failed else "",
            )
        return Group(table, Text(self._summary(), style="dim"))

    def _summary(self) -> str:
        done = sum(task.done for task in self.tasks.values())
        total = sum(task.total for task in self.tasks.values())
        seconds = self._time_left.estimate(total - done)
        left = "time left unknown" if seconds is None else f"{clock(seconds)} left"
        parts = [f"{done}/{total} samples"]
        speed = self._session.tokens_per_s
        if speed is not None:
            parts.append(f"{speed:,.0f} tokens/s")
        if self._places_waiting:
            parts.append(f"the engine waits for grades ({self._ungraded:,} answers have none yet)")
        elif self._ungraded >= _MANY_UNGRADED:
            parts.append(f"{self._ungraded:,} answers wait for their grades")
        elapsed = time.monotonic() - self._started
        return ", ".join([*parts, f"{clock(elapsed)} so far", left])

    def _print_sometimes(self) -> None:
        if self._live is None and time.monotonic() - self._printed > _PLAIN_EVERY_S:
            self._print_line()

    def _print_line(self) -> None:
        self._printed = time.monotonic()
        scores = ", ".join(
            f"{name} {task.done}/{task.total}"
            + (f" at {100 * task.score / task.scored:.1f}%" if task.scored else "")
            for name, task in self.tasks.items()
        )
        self._print(f"{self._summary()} | {scores}")

    def _print(self, line: str) -> None:
        self._console.print(line, soft_wrap=True, highlight=False, markup=False)


@contextlib.contextmanager
def _repeated(say: Callable[[], None], stage: Callable[[], str]) -> Iterator[None]:
    """Call ``say`` in a thread if the stage has changed, and every fifteen seconds in any case."""
    over = threading.Event()

    def watch() -> None:
        last, shown_at = stage(), time.monotonic()
        while not over.wait(_LOOK_EVERY_S):
            now = stage()
            if now != last or time.monotonic() - shown_at >= _PLAIN_EVERY_S:
                last, shown_at = now, time.monotonic()
                try:
                    say()
                except ClosedPipe:  # the next line that the run prints ends it
                    return

    thread = threading.Thread(target=watch, name="k2eval-starting", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def clock(seconds: float) -> str:
    """Return a span of time as people read it.

    >>> clock(75.9), clock(3_725)
    ('1:15', '1:02:05')
    """
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}" if whole else "-"
