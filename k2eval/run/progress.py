"""What a user sees while a run goes on: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from k2eval.records import Generation, Outcome, Verdict

_PLAIN_EVERY_S = 15.0


@dataclass(slots=True)
class TaskProgress:
    """How far one task is."""

    total: int
    done: int = 0
    scored: int = 0
    score: float = 0.0
    outcomes: Counter[Outcome] = field(default_factory=Counter)


class Progress:
    """Counts what happens and shows it."""

    def __init__(self, totals: Mapping[str, int], console: Console) -> None:
        self.tasks = {name: TaskProgress(total) for name, total in totals.items()}
        self._console = console
        self._live: Live | None = None
        self._started = time.monotonic()
        self._tokens = 0
        self._done_before = 0
        self._said = time.monotonic()

    @contextlib.contextmanager
    def starting(self, engine: str) -> Iterator[None]:
        """Say that the engine starts, which takes from seconds to minutes."""
        words = f"Starting {engine} …"
        if self._console.is_terminal:
            with self._console.status(words):
                yield
        else:
            self._console.print(words, highlight=False)
            yield

    def __enter__(self) -> Self:
        self._started = self._said = time.monotonic()
        self._done_before = sum(task.done for task in self.tasks.values())
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
        else:
            self._say()

    def on_generation(self, generation: Generation) -> None:
        """Count a new generation."""
        self._tokens += generation.output_tokens
        self._say_sometimes()

    def on_verdict(self, verdict: Verdict) -> None:
        """Count a verdict, new or kept."""
        task = self.tasks[verdict.task]
        task.done += 1
        task.outcomes[verdict.outcome] += 1
        if verdict.score is not None:
            task.scored += 1
            task.score += verdict.score
        self._say_sometimes()

    def on_response(self, task: str) -> None:
        """Count a response that no grader of ours decides about."""
        self.tasks[task].done += 1
        self._say_sometimes()

    def _render(self) -> Group:
        table = Table(box=None, pad_edge=False)
        for heading in ("task", "done", "score %", "truncated %", "no answer %", "ours to mend"):
            table.add_column(heading, justify="left" if heading == "task" else "right")
        for name, task in self.tasks.items():
            broken = sum(count for outcome, count in task.outcomes.items() if outcome.is_infrastructure)
            table.add_row(
                name,
                f"{task.done}/{task.total}",
                f"{100 * task.score / task.scored:.1f}" if task.scored else "-",
                _percent(task.outcomes[Outcome.TRUNCATED], task.done),
                _percent(task.outcomes[Outcome.NO_ANSWER], task.done),
                Text(str(broken), style="bold red") if broken else "",
            )
        return Group(table, Text(self._summary(), style="dim"))

    def _summary(self) -> str:
        elapsed = time.monotonic() - self._started
        done = sum(task.done for task in self.tasks.values())
        total = sum(task.total for task in self.tasks.values())
        fresh = done - self._done_before
        left = f"{_clock(elapsed / fresh * (total - done))} left" if fresh else "time left unknown"
        speed = self._tokens / max(elapsed, 1e-9)
        return f"{done}/{total} samples, {speed:,.0f} tokens/s, {_clock(elapsed)} so far, {left}"

    def _say_sometimes(self) -> None:
        if self._live is None and time.monotonic() - self._said > _PLAIN_EVERY_S:
            self._say()

    def _say(self) -> None:
        self._said = time.monotonic()
        scores = ", ".join(
            f"{name} {task.done}/{task.total}"
            + (f" at {100 * task.score / task.scored:.1f}%" if task.scored else "")
            for name, task in self.tasks.items()
        )
        self._console.print(f"{self._summary()} | {scores}", soft_wrap=True, highlight=False)


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}" if whole else "-"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
