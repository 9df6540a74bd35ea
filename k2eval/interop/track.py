"""A run's progress and scores in Weights & Biases or Trackio, if the user asks for it.

A thread follows the run directory. So a tracker that is slow, out of reach or broken costs the run nothing but a
line of warning.
"""

from __future__ import annotations

import importlib
import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console

from k2eval.errors import ConfigError, did_you_mean
from k2eval.journal import VERDICTS
from k2eval.records import Json, Outcome, SampleKey, Verdict

TRACKERS = ("wandb", "trackio")
PROJECT = "k2eval"
_EVERY_S = 30.0
_PATIENCE_S = 60.0
"""Seconds that the end of a run waits for the tracker's last report."""


@contextmanager
def tracking(
    name: str | None,
    out: Path,
    settings: Mapping[str, Json],
    console: Console,
    *,
    every_s: float = _EVERY_S,
    patience_s: float = _PATIENCE_S,
) -> Iterator[None]:
    """Send the progress of the run directory ``out`` to a tracker while the block runs.

    Args:
        name: One of `TRACKERS`, or None for no tracking.
        out: The run directory.
        settings: The run's configuration.
        console: The console for failures, which never stop the run.
        every_s: Seconds between two reports.
        patience_s: Seconds to wait for the last report at the end.

    Raises:
        ConfigError: If there is no such tracker.
    """
    if name is None:
        yield
        return
    if name not in TRACKERS:
        raise ConfigError(f"Unknown tracker {name!r}. {did_you_mean(name, list(TRACKERS))}")
    follower = _Follower(name, out, settings, console, every_s)
    follower.thread.start()
    try:
        yield
    finally:
        follower.ended.set()
        follower.thread.join(patience_s)
        if follower.thread.is_alive():
            console.print(
                f"Tracking with {name}: no end after {patience_s:.0f} s; its last figures may be missing."
            )


@dataclass(slots=True)
class _Follower:
    name: str
    out: Path
    settings: Mapping[str, Json]
    console: Console
    every_s: float
    ended: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._run, name=f"track-{self.name}", daemon=True)

    def _run(self) -> None:
        try:
            self._follow(importlib.import_module(self.name))
        except ModuleNotFoundError as error:
            if error.name != self.name:
                self._failed(error)
                return
            self.console.print(
                f"Tracking is off: the package {self.name} is not installed (pip install {self.name}). The run goes on."
            )
        except (Exception, SystemExit) as error:  # whatever a tracker raises, the run must not feel it
            self._failed(error)

    def _failed(self, error: BaseException) -> None:
        reason = str(error).splitlines()
        self.console.print(
            f"Tracking with {self.name} failed ({type(error).__name__}: {reason[0] if reason else ''}). "
            "The run goes on.",
            soft_wrap=True,
            markup=False,
        )

    def _follow(self, tracker: Any) -> None:
        project = os.environ.get("WANDB_PROJECT", PROJECT)
        tracker.init(project=project, name=self.out.name, config=dict(self.settings))
        log: Callable[[dict[str, float]], None] = tracker.log
        progress = Progress(self.out / VERDICTS)
        while not self.ended.wait(self.every_s):
            if progress.read():
                log(progress.figures())
        if progress.read():
            log(progress.figures())
        log(final_figures(self.out))
        tracker.finish()


class _Sample(NamedTuple):
    score: float | None
    outcome: Outcome
    tokens: int


@dataclass(slots=True)
class Progress:
    """Figures from the verdicts of a growing file."""

    path: Path
    _offset: int = 0
    _latest: dict[SampleKey, _Sample] = field(default_factory=dict)

    def read(self) -> bool:
        """Read the lines that were added; tell whether there were any."""
        if not self.path.exists():
            return False
        with self.path.open("rb") as file:
            file.seek(self._offset)
            new = file.read()
        end = new.rfind(b"\n") + 1
        self._offset += end
        for line in new[:end].splitlines():
            verdict = Verdict.model_validate(json.loads(line))
            self._latest[verdict.sample_key] = _Sample(verdict.score, verdict.outcome, verdict.output_tokens)
        return end > 0

    def figures(self) -> dict[str, float]:
        """Return for each task the number of samples, mean score, share truncated and mean tokens."""
        figures: dict[str, float] = {}
        for task in sorted({key.task for key in self._latest}):
            samples = [sample for key, sample in self._latest.items() if key.task == task]
            scores = [sample.score for sample in samples if sample.score is not None]
            truncated = sum(sample.outcome is Outcome.TRUNCATED for sample in samples)
            figures[f"{task}/done"] = len(samples)
            figures[f"{task}/truncated"] = truncated / len(samples)
            figures[f"{task}/tokens"] = sum(sample.tokens for sample in samples) / len(samples)
            if scores:
                figures[f"{task}/score"] = sum(scores) / len(scores)
        return figures


def final_figures(out: Path) -> dict[str, float]:
    """Return avg@k with its interval and the failures of each task, and the run's speed."""
    from k2eval.leaderboard import load_run
    from k2eval.statistics import average

    run = load_run(out)
    figures: dict[str, float] = {}
    for name, task in run.benchmarks.items():
        estimate = average(task.values)
        if task.graded:
            figures |= {
                f"{name}/avg_at_k": estimate.value,
                f"{name}/interval_low": estimate.low,
                f"{name}/interval_high": estimate.high,
            }
        figures[f"{name}/failed"] = task.failed
    for key, value in (
        ("tokens_per_s", run.info.tokens_per_s),
        ("acceptance_length", run.info.acceptance_length()),
    ):
        if value is not None:
            figures[key] = value
    return figures
