"""Charts of values and shares as inline SVG, coloured by the page's style sheet so that they follow light and dark."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from k2eval.pages.strokes import dot, drawing, line, look_of, scale_of, series_of, short, words_at


@dataclass(frozen=True, slots=True)
class Mark:
    """A value with its interval, in percent."""

    label: str
    value: float
    low: float
    high: float
    colour: int


@dataclass(frozen=True, slots=True)
class Stack:
    """One bar of shares."""

    title: str
    counts: Sequence[tuple[str, int]]
    """(CSS class, count) of each part."""
    words: str = ""
    """Words behind the bar."""


def for_screens(chart: Callable[[bool], Markup]) -> Markup:
    """Return a wide chart and a narrow one for phones, with words above its bars; the style sheet shows one of them."""
    both = Markup('<div class="wide">{}</div><div class="narrow">{}</div>')
    return both.format(chart(False), chart(True))


def forest(groups: Sequence[tuple[str, Sequence[Mark]]], label: str, narrow: bool = False) -> Markup:
    """Draw values with their intervals on one axis from 0 to 100 %, in titled groups."""
    width, row = (380, 18) if narrow else (820, 20)
    words_end = width - 8 if narrow else width - 120
    scale = scale_of(0, 100, *((20, width - 20) if narrow else (210, width - 130)))
    lines, y = [], 10
    for title, marks in groups:
        y += row
        lines.append(words_at(8, y, title, "head"))
        for mark in marks:
            y += row
            words = f"{mark.value:.1f} ({mark.low:.1f} – {mark.high:.1f})"
            parts = [
                words_at(20, y, short(mark.label, 30)),
                words_at(words_end, y, words, "end" if narrow else ""),
            ]
            y += 14 if narrow else 0
            parts.append(line(scale(mark.low), y - 4, scale(mark.high), y - 4, "reach"))
            parts.append(dot(scale(mark.value), y - 4, f"{mark.label}: {words}"))
            lines.append(series_of(mark.label, look_of(mark.colour), parts))
        y += 6
    axis = [
        line(scale(tick), 12, scale(tick), y + 4, "grid") + words_at(scale(tick), y + 18, f"{tick}", "middle")
        for tick in range(0, 101, 20)
    ]
    return drawing(width, y + 24, label, [*axis, *lines])


def stacks(rows: Sequence[Stack], label: str, narrow: bool = False) -> Markup:
    """Draw shares of a whole as one bar per row, with words behind it."""
    left, width, row = (8, 380, 22) if narrow else (210, 820, 22)
    right = 10 if narrow else 10 + 150 * any(stack.words for stack in rows)
    parts, y = [], 0
    for stack in rows:
        total = sum(count for _, count in stack.counts) or 1
        title = f"{stack.title}: {stack.words}" if narrow and stack.words else stack.title
        parts.append(words_at(8, y + 15, short(title, 54 if narrow else 32)))
        if stack.words and not narrow:
            parts.append(words_at(width - right + 8, y + 15, stack.words))
        y += 18 if narrow else 0
        x = float(left)
        for kind, count in stack.counts:
            share = count / total * (width - left - right)
            if count:
                tip = f"{stack.title}, {kind.replace('_', ' ')}: {count:,} of {total:,} ({100 * count / total:.1f} %)"
                bar = (
                    '<rect class="fill {}" x="{:.1f}" y="{}" width="{:.2f}" height="{}" data-tip="{}"></rect>'
                )
                parts.append(Markup(bar).format(kind, x, y + 3, max(share, 0.7), row - 6, tip))
            x += share
        y += row
    return drawing(width, y + 4, label, parts)
