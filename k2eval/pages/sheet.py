"""Charts as an SVG file that needs no page around it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from markupsafe import Markup

from k2eval.pages.page import style_of
from k2eval.pages.strokes import look_of

_SIZE = re.compile(r'viewBox="0 0 (\d+) (\d+)"')
_WIDTH, _HEIGHT, _GAP = 400, 250, 20
_ROW = 18


def sheet(figures: Sequence[tuple[str, Markup]], labels: Sequence[str]) -> str:
    """Return charts of `k2eval.pages.svg`, two in a row, with a line for each label below them.

    Args:
        figures: Titles and charts; empty charts are left out.
        labels: Names of the series, in the order of their colours.
    """
    shown = [(title, chart) for title, chart in figures if chart]
    parts: list[Markup] = []
    y = _GAP
    for number, (title, chart) in enumerate(shown):
        x = _GAP + number % 2 * (_WIDTH + _GAP)
        parts.append(
            Markup('<text x="{}" y="{}" class="head">{}</text>').format(x, y + 12, title)
            + _placed(chart, x, y + _ROW)
        )
        if number % 2 or number == len(shown) - 1:
            y += _ROW + _HEIGHT + _GAP
    for number, label in enumerate(labels):
        key = '<rect x="{}" y="{}" width="12" height="12" class="key {}"/><text x="{}" y="{}">{}</text>'
        parts.append(Markup(key).format(_GAP, y, look_of(number), _GAP + 18, y + 11, label))
        y += _ROW
    return _file(2 * _WIDTH + 3 * _GAP, y + _GAP, parts)


def alone(chart: Markup) -> str:
    """Return one chart of `k2eval.pages.svg` as the text of an SVG file."""
    width, height = _size(chart)
    return _file(width + 2 * _GAP, height + 2 * _GAP, [_placed(chart, _GAP, _GAP)])


def _file(width: int, height: int, parts: Sequence[Markup]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}">\n<style>\n{style_of("charts.css")}\n.key {{ fill: currentColor; }} '
        ".back { fill: var(--back); } text { font-family: system-ui, sans-serif; }\n</style>\n"
    )
    back = f'<rect class="back" width="{width}" height="{height}"/>\n'
    return head + back + "\n".join(map(str, parts)) + "\n</svg>\n"


def _placed(chart: Markup, x: int, y: int) -> Markup:
    """Return a chart at a place of the sheet, in its own size."""
    width, height = _size(chart)
    return Markup(str(chart).replace("<svg ", f'<svg x="{x}" y="{y}" width="{width}" height="{height}" ', 1))


def _size(chart: Markup) -> tuple[int, int]:
    size = _SIZE.search(chart)
    return (int(size[1]), int(size[2])) if size else (_WIDTH, _HEIGHT)
