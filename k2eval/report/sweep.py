"""A series of checkpoints or of settings, one run directory each: score against step, or against tokens."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from markupsafe import Markup
from rich.console import Console

from k2eval.errors import ConfigError, did_you_mean
from k2eval.leaderboard import Leaderboard, board_tables, build, cells, group_title, load_runs, print_table
from k2eval.pages import Series, curves, render
from k2eval.report.charts import Figure
from k2eval.system import write_text

_FAR = 4
"""Factor between the most and the fewest tokens from which their axis is logarithmic."""
_INTERRUPTED = 130
_USABLE = (0, 1)
"""Exit codes of ``k2eval run`` after which the run directory holds scores."""

Evaluate = Callable[[Path | str, Path], int]
"""(checkpoint or value of a switch, run directory) -> exit code, as `k2eval run` has them."""


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a series: a run, and the value in which it differs from the others."""

    value: Path | str
    """The checkpoint, or a value of a switch."""
    name: str
    """The name of the run directory."""
    place: float | str
    """Position on the axis: a step, or the value of a switch."""


@dataclass(frozen=True, slots=True)
class Axis:
    """Quantity in which the runs of a series differ."""

    column: str
    """Name of the column of the table."""
    title: str
    against_tokens: bool = False
    """True if charts show scores against the tokens of the answers."""

    @property
    def x_title(self) -> str:
        """Title of the axis against which scores are drawn."""
        return "tokens of an answer" if self.against_tokens else self.column


STEPS = Axis("step", "Step")
SWITCH_AXES = {
    "thinking": Axis("thinking", "Thinking", against_tokens=True),
    "reasoning_effort": Axis("reasoning_effort", "Reasoning effort", against_tokens=True),
    "thinking_budget": Axis("thinking_budget", "Thinking budget", against_tokens=True),
}


def find_checkpoints(patterns: Sequence[str]) -> list[Point]:
    """Return the folders that match, ordered by the last number in their names; that number is the step.

    Args:
        patterns: Folders or glob patterns, such as ``out/step-*``.

    Raises:
        ConfigError: If nothing matches, a name has no number, or two have the same.
    """
    paths = {match.resolve(): match for pattern in patterns for match in _matches(Path(pattern))}
    folders = [path for path in paths.values() if path.is_dir()]
    if not folders:
        raise ConfigError(f"Expected folders with checkpoints, got none for {' '.join(patterns)}.")
    by_step: dict[int, Path] = {}
    for folder in folders:
        numbers = re.findall(r"\d+", folder.name)
        if not numbers:
            raise ConfigError(
                f"Expected checkpoints with their step in the name, such as step-100, got {folder}."
            )
        step = int(numbers[-1])
        if step in by_step:
            raise ConfigError(f"Expected one checkpoint per step, got {by_step[step]} and {folder}.")
        by_step[step] = folder
    return [Point(by_step[step], by_step[step].name, step) for step in sorted(by_step)]


def find_values(over: str) -> tuple[Axis, list[Point]]:
    """Return the axis and the points of a series over a switch of thinking.

    Args:
        over: The switch and its values, such as ``reasoning_effort=low,medium,high``.

    Raises:
        ConfigError: If there is no such switch, or it cannot have such a value, or has one twice.

    >>> [point.name for point in find_values("thinking_budget=1024,8192")[1]]
    ['thinking_budget-1024', 'thinking_budget-8192']
    """
    name, _, listed = over.partition("=")
    name, values = (
        name.strip().replace("-", "_"),
        [value.strip() for value in listed.split(",") if value.strip()],
    )
    if name not in SWITCH_AXES:
        raise ConfigError(f"Unknown switch {name!r}. {did_you_mean(name, list(SWITCH_AXES))}")
    wrong = [value for value in values if not _is_possible(name, value)]
    if wrong or len(set(values)) < max(2, len(values)):
        raise ConfigError(
            f"--over {name}: expected two or more different values such as {_EXAMPLES[name]}, got {listed!r}."
        )
    points = [
        Point(
            value, f"{name}-{re.sub(r'[^A-Za-z0-9.-]', '_', value)}", int(value) if value.isdigit() else value
        )
        for value in values
    ]
    return SWITCH_AXES[name], points


