from __future__ import annotations

import xml.etree.ElementTree as ET

from markupsafe import Markup

from k2eval.pages import svg


def parsed(chart: Markup) -> ET.Element:
    return ET.fromstring(str(chart))


def test_labels_are_escaped() -> None:
    chart = svg.forest([("a < b", [svg.Mark("<i>&", 50, 40, 60, 0)])], "x")
    assert [text.text for text in parsed(chart).iter("text")][-3:] == ["a < b", "<i>&", "50.0 (40.0 – 60.0)"]


def test_an_interval_is_drawn_to_scale() -> None:
    chart = parsed(svg.forest([("t", [svg.Mark("a", 50, 0, 100, 0)])], "x"))
    reach = next(line for line in chart.iter("line") if "reach" in line.attrib["class"])
    dot = next(chart.iter("circle"))
    middle = (float(reach.attrib["x1"]) + float(reach.attrib["x2"])) / 2
    assert float(dot.attrib["cx"]) == middle


def test_bars_share_the_width_by_count() -> None:
    chart = parsed(svg.stacks([("t", [("correct", 3), ("wrong", 1), ("truncated", 0)])], "x"))
    widths = [float(rect.attrib["width"]) for rect in chart.iter("rect")]
    assert widths == [450.0, 150.0]


def test_a_curve_of_one_point_is_still_drawn() -> None:
    chart = parsed(svg.curves([svg.Series("a", [(1, 50, 40, 60)], 0)], "x", "k"))
    assert len(list(chart.iter("circle"))) == 1


def test_no_points_make_no_chart() -> None:
    assert svg.curves([svg.Series("a", [], 0)], "x", "k") == ""


def test_the_axis_has_few_ticks_however_long_the_range() -> None:
    chart = parsed(svg.curves([svg.Series("a", [(1, 50, 40, 60), (64_000, 50, 40, 60)], 0)], "x", "tokens"))
    words = [text.text for text in chart.iter("text")]
    assert len(words) <= 5 + 7 + 1
    assert "4.1k" in words


def test_a_linear_axis_has_round_ticks() -> None:
    points = [(step, 50.0, 40.0, 60.0) for step in (200, 1100, 2000)]
    chart = parsed(svg.curves([svg.Series("a", points, 0)], "x", "step", linear=True))
    assert [text.text for text in chart.iter("text")][5:-1] == ["500", "1k", "1.5k", "2k"]
