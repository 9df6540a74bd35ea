from __future__ import annotations

import xml.etree.ElementTree as ET

from markupsafe import Markup

from k2eval.pages import Series, curves, sheet

SVG = "{http://www.w3.org/2000/svg}"


def chart(label: str) -> Markup:
    return curves([Series(label, [(1, 50, 40, 60), (2, 60, 50, 70)], 0)], label, "k")


def test_charts_stand_two_in_a_row_and_do_not_overlap() -> None:
    root = ET.fromstring(sheet([(name, chart(name)) for name in "abc"], ["one"]))
    places = [(int(inner.get("x", 0)), int(inner.get("y", 0))) for inner in root.findall(f"{SVG}svg")]
    assert places == [(20, 38), (440, 38), (20, 326)]
    assert int(root.get("height", 0)) > 326 + 250


def test_titles_and_labels_are_escaped() -> None:
    root = ET.fromstring(sheet([("a < b", chart("x"))], ["<c>"]))
    texts = [text.text for text in root.findall(f"{SVG}text")]
    assert texts == ["a < b", "<c>"]


def test_empty_charts_leave_no_gap() -> None:
    assert sheet([("a", Markup("")), ("b", chart("b"))], []) == sheet([("b", chart("b"))], [])
