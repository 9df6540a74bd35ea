"""A series of checkpoints or of settings, one run directory each: found, evaluated, drawn."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from k2eval.errors import ConfigError, did_you_mean
from k2eval.leaderboard import print_table
from k2eval.report.series import STEPS, Axis, Point, series_of, write_series
from k2eval.report.steps import step_of
from k2eval.system import ENDED

_USABLE = (0, 1)
"""Exit codes of ``k2eval run`` after which the run directory holds scores."""
_MOST_DIGITS = 15

Evaluate = Callable[[Path | str, Path], int]
"""(checkpoint or value of a switch, run directory) -> exit code, as `k2eval run` has them."""


SWITCH_AXES = {
    "thinking": Axis("thinking", "Thinking", against_tokens=True),
    "reasoning_effort": Axis("reasoning_effort", "Reasoning effort", against_tokens=True),
    "thinking_budget": Axis("thinking_budget", "Thinking budget", against_tokens=True),
}


def find_checkpoints(patterns: Sequence[str]) -> list[Point]:
    """Return the folders that match, ordered by their steps; see `step_of`.

    Args:
        patterns: Folders or glob patterns, such as ``out/step-*``.

    Raises:
        ConfigError: If nothing matches, a pattern is none, a folder has no step, or two have the same.
    """
    paths = {match.resolve(): match for pattern in patterns for match in _matches(Path(pattern))}
    folders = [path for path in paths.values() if path.is_dir()]
    if not folders:
        raise ConfigError(f"Expected folders with checkpoints, got none for {' '.join(patterns)}.")
    by_step: dict[int, Path] = {}
    for folder in folders:
        step = step_of(folder)
        if step is None:
            raise ConfigError(
                f"Expected checkpoints with their step in the name, such as step-100, got {folder}."
            )
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
            value,
            f"{name}-{re.sub(r'[^A-Za-z0-9.-]', '_', value)}",
            int(value) if _is_number(value) else value,
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
    return switch == "reasoning_effort" or _is_number(value)


def _is_number(value: str) -> bool:
    return value.isdecimal() and len(value) <= _MOST_DIGITS


def _matches(pattern: Path) -> list[Path]:
    if pattern.is_dir():
        return [pattern]
    try:
        return list(Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor))))
    except ValueError as error:
        raise ConfigError(
            f"--checkpoints: expected a folder or a pattern such as 'out/step-*', got {str(pattern)!r} ({error})."
        ) from error


def sweep_checkpoints(patterns: Sequence[str], out: Path, evaluate: Evaluate, console: Console) -> int:
    """Evaluate each checkpoint and draw the series; see `sweep`.

    Args:
        patterns: As for `find_checkpoints`.
        out: Folder of the run directories and tables.
        evaluate: How one checkpoint is evaluated, as `k2eval run` does.
        console: Where progress is printed.
    """
    return sweep(STEPS, find_checkpoints(patterns), out, evaluate, console)


def sweep_switch(over: str, out: Path, evaluate: Evaluate, console: Console) -> int:
    """Evaluate each value of a switch of thinking and draw the series; see `sweep`.

    Args:
        over: As for `find_values`.
        out: Folder of the run directories and tables.
        evaluate: How one value is evaluated, as `k2eval run` does.
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
        0, or 1 if a point could not be evaluated fully, or that of a signal which ended a run, such as 130.
    """
    evaluated: list[tuple[Point, Path]] = []
    code = 0
    for number, point in enumerate(points, start=1):
        label = f"{axis.title} {point.place}"
        which = f": {point.value}" if isinstance(point.value, Path) else ""
        console.print(f"{label} ({number} of {len(points)}){which}", markup=False)
        run = out / point.name
        ended = evaluate(point.value, run)
        if ended in ENDED:
            return ended
        code = max(code, min(ended, 1))
        if ended in _USABLE:
            evaluated.append((point, run))
            write_series(axis, evaluated, out, "sweep")
        else:
            console.print(f"{label} could not be evaluated (exit code {ended}).", style="bold red")
    if evaluated:
        print_table(series_of(axis, evaluated).board, console)
        console.print(f"Wrote {out / 'sweep.html'}", markup=False, soft_wrap=True)
    return code
