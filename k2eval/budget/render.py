"""Answers at a budget as a table, CSV, Markdown and SVG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from markupsafe import Markup

from k2eval.budget.points import BudgetPoint, effort_of, notes_on
from k2eval.leaderboard import cells, markdown_table
from k2eval.pages import Series, curves, sheet
from k2eval.statistics import Ratio
from k2eval.system import write_texts

EXPLANATION = (
    "Score: avg@k in percent with its 95 % interval on questions like these; an answer that did not end by the budget "
    "scores 0. Tokens: the mean of all that the recipe wrote for a sample, which stops at the budget. Frontier: “on” "
    "if no point that costs no more scores more; ≈ if none of these is shown to be better."
)
EXPLANATION_FORCED = (
    " Forced: the reasoning of answers that did not end was cut at the budget, and an answer was asked for; its tokens "
    "count."
)


def explanation(points: Sequence[BudgetPoint]) -> str:
    """Return the sentences that a reader of the table needs."""
    return EXPLANATION + (EXPLANATION_FORCED if any(point.forced for point in points) else "")


def budget_table(points: Sequence[BudgetPoint]) -> tuple[list[str], list[list[str]]]:
    """Return a header and a row per point."""
    with_effort = any(effort_of(point) for point in points)
    header = ["Benchmark", "Run", "Recipe", *(["Thinking"] if with_effort else []), "Budget", "Score"]
    header += ["Ended %", "Tokens", "Right per 1 M tokens", "Right per GPU hour", "Frontier"]
    rows = [
        [
            point.task.info.title or point.name,
            point.run.info.name,
            point.run.info.recipe,
            *([effort_of(point) or cells.ABSENT] if with_effort else []),
            f"{point.budget:,}{' forced' if point.forced else ''}",
            _percent(point),
            cells.plain(100 * point.ended),
            cells.plain(point.tokens, ",.0f"),
            _ratio(point.per_million),
            _ratio(point.per_hour),
            {"on": "on", "near": "≈", "": ""}[point.frontier],
        ]
        for point in by_benchmark(points)
    ]
    return header, rows


def by_benchmark(points: Sequence[BudgetPoint]) -> list[BudgetPoint]:
    """Return the points benchmark by benchmark, in an order that is stable otherwise."""
    names = list(dict.fromkeys(point.name for point in points))
    return sorted(points, key=lambda point: names.index(point.name))


def to_frame(points: Sequence[BudgetPoint]) -> pd.DataFrame:
    """Return a row per point; percentages in percent."""
    return pd.DataFrame(
        {
            "benchmark": point.name,
            "run": point.run.info.name,
            "model": point.run.info.model.name,
            "recipe": point.run.info.recipe,
            "thinking": effort_of(point),
            "budget": point.budget,
            "forced": point.forced,
            "score": 100 * point.score.value,
            "score_low": 100 * point.score.low,
            "score_high": 100 * point.score.high,
            "questions": point.score.questions,
            "samples": point.score.samples,
            "ended": 100 * point.ended,
            "tokens": point.tokens,
            **_columns("per_million_tokens", point.per_million),
            **_columns("per_gpu_hour", point.per_hour),
            "frontier": point.frontier,
        }
        for point in by_benchmark(points)
    )


def to_markdown(points: Sequence[BudgetPoint]) -> str:
    """Return a Markdown page."""
    notes = "\n".join(f"- {note}" for note in notes_on(points))
    parts = ["# Answers at a budget", explanation(points), markdown_table(*budget_table(points)), notes]
    return "\n\n".join(part for part in parts if part) + "\n"


def to_svg(points: Sequence[BudgetPoint]) -> str:
    """Draw two charts for each benchmark: score against the budget, and against the tokens spent with the frontier."""
    figures: list[tuple[str, Markup]] = []
    labels = list(dict.fromkeys(_label(point) for point in points))
    for name in dict.fromkeys(point.name for point in points):
        own = [point for point in points if point.name == name]
        title = own[0].task.info.title or name
        by_budget = [
            Series(label, _line(own, label, spent=False), colour) for colour, label in enumerate(labels)
        ]
        by_tokens = [
            Series(label, _line(own, label, spent=True), colour) for colour, label in enumerate(labels)
        ]
        on = sorted((point.tokens, 100 * point.score.value) for point in own if point.frontier == "on")
        edge = [(tokens, score, score, score) for tokens, score in on]
        by_tokens.append(Series("frontier", edge, len(labels), dashed=True))
        figures.append((f"{title}: score by budget", curves(by_budget, title, "tokens allowed")))
        figures.append((f"{title}: score by tokens", curves(by_tokens, title, "tokens spent")))
    return sheet(figures, [*labels, "frontier (dashed)"])


def write_budget(points: Sequence[BudgetPoint], out: Path) -> list[Path]:
    """Write ``OUT.csv``, ``OUT.md`` and ``OUT.svg``; return their paths.

    Raises:
        ConfigError: If the files cannot be written.
    """
    texts = {
        ".csv": to_frame(points).round(6).to_csv(index=False, lineterminator="\n"),
        ".md": to_markdown(points),
        ".svg": to_svg(points),
    }
    return write_texts(out, texts)


def _label(point: BudgetPoint) -> str:
    return point.run.info.name + (", forced" if point.forced else "")


def _line(
    points: Sequence[BudgetPoint], label: str, *, spent: bool
) -> list[tuple[float, float, float, float]]:
    places = [
        (
            point.tokens if spent else float(point.budget),
            100 * point.score.value,
            100 * point.score.low,
            100 * point.score.high,
        )
        for point in points
        if _label(point) == label and point.score.questions
    ]
    return sorted(place for place in places if place[0] > 0)


def _percent(point: BudgetPoint) -> str:
    score = point.score
    record = {"s": 100 * score.value, "s_low": 100 * score.low, "s_high": 100 * score.high}
    return cells.score(pd.Series(record), "s")


def _ratio(found: Ratio) -> str:
    if not np.isfinite(found.value):
        return cells.ABSENT
    if not np.isfinite(found.low):
        return f"{found.value:,.0f}"
    if found.low == 0:  # the interval was cut there
        return f"{found.value:,.0f} (0 – {found.high:,.0f})"
    return f"{found.value:,.0f} ± {found.high - found.value:,.0f}"


def _columns(name: str, found: Ratio) -> dict[str, float]:
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}
