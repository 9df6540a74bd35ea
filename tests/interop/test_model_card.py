from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from k2eval.interop.export import export_run
from k2eval.interop.model_card import badge
from k2eval.leaderboard import build, cells
from tests.report.scripted import edit_run, smoke_run


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("card")
    run = smoke_run(folder / "model", repeats=3, limit=4)
    export_run(run, "model-card", folder / "card")
    return run, folder / "card"


def test_the_section_has_the_leaderboards_score_and_what_qualifies_it(made: tuple[Path, Path]) -> None:
    run, card = made
    text = (card / "evaluation.md").read_text()
    assert f"| {cells.score(build([run]).frame.iloc[0], 'smoke')} ⁽" in text
    assert "limited to the first 4" in text


def test_the_settings_are_told(made: tuple[Path, Path]) -> None:
    text = (made[1] / "evaluation.md").read_text()
    assert "recipe plain, seed 0" in text and "temperature 1, top_p 0.95" in text


def test_pictures_stand_where_the_section_names_them(made: tuple[Path, Path]) -> None:
    _, card = made
    for name in ("scores.svg", "smoke.svg"):
        assert ET.parse(card / "evaluation" / name).getroot().tag.endswith("svg")
    assert "(evaluation/scores.svg)" in (card / "evaluation.md").read_text()


def test_names_of_others_make_no_link_and_no_picture(tmp_path: Path) -> None:
    folder = smoke_run(tmp_path / "run", repeats=1, limit=2)
    edit_run(folder, title="![x](http://host/x.png) <img src=x>")
    export_run(folder, "model-card", tmp_path / "card")
    text = (tmp_path / "card" / "evaluation.md").read_text()
    assert text.count("![") == 1 and "<img" not in text


def test_a_badge_escapes_its_words() -> None:
    texts = [element.text for element in ET.fromstring(badge("a < b", '"1" & 2')).iter() if element.text]
    assert "a < b" in texts and '"1" & 2' in texts
