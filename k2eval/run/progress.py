"""The display of a run: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import numpy as np
from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from k2eval.engines import Engine
from k2eval.records import Generation, Json, Outcome, Role, SampleKey, Verdict
from k2eval.run.order import Order
from k2eval.run.session import Session
from k2eval.run.time_left import TimeLeft
from k2eval.statistics import running_interval
from k2eval.system import ClosedPipe

_PLAIN_EVERY_S = 15.0
_LOOK_EVERY_S = 1.0
_EXPECT_EVERY_S = 5.0
"""Time between two sums of the tokens that are left: thousands of questions take milliseconds."""
_MANY_UNGRADED = 64
_PUBLISH_EVERY_S = 2.0
SHOWN = ("done", "score", "truncated", "no_answer", "failed")
"""What is shown of each task."""


@dataclass(slots=True)
class TaskProgress:
    """The progress of one task.

    The display reads it from a thread of its own, so it copies each dictionary before it goes through it: `dict` does
    that in one step.
    """

    total: int
    done: int = 0
    scored: int = 0
    score: float = 0.0
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    questions: int = 0
    """Number of questions; 0 if unknown."""
    sums: dict[str, float] = field(default_factory=dict)
    """Sum of each question's scores."""
    counts: Counter[str] = field(default_factory=Counter)
    """Number of each question's scores."""
    pending: Counter[str] = field(default_factory=Counter)
    """Number of each question's samples that are being made."""

    @property
    def interval(self) -> tuple[float, float] | None:
        """The interval that may be looked at all the time; None before every question was asked."""
        scores, waiting = dict(self.sums), dict(self.pending)
        asked = sorted(scores.keys() | {question for question, count in waiting.items() if count})
        if not self.scored or len(asked) < self.questions or not self.questions:
            return None
        counts = np.array([self.counts[question] for question in asked])
        pending = np.array([max(waiting.get(question, 0), 0) for question in asked])
        sums = np.array([scores.get(question, 0.0) for question in asked])
        return running_interval(sums, counts, self.total, pending)

    @property
    def mean(self) -> float:
        """The mean score: over questions once each was asked, as the interval is; over samples before."""
        if self.interval is None:
            return self.score / self.scored
        return float(np.mean([total / self.counts[question] for question, total in dict(self.sums).items()]))

    def in_words(self) -> tuple[str, ...]:
        """Return the cells of `SHOWN`; no failure is an empty text."""
        outcomes = dict(self.outcomes)
        failed = sum(count for outcome, count in outcomes.items() if outcome.is_infrastructure)
        return (
            f"{self.done}/{self.total}",
            self.score_in_words(),
            _percent(self.outcomes[Outcome.TRUNCATED], self.done),
            _percent(self.outcomes[Outcome.NO_ANSWER], self.done),
            str(failed) if failed else "",
        )

    def score_in_words(self, unit: str = "") -> str:
        """Return the score so far in percent, with its interval once there is one."""
        if not self.scored:
            return "-"
        mean = f"{100 * self.mean:.1f}{unit}"
        interval = self.interval
        return mean if interval is None else f"{mean} ({100 * interval[0]:.1f}–{100 * interval[1]:.1f})"


