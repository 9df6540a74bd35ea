from __future__ import annotations

import xml.etree.ElementTree as ET

from markupsafe import Markup

from k2eval.pages import Series, curves

LINE = [(1.0, 50.0, 40.0, 60.0), (64_000.0, 55.0, 45.0, 65.0)]


def parsed(chart: Markup) -> ET.Element:
    return ET.fromstring(str(chart))


def words(chart: ET.Element) -> list[str]:
    return [text.text or "" for text in chart.iter("text")]


def test_a_curve_of_one_point_is_still_drawn_with_its_interval() -> None:
    chart = parsed(curves([Series("a", [(1, 50, 40, 60)], 0)], "x", "k"))
    assert len(list(chart.iter("circle"))) == 1
    assert [line for line in chart.iter("line") if "reach" in line.attrib["class"]]


def test_no_points_make_no_chart() -> None:
    assert curves([Series("a", [], 0)], "x", "k") == ""


def test_the_axis_has_few_ticks_however_long_the_range() -> None:
    chart = parsed(curves([Series("a", LINE, 0)], "x", "tokens"))
    assert len(words(chart)) <= 6 + 7 + 1
    assert "4.1k" in words(chart)


def test_a_linear_axis_has_round_ticks() -> None:
    points = [(step, 50.0, 40.0, 60.0) for step in (200, 1100, 2000)]
    chart = parsed(curves([Series("a", points, 0)], "x", "step", linear=True))
    assert [word for word in words(chart) if word.endswith("k")] == ["1k", "1.5k", "2k"]


def test_steps_have_whole_ticks() -> None:
    points = [(step, 50.0, 40.0, 60.0) for step in range(1, 21)]
    chart = parsed(curves([Series("a", points, 0)], "x", "step", linear=True))
    assert all(float(word).is_integer() for word in words(chart)[:-1])


def test_few_places_have_a_tick_each_and_bars_side_by_side() -> None:
    series = [Series(name, [(k, 50.0, 40.0, 60.0) for k in (1, 2, 3)], 0) for name in "ab"]
    chart = parsed(curves(series, "x", "k"))
    assert [word for word in words(chart) if word in "123"] == ["1", "2", "3"]
    bars = [line.attrib["x1"] for line in chart.iter("line") if "reach" in line.attrib["class"]]
    assert len(set(bars)) == 6
    assert not list(chart.iter("polygon"))


def test_any_number_of_runs_are_told_apart() -> None:
    series = [Series(f"run {number}", LINE, number) for number in range(30)]
    chart = parsed(curves(series, "x", "tokens", named=True))
    looks = [group.attrib["class"] for group in chart.iter("g")]
    assert len(set(looks)) == 30
    names = [text for text in chart.iter("text") if text.attrib["class"] == "name"]
    heights = sorted(float(text.attrib["y"]) for text in names)
    assert len(names) == 30
    assert all(after - before >= 11.9 for before, after in zip(heights, heights[1:], strict=False))


def test_a_point_says_its_values() -> None:
    chart = parsed(curves([Series("<a>", LINE, 0)], "x", "tokens"))
    tips = [circle.attrib["data-tip"] for circle in chart.iter("circle")]
    assert tips == ["<a>, tokens 1: 50.0 (40.0 – 60.0)", "<a>, tokens 64k: 55.0 (45.0 – 65.0)"]


def test_the_height_is_used_for_the_values_that_there_are() -> None:
    chart = parsed(curves([Series("a", [(1, 3.0, 1.0, 6.0), (2, 4.0, 2.0, 9.0)], 0)], "x", "k"))
    assert words(chart)[:3] == ["0", "5", "10"]
