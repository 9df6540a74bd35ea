"""Charts as inline SVG, coloured by the page's style sheet so that they follow light and dark."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, floor, isfinite, log2, log10

from markupsafe import Markup, escape

_ROOM = 20
"""Height above a point that its label needs."""
COLOURS = 6
"""Number of classes ``c0`` … of the style sheet; further series start again at ``c0``."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A value with its interval, in percent."""

    label: str
    value: float
    low: float
    high: float
    colour: int


@dataclass(frozen=True, slots=True)
class Series:
    """A curve: points (x, y, low, high), y in percent."""

    label: str
    points: Sequence[tuple[float, float, float, float]]
    colour: int
    dashed: bool = False
    labels: Sequence[str] = ()
    """A word for each point."""


def for_screens(chart: Callable[[bool], Markup]) -> Markup:
    """Return a wide chart and a narrow one for phones, with words above its bars; the style sheet shows one of them."""
    both = Markup('<div class="wide">{}</div><div class="narrow">{}</div>')
    return both.format(chart(False), chart(True))


def forest(groups: Sequence[tuple[str, Sequence[Mark]]], label: str, narrow: bool = False) -> Markup:
    """Draw values with their intervals on one axis from 0 to 100 %, in titled groups."""
    width, row = (380, 18) if narrow else (820, 20)
    words_end = width - 8 if narrow else width - 120
    scale = _scale(0, 100, *((20, width - 20) if narrow else (210, width - 130)))
    lines, y = [], 10
    for title, marks in groups:
        y += row
        lines.append(_text(8, y, title, "head"))
        for mark in marks:
            y += row
            lines.append(_text(20, y, _short(mark.label, 30)))
            words = f"{mark.value:.1f} ({mark.low:.1f} – {mark.high:.1f})"
            lines.append(_text(words_end, y, words, "end" if narrow else ""))
            y += 14 if narrow else 0
            lines.append(
                _line(scale(mark.low), y - 4, scale(mark.high), y - 4, f"reach c{mark.colour % COLOURS}")
            )
            lines.append(_dot(scale(mark.value), y - 4, mark.colour))
        y += 6
    axis = [
        _line(scale(tick), 12, scale(tick), y + 4, "grid") + _text(scale(tick), y + 18, f"{tick}", "middle")
        for tick in range(0, 101, 20)
    ]
    return _svg(width, y + 24, label, [*axis, *lines])


def curves(series: Sequence[Series], label: str, x_title: str, *, linear: bool = False) -> Markup:
    """Draw curves over a logarithmic or linear x axis, y from 0 to 100 %, intervals as bands."""
    width, height = 400, 250
    drawable = [curve for curve in series if curve.points]
    xs = [x for curve in drawable for x, *_ in curve.points]
    if not xs:
        return Markup("")
    on_axis = float if linear else log2
    low, high = on_axis(min(xs)), on_axis(max(xs))
    scale = _scale(low, high if high > low else low + 1, 40, width - 12)
    y_of = _scale(0, 100, height - 34, 10)
    parts = [
        _line(40, y_of(tick), width - 12, y_of(tick), "grid") + _text(34, y_of(tick) + 4, f"{tick}", "end")
        for tick in range(0, 101, 25)
    ]
    ticks = _round_ticks(min(xs), max(xs)) if linear else _ticks(min(xs), max(xs))
    parts += [_text(scale(on_axis(tick)), height - 18, _si(tick), "middle") for tick in ticks]
    parts.append(_text((40 + width - 12) / 2, height - 3, x_title, "middle soft"))
    for curve in drawable:
        places = [(scale(on_axis(x)), *(y_of(value) for value in rest)) for x, *rest in curve.points]
        colour = f"c{curve.colour % COLOURS}"
        if not curve.dashed and len(places) > 1:
            around = [(x, high) for x, _, _, high in places] + [(x, low) for x, _, low, _ in reversed(places)]
            parts.append(Markup('<polygon class="band {}" points="{}"/>').format(colour, _points(around)))
        kind = f"curve {colour}{' dashed' if curve.dashed else ''}"
        line = Markup('<polyline class="{}" points="{}"/>').format(
            kind, _points([place[:2] for place in places])
        )
        parts.append(line)
        parts += [
            _text(min(max(x, 60), width - 30), y - 7 if y > _ROOM else y + 14, label, "middle")
            for (x, y, *_), label in zip(places, curve.labels, strict=False)
        ]
        if not curve.dashed:
            parts += [_dot(x, y, curve.colour, 2.5) for x, y, _, _ in places if len(places) <= 16]
    return _svg(width, height, label, parts)


