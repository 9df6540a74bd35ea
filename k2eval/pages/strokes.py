"""The pieces of charts: lines, dots, words, scales and ticks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, floor, isfinite, log2, log10

from markupsafe import Markup, escape

COLOURS, DASHES = 8, 4
"""Number of classes ``c0`` … and ``d0`` … of the style sheet; beyond all colours come other dashes."""
MOST_TICKS = 7


def look_of(number: int) -> str:
    """Return the classes of a run or series in all charts: its colour and its dashes.

    >>> look_of(1), look_of(9)
    ('c1 d0', 'c1 d1')
    """
    return f"c{number % COLOURS} d{number // COLOURS % DASHES}"


def drawing(width: float, height: float, label: str, parts: Sequence[Markup]) -> Markup:
    """Return a chart of its parts."""
    head = Markup('<svg class="chart" role="img" aria-label="{}" viewBox="0 0 {} {}">')
    return head.format(label, width, round(height)) + Markup("").join(parts) + Markup("</svg>")


def series_of(label: str, look: str, parts: Sequence[Markup]) -> Markup:
    """Return the parts of one series, which the page brings forward together in all charts."""
    head = Markup('<g class="series {}" data-series="{}">').format(look, label)
    return head + Markup("").join(parts) + Markup("</g>")


def scale_of(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    """Return the function that maps values from ``low`` to ``high`` onto places from ``start`` to ``end``."""
    return lambda value: start + (value - low) / (high - low) * (end - start)


def words_at(x: float, y: float, words: str, kind: str = "") -> Markup:
    """Draw words."""
    return Markup('<text x="{:.1f}" y="{:.1f}" class="{}">{}</text>').format(x, y, kind, words)


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    """Draw a line."""
    form = '<line x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}" class="{}"/>'
    return Markup(form).format(x1, y1, x2, y2, kind)


def dot(x: float, y: float, tip: str, radius: float = 4) -> Markup:
    """Draw a point; the words of ``tip`` are shown while the pointer is near it."""
    form = '<circle class="dot" cx="{:.1f}" cy="{:.1f}" r="{}" data-tip="{}"/>'
    return Markup(form).format(x, y, radius, tip)


def places_of(places: Sequence[Sequence[float]]) -> Markup:
    """Return the places of a polygon or polyline."""
    return escape(" ".join(f"{x:.1f},{y:.1f}" for x, y in places if isfinite(x) and isfinite(y)))


def powers_of_two(low: float, high: float) -> list[float]:
    """Return powers of two within the range, at most `MOST_TICKS`."""
    powers = [2.0**power for power in range(int(log2(low)) - 1, int(log2(high)) + 2)]
    powers = [power for power in powers if low * 0.999 <= power <= high * 1.001] or [low]
    step = -(-len(powers) // MOST_TICKS)
    return powers[::step]


def round_ticks(low: float, high: float, *, whole: bool = False) -> list[float]:
    """Return multiples of 1, 2 or 5 times a power of ten within the range, at most `MOST_TICKS`.

    Args:
        low: Lower end of the range.
        high: Upper end.
        whole: Whether only whole numbers have a meaning, such as steps.

    >>> round_ticks(1, 3, whole=True)
    [1.0, 2.0, 3.0]
    """
    span = (high - low) or abs(low) or 1.0
    step = next(
        factor * 10.0**power
        for power in range(floor(log10(span)) - 1, floor(log10(span)) + 2)
        for factor in (1, 2, 5)
        if span / (factor * 10.0**power) <= MOST_TICKS - 1
    )
    step = max(step, 1.0) if whole else step
    first = ceil(low / step)
    return [step * n for n in range(first, floor(high / step) + 1)] or [low]


def si(value: float) -> str:
    """Return a number in few characters.

    >>> si(1500), si(2_000_000), si(0.5)
    ('1.5k', '2M', '0.5')
    """
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if value >= size:
            return f"{value / size:.1f}".removesuffix(".0") + unit
    return f"{value:g}"


def short(text: str, length: int) -> str:
    """Return at most so many characters of a text."""
    return text if len(text) <= length else text[: length - 1] + "…"
