"""The pictures of the README, and the program that draws the recording."""

from __future__ import annotations

import re
import runpy
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def program() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "docs" / "pictures.py"))


def test_the_readme_shows_pictures_that_are_there_and_small(program: dict[str, Any]) -> None:
    shown = re.findall(r"!\[(.+?)\]\((docs/pictures/.+?)\)", (ROOT / "README.md").read_text())
    assert [path for _, path in shown] == ["docs/pictures/report.png", "docs/pictures/run.svg"]
    assert all((ROOT / path).stat().st_size < program["LARGEST"] for _, path in shown)


def test_frames_are_drawn_once_each_and_their_texts_escaped(program: dict[str, Any]) -> None:
    style = program["Style"]("#ffffff")
    rows = [((text, style),) for text in ("$ a <b>", "done")]
    frames = [program["Frame"](tuple(rows[:n]), 0.5) for n in (1, 1, 2)]
    drawing = ET.fromstring(program["animation"](frames, "a & b"))
    assert drawing.attrib["aria-label"] == "a & b"
    assert [text.text for text in drawing.iter("{http://www.w3.org/2000/svg}text")] == ["$ a <b>", "done"]
    assert "animation:k 1.5s" in ET.tostring(drawing, encoding="unicode")


def test_long_work_passes_faster_in_fewer_frames(program: dict[str, Any]) -> None:
    frames = [program["Frame"]((), 1.0)] * 8
    assert [frame.seconds for frame in program["shortened"](frames, 1.0)] == [0.25] * 4
