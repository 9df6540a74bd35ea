"""The run directories of a folder, and where each of them stands now."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from k2eval.errors import ConfigError, K2EvalError
from k2eval.journal import GENERATIONS, RUN, VERDICTS, state_of
from k2eval.leaderboard import RunScores, load_run
from k2eval.records import Json, Outcome
from k2eval.statistics import average
from k2eval.texts import fault_of_path

State = Literal["running", "done", "stopped early", "unfinished", "unreadable"]
DEEPEST = 4
"""Levels of folders in which runs are looked for."""
MOST = 2_000
"""Most runs, and most other pages, that are found."""
_FOLDERS = 50_000
_RECENT_S = 60.0
"""A run that wrote so recently goes on, perhaps on another machine."""
_AGAIN_S = 2.0
PAGES = ("sweep.html", "curve.html")
"""Pages of series that other commands write, each whole in one file."""

_Stamp = tuple[tuple[int, int], ...]


@dataclass(slots=True)
class Found:
    """One run directory."""

    key: str
    """Its path below the folder, which names it in addresses."""
    path: Path
    scores: RunScores | None = None
    """Its verdicts as of the last look; None if they cannot be read."""
    fault: str = ""
    _stamp: _Stamp = ()
    _looked: float = -np.inf
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def stamp(self) -> _Stamp:
        """Sizes and times of its files as of the last look."""
        return self._stamp

    def look(self) -> None:
        """Read the run if its files have changed, at most every two seconds."""
        with self._lock:
            if time.monotonic() - self._looked < _AGAIN_S:
                return
            stamp = _stamp_of(self.path)
            if stamp != self._stamp:
                try:
                    self.check_path()
                    self.scores, self.fault = load_run(self.path), ""
                except K2EvalError as error:
                    self.scores, self.fault = None, str(error)
                self._stamp = stamp
            self._looked = time.monotonic()

    def check_path(self) -> None:
        """Make sure that pages can name the run.

        Raises:
            ConfigError: If they cannot.
        """
        fault = fault_of_path(self.path)
        if fault:
            raise ConfigError(f"The path of {self.key}: {fault}. Rename its folder.")

    def describe(self) -> dict[str, Json]:
        """Return what the list shows of it, as JSON."""
        self.look()
        shown: dict[str, Json] = {"key": self.key, "changed": max((at for _, at in self._stamp), default=0)}
        if self.scores is None:
            return shown | {"name": self.key, "state": "unreadable", "fault": self.fault, "tasks": []}
        info, live = self.scores.info, state_of(self.path)
        own = live.get("tasks") if isinstance(live, dict) else None
        return shown | {
            "name": info.name,
            "model": info.model.name,
            "recipe": info.recipe,
            "state": self._state(live is not None),
            "summary": str(live.get("summary", ""))[:500] if isinstance(live, dict) else "",
            "started": info.sessions[0].started if info.sessions else "",
            "tasks": [
                _task(self.scores, name, own.get(name) if isinstance(own, dict) else None)
                for name in info.tasks
            ],
        }

    @property
    def is_running(self) -> bool:
        """Whether the run, as of the last look, goes on."""
        return self.scores is not None and self._state(state_of(self.path) is not None) == "running"

    def _state(self, is_written: bool) -> State:
        assert self.scores is not None
        info = self.scores.info
        recent = time.time() - max((at for _, at in self._stamp), default=0) / 1e9 < _RECENT_S
        if is_written or (recent and not info.complete and info.stopped_early is None):
            return "running"
        return "done" if info.complete else "stopped early" if info.stopped_early else "unfinished"


def _stamp_of(path: Path) -> _Stamp:
    stamps = []
    for name in (RUN, VERDICTS, GENERATIONS):
        try:
            status = (path / name).stat()
            stamps.append((status.st_size, status.st_mtime_ns))
        except OSError:
            stamps.append((-1, 0))
    return tuple(stamps)


def _task(run: RunScores, name: str, live: Json) -> dict[str, Json]:
    """Return the cells of one task: those that the run's own terminal shows now, or else from its verdicts."""
    info = run.info.tasks[name]
    shown: dict[str, Json] = {"name": name, "title": info.title or name}
    if isinstance(live, dict):
        return shown | {key: str(value)[:80] for key, value in live.items()}
    task = run.tasks.get(name)
    total = info.questions * info.repeats
    if task is None:
        return shown | {"done": f"0/{total}", "score": "-"}
    estimate, done = average(task.values), task.graded + task.failed
    score = (
        f"{100 * estimate.value:.1f} ({100 * estimate.low:.1f}–{100 * estimate.high:.1f})"
        if task.graded
        else "-"
    )
    return shown | {
        "done": f"{done}/{total}",
        "score": score,
        "truncated": _percent(task.count(Outcome.TRUNCATED), done),
        "no_answer": _percent(task.count(Outcome.NO_ANSWER), done),
        "failed": str(task.failed or ""),
    }


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}" if whole else "-"


class RunsFolder:
    """A folder of runs, looked through again and again; runs that appear are found.

    Args:
        folder: The folder, or a run directory itself.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runs: dict[str, Found] = {}
        self.pages: dict[str, Path] = {}
        """Pages of series, by their paths below the folder."""
        self._looked = -np.inf
        self._lock = threading.Lock()

    def look(self, *, anew: bool = False) -> None:
        """Look for runs and pages, at most every two seconds unless `anew`."""
        with self._lock:
            if time.monotonic() - self._looked < _AGAIN_S and not anew:
                return
            runs: dict[str, Found] = {}
            pages: dict[str, Path] = {}
            for path, names, plain in _walk(self.folder):
                key = _name_of(path, self.folder)
                if RUN in names and len(runs) < MOST:
                    runs[key] = self.runs.get(key) or Found(key, path)
                for name in PAGES:
                    if name in plain and len(pages) < MOST:
                        pages[_name_of(path / name, self.folder)] = path / name
            self.runs, self.pages = runs, pages
            self._looked = time.monotonic()

    def describe(self) -> dict[str, Json]:
        """Return what the first page shows, as JSON: the runs, those that were written last first, and pages."""
        self.look()
        runs = sorted((run.describe() for run in [*self.runs.values()]), key=lambda run: -run["changed"])
        return {"runs": runs, "pages": sorted(self.pages)}


def _name_of(path: Path, folder: Path) -> str:
    """Return a path below the folder as a text that every page can hold: the byte 0xff of a name becomes ``\\xff``."""
    return os.fsencode(path.relative_to(folder)).decode("utf-8", "backslashreplace")


def _walk(folder: Path) -> Iterator[tuple[Path, set[str], set[str]]]:
    """Yield folders, the names in them that are no folders, and those of regular files that are no links.

    Links to folders are not followed, nor is a run looked into.
    """
    waiting, seen = [(folder, 0)], 0
    while waiting and seen < _FOLDERS:
        path, level = waiting.pop()
        seen += 1
        try:
            with os.scandir(path) as entries:
                found = [*entries]
                listed = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in found]
                plain = {entry.name for entry in found if entry.is_file(follow_symlinks=False)}
        except OSError:
            continue
        names = {name for name, is_folder in listed if not is_folder}
        yield path, names, plain
        if RUN not in names and level < DEEPEST:
            below = sorted(name for name, is_folder in listed if is_folder and not name.startswith("."))
            waiting += [(path / name, level + 1) for name in reversed(below)]
