"""A comparison for people: terminal and Markdown."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from k2eval.compare.line import Flip, Line
from k2eval.compare.pairs import Comparison, Pair
from k2eval.leaderboard import ABSENT, RunScores, TaskScores, markdown_table, plain
from k2eval.records import Outcome
from k2eval.statistics import Difference, Estimate

_FLIPS_SHOWN = 12
EXPLANATION = (
    "Scores are avg@k in percent; the difference is the second run minus the first, paired by question, with its "
    "95 % interval on questions like these. p-values of benchmarks come from sign flips over questions, corrected for "
    "their number (Holm); “would show” is the true difference that such a comparison shows in 80 % of cases."
)


def to_markdown(comparison: Comparison) -> str:
    """Render the comparison as a Markdown page."""
    parts = ["# Comparison", EXPLANATION]
    for pair in comparison.pairs:
        parts.append(f"## {name_of(pair.second)} against {name_of(pair.first)}")
        if pair.quantisation:
            parts += [
                pair.quantisation.sentence,
                markdown_table(pair.quantisation.header, pair.quantisation.rows),
            ]
        parts.append(markdown_table(*score_table(pair)))
        parts.append("\n".join(f"- {line}" for line in remarks(pair)))
        parts.append(markdown_table(*_costs(pair)))
        for line in pair.lines:
            if line.flips:
                parts.append(
                    f"### {line.title}: flipped questions\n\n" + markdown_table(*_flipped(pair, line))
                )
    parts.append("\n".join(f"- {note}" for note in comparison.notes))
    return "\n\n".join(part for part in parts if part) + "\n"


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Print the comparison on a terminal."""
    for number, pair in enumerate(comparison.pairs):
        _say("", console) if number else None
        _say(f"{name_of(pair.second)} against {name_of(pair.first)}", console, "bold")
        if pair.quantisation:
            _say(pair.quantisation.sentence, console)
            _show(pair.quantisation.header, pair.quantisation.rows, console)
        _show(*score_table(pair), console)
        for remark in remarks(pair):
            _say(f"- {remark}", console)
        _show(*_costs(pair), console)
        for line in pair.lines:
            if line.flips:
                _say(f"{line.title}, flipped: {_flip_words(line.flips)}", console)
    for note in comparison.notes:
        _say(note, console)