class Progress:
    """The counts of a run, and their display.

    Args:
        totals: Number of samples of each task.
        console: The console for the display.
        session: The session, which counts tokens and the engine's time.
        questions: Number of questions of each task.
        publish: Called every two seconds with the same numbers as JSON, for viewers in other processes.
        at_most: Whether fewer samples than ``totals`` may do, as with ``--until``.
    """

    def __init__(
        self,
        totals: Mapping[str, int],
        console: Console,
        session: Session,
        questions: Mapping[str, int] | None = None,
        publish: Callable[[Json], None] | None = None,
        at_most: bool = False,
    ) -> None:
        self.tasks = {
            name: TaskProgress(total, questions=(questions or {}).get(name, 0))
            for name, total in totals.items()
        }
        self._console = console
        self._session = session
        self._live: Live | None = None
        self._started = self._printed = time.monotonic()
        self._time_left = TimeLeft()
        self._ungraded = self._places_waiting = 0
        self._order: Order | None = None
        self._expected = 0, 0.0
        """Number of the order's unfinished samples, and the tokens that they are expected to have."""
        self._expected_at = self._published = -math.inf
        self._publish = publish
        self._at_most = at_most

    @contextlib.contextmanager
    def starting(self, engine: Engine) -> Iterator[None]:
        """Show that an engine starts, which takes from seconds to minutes: elapsed time, activity, and its log."""
        info = engine.info
        log = f" Its log: {info.log}" if info.log else ""
        start = time.monotonic()
        if self._publish:
            self._publish(self._state() | {"summary": f"starting {info.engine}"})

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

    def on_generation(self, generation: Generation, role: Role = "solver") -> None:
        """Show a new generation, which the session has counted."""
        if role != "answer_judge":  # its tokens are none of the recipe's, by which samples are counted
            self._time_left.write(generation.output_tokens)
        self._print_sometimes()

    def on_start(self, sample: SampleKey) -> None:
        """Count a sample that is being made from now on."""
        self.tasks[sample.task].pending[sample.question_id] += 1

    def on_verdict(self, verdict: Verdict) -> None:
        """Count a verdict, new or kept."""
        task = self.tasks[verdict.task]
        task.pending[verdict.question_id] -= task.pending[verdict.question_id] > 0
        task.done += 1
        task.outcomes[verdict.outcome] += 1
        if verdict.score is not None:
            task.scored += 1
            task.score += verdict.score
            task.counts[verdict.question_id] += 1
            task.sums[verdict.question_id] = task.sums.get(verdict.question_id, 0.0) + verdict.score
        self._time_left.count(verdict.recipe_tokens)
        self._print_sometimes()

    def on_response(self, task: str, tokens: int) -> None:
        """Count a response of so many tokens that no grader of ours decides about."""
        self.tasks[task].done += 1
        self._time_left.count(tokens)
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
            *cells, failed = task.in_words()
            table.add_row(name, *cells, Text(failed, style="bold red"))
        return Group(table, Text(self._summary(), style="dim"))

    def _state(self) -> dict[str, Json]:
        tasks = {name: dict(zip(SHOWN, task.in_words(), strict=True)) for name, task in self.tasks.items()}
        return {"summary": self._summary(), "tasks": tasks}

    def _summary(self) -> str:
        done = sum(task.done for task in self.tasks.values())
        total = sum(task.total for task in self.tasks.values())
        seconds = self._time_left.estimate(total - done, *self._expected)
        left = "time left unknown" if seconds is None else f"{clock(seconds)} left"
        parts = [f"{done}/{total} samples"]
        if self._at_most:
            parts = [f"{done} of at most {total} samples"]
            left = left if seconds is None else f"at most {left}"
        speed = self._session.tokens_per_s
        if speed is not None:
            parts.append(f"{speed:,.0f} tokens/s")
        if self._places_waiting:
            parts.append(f"the engine waits for grades ({self._ungraded:,} answers have none yet)")
        elif self._ungraded >= _MANY_UNGRADED:
            parts.append(f"{self._ungraded:,} answers wait for their grades")
        elapsed = time.monotonic() - self._started
        return ", ".join([*parts, f"{clock(elapsed)} so far", left])

    def follow(self, order: Order) -> None:
        """Judge the time left by the tokens that are expected of the samples of an order."""
        self._order, self._expected, self._expected_at = order, (0, 0.0), -math.inf

    def _expect(self) -> None:
        """Look at the order again; here, since the display has a thread of its own."""
        if self._order is not None and time.monotonic() - self._expected_at > _EXPECT_EVERY_S:
            self._expected_at = time.monotonic()
            self._expected = self._order.unfinished, self._order.tokens_left()

    def _print_sometimes(self) -> None:
        self._expect()
        if self._publish and time.monotonic() - self._published > _PUBLISH_EVERY_S:
            self._published = time.monotonic()
            self._publish(self._state())
        if self._live is None and time.monotonic() - self._printed > _PLAIN_EVERY_S:
            self._print_line()

    def _print_line(self) -> None:
        self._printed = time.monotonic()
        scores = ", ".join(
            f"{name} {task.done}/{task.total}" + (f" at {task.score_in_words('%')}" if task.scored else "")
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
