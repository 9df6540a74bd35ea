"""``index.html``: the states of all checkpoints, the curves and the running evaluation."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from k2eval.leaderboard import cells
from k2eval.pages import CHARTS, render
from k2eval.report import RunSeries
from k2eval.run import Progress
from k2eval.system import write_text
from k2eval.watch.states import Checkpoint, State

PAGE = "index.html"
_REFRESH_S = 10


@dataclass(frozen=True, slots=True)
class Status:
    """The state of a watch."""

    place: str
    activity: str
    poll_s: float
    checkpoints: Sequence[Checkpoint]
    series: RunSeries | None
    """The curves so far; None if there are none yet."""
    progress: Progress | None
    """The run that goes on."""


class Row(NamedTuple):
    """One checkpoint."""

    name: str
    step: str
    state: str
    reason: str
    scores: Sequence[str]
    time: str


class Bar(NamedTuple):
    """The progress of one task."""

    task: str
    done: int
    total: int
    score: str


def write_page(out: Path, status: Status) -> None:
    """Write the page, in one step.

    Raises:
        OSError: If it cannot be written.
    """
    write_text(out / PAGE, page_of(status, out.name), errors="replace", durable=False)


def page_of(status: Status, name: str) -> str:
    """Return the page as HTML; all texts are escaped.

    Args:
        status: The state of the watch.
        name: Name of the output folder.
    """
    series = status.series
    counts = {state: sum(point.state is state for point in status.checkpoints) for state in State}
    return render(
        "watch.html",
        scripts=("watch.js", *CHARTS),
        styles=("charts.css", "report.css", "watch.css"),
        title=f"Watch: {name}",
        refresh=_REFRESH_S,
        place=status.place,
        activity=status.activity,
        poll=f"{status.poll_s:g}",
        updated=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        counts=[f"{count} {state}" for state, count in counts.items() if count],
        titles=list(series.titles.values()) if series else [],
        rows=[_row(point, series) for point in status.checkpoints],
        bars=_bars(status.progress),
        figures=series.figures() if series else [],
        changes=series.sentences() if series else [],
    )


def _row(point: Checkpoint, series: RunSeries | None) -> Row:
    scores: Sequence[str] = ()
    if series is not None:
        scores = _scores(point, series)
    return Row(
        name=point.name,
        step="" if point.step is None else str(point.step),
        state=str(point.state),
        reason=point.reason + ("" if point.is_there else "its folder is gone"),
        scores=scores,
        time="" if point.seconds is None else f"{point.seconds:,.0f} s",
    )


def _scores(point: Checkpoint, series: RunSeries) -> Sequence[str]:
    own = series.frame[series.frame["run"] == (point.run.name if point.run else "")]
    if own.empty:
        return [""] * len(series.titles)
    return [cells.score(own.iloc[0], column) for column in series.titles]


def _bars(progress: Progress | None) -> list[Bar]:
    if progress is None:
        return []
    return [
        Bar(name, task.done, task.total, task.score_in_words(" %") if task.scored else "")
        for name, task in progress.tasks.items()
    ]
