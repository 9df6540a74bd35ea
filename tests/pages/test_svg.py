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
    chart = parsed(svg.stacks([svg.Stack("t", [("correct", 3), ("wrong", 1), ("truncated", 0)])], "x"))
    widths = [float(rect.attrib["width"]) for rect in chart.iter("rect")]
    assert widths == [450.0, 150.0]


def test_the_words_of_a_bar_stand_behind_it() -> None:
    chart = parsed(svg.stacks([svg.Stack("t", [("correct", 1)], "12.5 % truncated")], "x"))
    rect = next(chart.iter("rect"))
    words = next(text for text in chart.iter("text") if text.text == "12.5 % truncated")
    assert float(words.attrib["x"]) > float(rect.attrib["x"]) + float(rect.attrib["width"])