def stacks(rows: Sequence[tuple[str, Sequence[tuple[str, int]]]], label: str, narrow: bool = False) -> Markup:
    """Draw shares of a whole as one bar per row; each part is (CSS class, count)."""
    left, width, row = (8, 380, 22) if narrow else (210, 820, 22)
    parts, y = [], 0
    for title, counts in rows:
        total = sum(count for _, count in counts) or 1
        parts.append(_text(8, y + 15, _short(title, 50 if narrow else 32)))
        y += 18 if narrow else 0
        x = float(left)
        for kind, count in counts:
            share = count / total * (width - left - 10)
            if count:
                tip = f"{kind.replace('_', ' ')}: {count} of {total} ({100 * count / total:.1f} %)"
                bar = '<rect class="fill {}" x="{:.1f}" y="{}" width="{:.2f}" height="{}"><title>{}</title></rect>'
                parts.append(Markup(bar).format(kind, x, y + 3, max(share, 0.7), row - 6, tip))
            x += share
        y += row
    return _svg(width, y + 4, label, parts)


def _svg(width: float, height: float, label: str, parts: Sequence[Markup]) -> Markup:
    head = Markup('<svg class="chart" role="img" aria-label="{}" viewBox="0 0 {} {}">')
    return head.format(label, width, round(height)) + Markup("").join(parts) + Markup("</svg>")


def _scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    return lambda value: start + (value - low) / (high - low) * (end - start)


def _text(x: float, y: float, words: str, kind: str = "") -> Markup:
    return Markup('<text x="{:.1f}" y="{:.1f}" class="{}">{}</text>').format(x, y, kind, words)


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    form = '<line x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}" class="{}"/>'
    return Markup(form).format(x1, y1, x2, y2, kind)


def _dot(x: float, y: float, colour: int, radius: float = 4) -> Markup:
    return Markup('<circle class="dot c{}" cx="{:.1f}" cy="{:.1f}" r="{}"/>').format(
        colour % COLOURS, x, y, radius
    )


def _points(places: Sequence[Sequence[float]]) -> Markup:
    return escape(" ".join(f"{x:.1f},{y:.1f}" for x, y in places if isfinite(x) and isfinite(y)))


def _ticks(low: float, high: float) -> list[float]:
    """Return powers of two within the range, at most seven."""
    powers = [2.0**power for power in range(int(log2(low)) - 1, int(log2(high)) + 2)]
    powers = [power for power in powers if low * 0.999 <= power <= high * 1.001] or [low]
    step = -(-len(powers) // 7)
    return powers[::step]


def _round_ticks(low: float, high: float) -> list[float]:
    """Return multiples of 1, 2 or 5 times a power of ten within the range, at most seven."""
    span = (high - low) or abs(low) or 1.0
    step = next(
        factor * 10.0**power
        for power in range(floor(log10(span)) - 1, floor(log10(span)) + 2)
        for factor in (1, 2, 5)
        if span / (factor * 10.0**power) <= 6
    )
    first = ceil(low / step)
    return [step * n for n in range(first, floor(high / step) + 1)] or [low]


def _si(value: float) -> str:
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if value >= size:
            return f"{value / size:.1f}".removesuffix(".0") + unit
    return f"{value:g}"


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