def score_table(pair: Pair) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of the table of scores, a row per benchmark and average."""
    header = [
        "Benchmark",
        pair.first.info.name,
        pair.second.info.name,
        "Difference",
        "p",
        "Verdict",
        "Flipped",
    ]
    rows = [
        [
            line.title,
            _figure(line.first, line),
            _figure(line.second, line),
            _difference(line.difference, line),
            ABSENT if np.isnan(line.p) else "< 0.001" if line.p < 0.001 else f"{line.p:.3f}",
            line.verdict,
            "" if line.flips is None else _count_flips(line.flips),
        ]
        for line in pair.lines
    ]
    return header, rows


def remarks(pair: Pair) -> list[str]:
    """Return the remarks that a reader of the scores must know, each with the benchmarks that it is about."""
    titles: dict[str, list[str]] = {}
    for line in pair.lines:
        for note in line.notes:
            titles.setdefault(note, []).append(line.title)
    words = [f"{'; '.join(lines)}: {note}" for note, lines in titles.items()]
    for run, names in ((pair.first, pair.only_first), (pair.second, pair.only_second)):
        if names:
            words.append(f"only {run.info.name} has {', '.join(names)}")
    words += [
        f"{run.info.name} was stopped early: {run.info.stopped_early}"
        if run.info.stopped_early
        else f"{run.info.name} is not finished"
        for run in (pair.first, pair.second)
        if not run.info.complete
    ]
    return words


def _costs(pair: Pair) -> tuple[list[str], list[list[str]]]:
    """Return tokens and speed side by side, over the benchmarks that both runs have."""
    lines = [line for line in pair.lines if line.name in pair.first.benchmarks]
    sides = [_cost(run, lines) for run in (pair.first, pair.second)]
    rows = []
    for title in sides[0]:
        before, after = (side[title] for side in sides)
        form = ".1f" if title.endswith("%") else ".2f" if title.startswith("Acceptance") else ",.0f"
        rows.append([title, plain(before, form), plain(after, form), _change(title, before, after)])
    return ["Over shared benchmarks", pair.first.info.name, pair.second.info.name, "Change"], rows


def _change(title: str, before: float, after: float) -> str:
    """Format a change: of a share in points, of an amount in percent."""
    if not np.isfinite(before * after):
        return ABSENT
    if title.endswith("%"):
        return _signed(after - before, "points")
    return _signed(100 * (after / before - 1), "%") if before else ABSENT


def _signed(value: float, unit: str) -> str:
    return f"{value:+.1f} {unit}".replace("-", "−").replace("−0.0 ", "+0.0 ")


def _cost(run: RunScores, lines: Sequence[Line]) -> dict[str, float]:
    tasks = [run.tasks[line.name] for line in lines]
    graded = sum(task.graded for task in tasks) or np.nan
    by_task = {f"… {line.title}": _tokens([run.tasks[line.name]], "output_tokens") for line in lines}
    return {
        "Tokens per question": _tokens(tasks, "output_tokens"),
        **(by_task if len(lines) > 1 else {}),
        "Tokens per question, whole recipe": _tokens(tasks, "recipe_tokens"),
        "Truncated %": 100 * sum(task.count(Outcome.TRUNCATED) for task in tasks) / graded,
        "No answer %": 100 * sum(task.count(Outcome.NO_ANSWER) for task in tasks) / graded,
        "Tokens/s (whole run)": run.info.tokens_per_s or np.nan,
        "Acceptance length (whole run)": run.info.acceptance_length() or np.nan,
    }


def _tokens(tasks: Sequence[TaskScores], field: str) -> float:
    """Return the mean over graded samples; NaN if there are none."""
    values = np.concatenate([getattr(task, field)[np.isfinite(task.scores)] for task in tasks])
    return float(values.mean()) if len(values) else np.nan


def _flipped(pair: Pair, line: Line) -> tuple[list[str], list[list[str]]]:
    rows = [
        [flip.question, f"{100 * flip.first:.0f} %", f"{100 * flip.second:.0f} %"]
        for flip in line.flips or ()
    ]
    return ["Question", pair.first.info.name, pair.second.info.name], rows


def _flip_words(flips: Sequence[Flip]) -> str:
    words = [f"{flip.question} ({100 * flip.first:.0f} → {100 * flip.second:.0f} %)" for flip in flips]
    more = [f"… and {len(words) - _FLIPS_SHOWN} more"] if len(words) > _FLIPS_SHOWN else []
    return ", ".join([*words[:_FLIPS_SHOWN], *more])


def _count_flips(flips: Sequence[Flip]) -> str:
    gained = sum(flip.second > flip.first for flip in flips)
    return f"+{gained} −{len(flips) - gained}"


def _figure(estimate: Estimate, line: Line) -> str:
    return ABSENT if estimate.questions == 0 else f"{line.scale * estimate.value:.{_digits(line)}f}"


def _digits(line: Line) -> int:
    return 1 if line.error_unit is None else 3


def _difference(difference: Difference, line: Line) -> str:
    if difference.questions == 0:
        return ABSENT
    digits = _digits(line)
    value, low, high = (line.scale * end for end in (difference.value, difference.low, difference.high))
    if not np.isfinite(high - low):
        return f"{value:+.{digits}f}".replace("-", "−")
    if abs((value - low) - (high - value)) < 0.5 * 10**-digits:
        return f"{value:+.{digits}f} ± {value - low:.{digits}f}".replace("-", "−")
    return f"{value:+.{digits}f} ({low:+.{digits}f} … {high:+.{digits}f})".replace("-", "−")


def name_of(run: RunScores) -> str:
    """Return a run's name with its checkpoint and recipe."""
    return f"{run.info.name} ({run.info.model.name}, recipe {run.info.recipe})"


def _show(header: Sequence[str], rows: Sequence[Sequence[str]], console: Console) -> None:
    table = Table(box=box.SIMPLE_HEAD)
    for index, name in enumerate(header):
        left = index == 0 or name == "Verdict"
        table.add_column(Text(name), justify="left" if left else "right", overflow="fold", no_wrap=not left)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)


def _say(line: str, console: Console, style: str | None = None) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True, style=style)
