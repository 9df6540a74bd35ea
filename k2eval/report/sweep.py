"""A series of checkpoints, one run directory each, and score against step."""

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

from k2eval.errors import ConfigError
from k2eval.leaderboard import Leaderboard, board_tables, build, cells, group_title, load_runs, print_table
from k2eval.pages import Series, curves, render
from k2eval.report.charts import Figure
from k2eval.system import write_text

_INTERRUPTED = 130
_USABLE = (0, 1)
"""Exit codes of ``k2eval run`` after which the run directory holds scores."""

Evaluate = Callable[[Path, Path], int]
"""(checkpoint, run directory) -> exit code, with the meanings of `k2eval run`."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One point of a series."""

    path: Path
    step: int


def find_checkpoints(patterns: Sequence[str]) -> list[Checkpoint]:
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
    return [Checkpoint(by_step[step], step) for step in sorted(by_step)]


def _matches(pattern: Path) -> list[Path]:
    return list(Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor))))


def sweep_checkpoints(patterns: Sequence[str], out: Path, evaluate: Evaluate, console: Console) -> int:
    """Evaluate each checkpoint into ``OUT/<its name>`` and draw the series.

    `k2eval run` resumes a run, and loads no engine for a run that is complete. So the same command continues after an
    interruption, and includes checkpoints that have been written since. The tables and the page are written again
    after every checkpoint.

    Args:
        patterns: As for `find_checkpoints`.
        out: Folder of the run directories, ``sweep.csv``, ``sweep.md`` and ``sweep.html``.
        evaluate: The function that evaluates one checkpoint, such as the result of `in_a_process`.
        console: The console to print progress to.

    Returns:
        0, or 1 if a checkpoint could not be evaluated fully, or 130 after an interruption.
    """
    checkpoints = find_checkpoints(patterns)
    evaluated: list[tuple[Checkpoint, Path]] = []
    code = 0
    for number, checkpoint in enumerate(checkpoints, start=1):
        console.print(
            f"Step {checkpoint.step} ({number} of {len(checkpoints)}): {checkpoint.path}", markup=False
        )
        run = out / checkpoint.path.name
        ended = evaluate(checkpoint.path, run)
        if ended == _INTERRUPTED:
            return _INTERRUPTED
        code = max(code, min(ended, 1))
        if ended in _USABLE:
            evaluated.append((checkpoint, run))
            write_sweep(evaluated, out)
        else:
            console.print(
                f"Step {checkpoint.step} could not be evaluated (exit code {ended}).", style="bold red"
            )
    if evaluated:
        board, _ = series_of(evaluated)
        print_table(board, console)
        console.print(f"Wrote {out / 'sweep.html'}", markup=False, soft_wrap=True)
    return code


def in_a_process(arguments: Sequence[str]) -> Evaluate:
    """Evaluate with ``k2eval run`` in a process of its own, so that each engine leaves nothing behind.

    Args:
        arguments: The arguments of ``k2eval run``, without ``--model`` and ``--out``.
    """

    def evaluate(checkpoint: Path, run: Path) -> int:
        command = [sys.executable, "-m", "k2eval", "run", "--model", str(checkpoint), "--out", str(run)]
        # Ctrl-C also reaches the run, which ends in order. It must not be killed meanwhile.
        before = signal.signal(signal.SIGINT, lambda number, frame: None)
        try:
            return subprocess.run([*command, *arguments], check=False).returncode
        finally:
            signal.signal(signal.SIGINT, before)

    return evaluate


def series_of(evaluated: Sequence[tuple[Checkpoint, Path]]) -> tuple[Leaderboard, pd.DataFrame]:
    """Return the leaderboard of a series, and its table in order of steps with a column ``step`` in front."""
    board = build([run for _, run in evaluated])
    # The name of a run is in its run.json and may differ from its folder's name.
    names = [run.info.name for run in load_runs([run for _, run in evaluated])]
    steps = {name: checkpoint.step for name, (checkpoint, _) in zip(names, evaluated, strict=True)}
    frame = board.frame.assign(step=board.frame["run"].map(steps)).sort_values("step")
    return board, frame[["step", *board.frame.columns]].reset_index(drop=True)


def write_sweep(evaluated: Sequence[tuple[Checkpoint, Path]], out: Path) -> list[Path]:
    """Write ``sweep.csv``, ``sweep.md`` and ``sweep.html`` of the checkpoints evaluated so far.

    Raises:
        ConfigError: If the files cannot be written.
    """
    board, frame = series_of(evaluated)
    texts = {
        "sweep.csv": cells.to_csv(frame),
        "sweep.md": _markdown(board, frame),
        "sweep.html": _html(board, frame, out.name),
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


def _markdown(board: Leaderboard, frame: pd.DataFrame) -> str:
    notes = cells.Footnotes()
    titles = _titles(board)
    rows = []
    for _, record in frame.iterrows():
        scores = [cells.score(record, name) + notes.mark(record.get(f"{name}_notes")) for name in titles]
        costs = [cells.plain(record["truncated"]), cells.plain(record["tokens"], ",.0f")]
        rows.append([f"{record['step']}", *scores, *costs])
    header = ["Step", *titles.values(), "Truncated %", "Tokens"]
    parts = ["# Score against step", cells.markdown_table(header, rows)]
    parts.append("\n".join(f"- {line}" for line in (*board.notes, *notes.lines())))
    return "\n\n".join(part for part in parts if part) + "\n"


def _html(board: Leaderboard, frame: pd.DataFrame, name: str) -> str:
    figures = [Figure(title, _chart(frame, column, title)) for column, title in _titles(board).items()]
    return render(
        "sweep.html",
        styles=("report.css",),
        title=f"Sweep: {name}",
        figures=[figure for figure in figures if figure.chart],
        tables=board_tables(board),
    )


def _chart(frame: pd.DataFrame, name: str, title: str) -> Markup:
    known = frame[frame[name].notna()]
    points = [
        (float(row["step"]), float(row[name]), float(row[f"{name}_low"]), float(row[f"{name}_high"]))
        for _, row in known.iterrows()
    ]
    series = [Series("score", points, 0)]
    if f"{name}_truncated" in frame:
        cut = [(float(row["step"]), float(row[f"{name}_truncated"])) for _, row in known.iterrows()]
        series.append(
            Series("truncated", [(step, share, share, share) for step, share in cut], 1, dashed=True)
        )
    return curves(series, f"{title} against step", "step", linear=True)