_EXAMPLES = {
    "thinking": "on,off",
    "reasoning_effort": "low,medium,high",
    "thinking_budget": "1024,4096,16384",
}


def _is_possible(switch: str, value: str) -> bool:
    if switch == "thinking":
        return value in ("on", "off")
    return switch == "reasoning_effort" or value.isdecimal()


def _matches(pattern: Path) -> list[Path]:
    return list(Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor))))


def sweep_checkpoints(patterns: Sequence[str], out: Path, evaluate: Evaluate, console: Console) -> int:
    """Evaluate each checkpoint and draw the series; see `sweep`.

    Args:
        patterns: As for `find_checkpoints`.
        out: Folder of the run directories and tables.
        evaluate: How one checkpoint is evaluated, such as `in_a_process`.
        console: Where progress is printed.
    """
    return sweep(STEPS, find_checkpoints(patterns), out, evaluate, console)


def sweep_switch(over: str, out: Path, evaluate: Evaluate, console: Console) -> int:
    """Evaluate each value of a switch of thinking and draw the series; see `sweep`.

    Args:
        over: As for `find_values`.
        out: Folder of the run directories and tables.
        evaluate: How one value is evaluated, such as `in_a_process`.
        console: Where progress is printed.
    """
    return sweep(*find_values(over), out, evaluate, console)


def sweep(axis: Axis, points: Sequence[Point], out: Path, evaluate: Evaluate, console: Console) -> int:
    """Evaluate each point of a series into ``OUT/<its name>`` and draw the series.

    `k2eval run` resumes and loads no engine for a run that is complete. So the same command continues after an
    interruption, and takes in points that have been added since. The tables and the page are written anew after
    every point.

    Args:
        axis: In which way the runs differ.
        points: The runs.
        out: Folder of the run directories, ``sweep.csv``, ``sweep.md`` and ``sweep.html``.
        evaluate: How one point is evaluated.
        console: Where progress is printed.

    Returns:
        0, or 1 if a point could not be evaluated fully, or 130 after an interruption.
    """
    evaluated: list[tuple[Point, Path]] = []
    code = 0
    for number, point in enumerate(points, start=1):
        label = f"{axis.title} {point.place}"
        which = f": {point.value}" if isinstance(point.value, Path) else ""
        console.print(f"{label} ({number} of {len(points)}){which}", markup=False)
        run = out / point.name
        ended = evaluate(point.value, run)
        if ended == _INTERRUPTED:
            return _INTERRUPTED
        code = max(code, min(ended, 1))
        if ended in _USABLE:
            evaluated.append((point, run))
            write_sweep(axis, evaluated, out)
        else:
            console.print(f"{label} could not be evaluated (exit code {ended}).", style="bold red")
    if evaluated:
        board, _ = series_of(axis, evaluated)
        print_table(board, console)
        console.print(f"Wrote {out / 'sweep.html'}", markup=False, soft_wrap=True)
    return code


def in_a_process(arguments: Sequence[str], option: str = "--model") -> Evaluate:
    """Evaluate with ``k2eval run`` in a process of its own, so that each engine leaves nothing behind.

    Args:
        arguments: Those of ``k2eval run``, without ``--out`` and ``option``.
        option: The option that differs between the runs.
    """

    def evaluate(value: Path | str, run: Path) -> int:
        command = [sys.executable, "-m", "k2eval", "run", option, str(value), "--out", str(run)]
        # Ctrl-C reaches the run as well, which ends in order; it must not be killed while it does.
        before = signal.signal(signal.SIGINT, lambda number, frame: None)
        try:
            return subprocess.run([*command, *arguments], check=False).returncode
        finally:
            signal.signal(signal.SIGINT, before)

    return evaluate


