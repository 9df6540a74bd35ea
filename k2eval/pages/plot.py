"""Charts of curves and points over an axis, any number of them told apart by colour, dashes and names at their ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil, floor, isfinite, log2

from markupsafe import Markup

from k2eval.pages.strokes import (
    dot,
    drawing,
    line,
    look_of,
    places_of,
    powers_of_two,
    round_ticks,
    scale_of,
    series_of,
    short,
    si,
    words_at,
)

WIDTH, HEIGHT = 400, 250
_LEFT, _TOP, _BOTTOM = 40, 10, 34
_NAMES = 92
"""Width of the column of names at the right."""
_NAME_ROW = 12
_ROOM = 20
"""Height above a point that its label needs."""
_FEW = 8
"""Most places on the x axis that are shown as points with their own ticks and intervals, not as a band."""
_DODGE = 5
"""Distance of the intervals of neighbouring series at one place."""
_DOTTED = 16
"""Most points of a curve that get dots."""


@dataclass(frozen=True, slots=True)
class Series:
    """A curve: points (x, y, low, high), y in percent."""

    label: str
    points: Sequence[tuple[float, float, float, float]]
    colour: int
    """Number that decides colour and dashes; see `strokes.look_of`."""
    dashed: bool = False
    """Whether it is no result of its own, such as a frontier: no dots and no band."""
    labels: Sequence[str] = ()
    """A word for each point."""


def curves(
    series: Sequence[Series],
    label: str,
    x_title: str,
    *,
    linear: bool = False,
    marks: Sequence[tuple[float, str]] = (),
    named: bool = False,
) -> Markup:
    """Draw curves over a logarithmic or linear x axis, y in percent, intervals as bands.

    With at most eight whole places on the x axis, each has a tick, the axis is linear, and intervals are bars side by
    side.

    Args:
        series: The curves.
        label: Name of the chart, for those who cannot see it.
        x_title: Title of the x axis.
        linear: Whether the x axis is linear.
        marks: Places on the x axis that get a vertical line and a word at its foot.
        named: Whether each curve has its name at its end.
    """
    drawable = [curve for curve in series if curve.points]
    xs = sorted({x for curve in drawable for x, *_ in curve.points})
    if not xs:
        return Markup("")
    whole = all(float(x).is_integer() for x in xs)
    few = whole and len(xs) <= _FEW and xs[-1] - xs[0] < _FEW
    height = max(HEIGHT, _NAME_ROW * len(drawable) + _BOTTOM + _TOP if named else 0)
    right = WIDTH - (_NAMES if named else 12)
    on_axis: Callable[[float], float] = float if linear or few else log2
    low, high = on_axis(xs[0]), on_axis(xs[-1])
    inset = 0.25 if few and high > low else 0.0
    inset = inset if high > low else 1.0
    x_scale = scale_of(low - inset, high + inset, _LEFT, right)
    heights = _heights([value for curve in drawable for _, *values in curve.points for value in values])
    y_of = scale_of(heights[0], heights[-1], height - _BOTTOM, _TOP)

    def x_of(value: float) -> float:
        return x_scale(on_axis(value))

    parts = [
        line(_LEFT, y_of(tick), right, y_of(tick), "grid") + words_at(34, y_of(tick) + 4, f"{tick}", "end")
        for tick in heights
    ]
    linear_ticks = round_ticks(xs[0], xs[-1], whole=whole)
    ticks = xs if few else linear_ticks if linear else powers_of_two(xs[0], xs[-1])
    parts += [words_at(x_of(tick), height - 18, si(tick), "middle") for tick in ticks]
    parts.append(words_at((_LEFT + right) / 2, height - 3, x_title, "middle soft"))
    for x, words in marks:
        parts.append(line(x_of(x), y_of(heights[0]), x_of(x), y_of(heights[-1]), "change"))
        parts.append(words_at(min(x_of(x) + 4, right - 22), y_of(heights[0]) - 5, words, "soft"))
    solid = [curve for curve in drawable if not curve.dashed]
    ends = iter(_spread([y_of(curve.points[-1][1]) for curve in solid], height))
    room = 0.8 * (x_of(xs[1]) - x_of(xs[0])) if few and len(xs) > 1 else _DODGE * _FEW
    aside = _asides(len(solid), room) if few else iter([0.0] * len(solid))
    for curve in drawable:
        shift = 0.0 if curve.dashed else next(aside)
        places = [(x_of(x) + shift, *(y_of(value) for value in rest)) for x, *rest in curve.points]
        drawn = _curve(curve, places, few, (x_title, right))
        if not curve.dashed:
            end = next(ends)
            drawn += _name(curve.label, places[-1][:2], right, end) if named else []
        look = "edge" if curve.dashed and named else look_of(curve.colour)
        parts.append(series_of(curve.label, look, drawn))
    return drawing(WIDTH, height, label, parts)


def _curve(
    curve: Series, places: Sequence[tuple[float, ...]], few: bool, frame: tuple[str, float]
) -> list[Markup]:
    """Return band or bars, line, words and dots of one curve."""
    x_title, right = frame
    parts = []
    barred = not curve.dashed and (few or len(places) == 1)
    if barred:
        parts += [line(x, bottom, x, top, "reach thin") for x, _, bottom, top in places]
    elif not curve.dashed:
        around = [(x, top) for x, _, _, top in places] + [(x, low) for x, _, low, _ in reversed(places)]
        parts.append(Markup('<polygon class="band" points="{}"/>').format(places_of(around)))
    if len(places) > 1:
        kind = "curve dashed" if curve.dashed else "curve"
        drawn = places_of([place[:2] for place in places])
        parts.append(Markup('<polyline class="{}" points="{}"/>').format(kind, drawn))
    parts += [
        words_at(min(max(x, 60), right - 18), y - 7 if y > _ROOM else y + 14, label, "middle")
        for (x, y, *_), label in zip(places, curve.labels, strict=False)
    ]
    tips = [
        f"{curve.label}, {x_title} {si(x)}: {y:.1f}" + (f" ({low:.1f} – {high:.1f})" if low < high else "")
        for x, y, low, high in curve.points
    ]
    radius = 2.5 if len(places) <= _DOTTED else 1
    if not curve.dashed or not few:
        parts += [
            dot(x, y, tip, 0 if curve.dashed else radius)
            for (x, y, *_), tip in zip(places, tips, strict=True)
        ]
    return parts


def _heights(values: Sequence[float]) -> list[int]:
    """Return the ticks of an axis in percent, the first below and the last above all values.

    >>> _heights([3.0, 31.0]), _heights([55.0, 60.5]), _heights([0.0, 100.0])
    ([0, 10, 20, 30, 40], [55, 60, 65], [0, 20, 40, 60, 80, 100])
    """
    known = [value for value in values if isfinite(value)] or [0.0, 100.0]
    span = max(known) - min(known)
    step = next(step for step, most in ((5, 20), (10, 50), (20, 101)) if span <= most)
    low, high = step * floor(min(known) / step), step * ceil(max(known) / step)
    return list(range(max(low, 0), min(max(high, low + step), 100) + 1, step)) or [0, 100]


def _asides(count: int, room: float) -> Iterator[float]:
    """Yield distances from a place at which intervals stand side by side within some room."""
    step = min(_DODGE, room / count) if count else 0.0
    return ((number - (count - 1) / 2) * step for number in range(count))


def _name(label: str, end: Sequence[float], right: float, y: float) -> list[Markup]:
    x, at = end
    lead = line(x, at, right + 4, y, "lead")
    return [lead, words_at(right + 6, y + 4, short(label, 14), "name")]


def _spread(ends: Sequence[float], height: float) -> list[float]:
    """Return heights for names that do not overlap, each near the end of its curve.

    >>> _spread([100, 101, 50], 250)
    [100, 112, 50]
    """
    order = sorted(range(len(ends)), key=lambda number: (ends[number], number))
    placed = list(ends)
    for before, after in zip(order, order[1:], strict=False):
        placed[after] = max(placed[after], placed[before] + _NAME_ROW)
    lowest = height - _BOTTOM
    for number in reversed(order):
        placed[number] = min(placed[number], lowest)
        lowest = placed[number] - _NAME_ROW
    return placed