def series_of(axis: Axis, evaluated: Sequence[tuple[Point, Path]]) -> tuple[Leaderboard, pd.DataFrame]:
    """Return the leaderboard of a series, and its table in order of points with the axis' column in front."""
    board = build([run for _, run in evaluated])
    # A run is called what its run.json says, which need not be its folder's name.
    names = [run.info.name for run in load_runs([run for _, run in evaluated])]
    order = {name: number for number, name in enumerate(names)}
    places = {name: point.place for name, (point, _) in zip(names, evaluated, strict=True)}
    frame = board.frame.sort_values("run", key=lambda runs: runs.map(order), kind="stable")
    frame = frame.drop(columns=axis.column, errors="ignore")
    frame.insert(0, axis.column, frame["run"].map(places))
    return board, frame.reset_index(drop=True)


def write_sweep(axis: Axis, evaluated: Sequence[tuple[Point, Path]], out: Path) -> list[Path]:
    """Write ``sweep.csv``, ``sweep.md`` and ``sweep.html`` of the points evaluated so far.

    Raises:
        ConfigError: If the files cannot be written.
    """
    board, frame = series_of(axis, evaluated)
    texts = {
        "sweep.csv": cells.to_csv(frame),
        "sweep.md": _markdown(axis, board, frame),
        "sweep.html": _html(axis, board, frame, out.name),
    }
    try:
        for name, text in texts.items():
            write_text(out / name, text)
    except OSError as error:
        raise ConfigError(
            f"Cannot write the sweep to {out}: {error.strerror}. Choose another --out."
        ) from error
    return [out / name for name in texts]


def _titles(board: Leaderboard) -> dict[str, str]:
    return {name: group_title(name) for name in board.averages} | {
        benchmark.name: benchmark.title for benchmark in board.benchmarks
    }


def _markdown(axis: Axis, board: Leaderboard, frame: pd.DataFrame) -> str:
    notes = cells.Footnotes()
    titles = _titles(board)
    rows = []
    for _, record in frame.iterrows():
        scores = [cells.score(record, name) + notes.mark(record.get(f"{name}_notes")) for name in titles]
        costs = [cells.plain(record["truncated"]), cells.plain(record["tokens"], ",.0f")]
        rows.append([f"{record[axis.column]}", *scores, *costs])
    header = [axis.title, *titles.values(), "Truncated %", "Tokens"]
    parts = [f"# Score against {axis.x_title}", cells.markdown_table(header, rows)]
    parts.append("\n".join(f"- {line}" for line in (*board.notes, *notes.lines())))
    return "\n\n".join(part for part in parts if part) + "\n"


def _html(axis: Axis, board: Leaderboard, frame: pd.DataFrame, name: str) -> str:
    figures = [Figure(title, _chart(axis, frame, column, title)) for column, title in _titles(board).items()]
    return render(
        "sweep.html",
        styles=("report.css",),
        title=f"Sweep: {name}",
        axis=axis,
        figures=[figure for figure in figures if figure.chart],
        tables=board_tables(board),
    )


def _chart(axis: Axis, frame: pd.DataFrame, name: str, title: str) -> Markup:
    known = frame[frame[name].notna()]
    x = _tokens_of(known, name) if axis.against_tokens else known[axis.column].astype(float)
    known = known.assign(_x=x).sort_values("_x", kind="stable")
    points = [
        (float(row["_x"]), float(row[name]), float(row[f"{name}_low"]), float(row[f"{name}_high"]))
        for _, row in known.iterrows()
    ]
    labels = [f"{place}" for place in known[axis.column]] if axis.against_tokens else []
    series = [Series("score", points, 0, labels=labels)]
    if f"{name}_truncated" in frame:
        cut = [(float(row["_x"]), float(row[f"{name}_truncated"])) for _, row in known.iterrows()]
        series.append(Series("truncated", [(at, share, share, share) for at, share in cut], 1, dashed=True))
    apart = axis.against_tokens and bool(points) and points[-1][0] > _FAR * max(points[0][0], 1.0)
    return curves(series, f"{title} against {axis.x_title}", axis.x_title, linear=not apart)


def _tokens_of(frame: pd.DataFrame, name: str) -> pd.Series:
    """Return the mean tokens of all that a recipe wrote: on one benchmark, or on all for an average."""
    own = f"{name}_recipe_tokens"
    return frame[own] if own in frame else frame["recipe_tokens"]
