from __future__ import annotations

from pathlib import Path

import pytest

from k2eval.leaderboard import build, write
from tests.leaderboard.synthetic import bernoulli, write_run
from tests.pages.browser import PHONE, Browser, needs_browser
from tests.run_records import session_record

SHIPPED = Path(__file__).parents[2] / "leaderboards" / "published.csv"


@pytest.fixture
def page(tmp_path: Path) -> Path:
    fast, slow = session_record(), session_record(generated_tokens=10, generation_s=0.001)
    runs = [
        write_run(
            tmp_path / name,
            {t: bernoulli(30, 4, 0.5, seed, shift) for seed, t in enumerate("tu")},
            sessions=(session,),
        )
        for name, shift, session in (("<b>bad", -0.3, fast), ("good", 0.1, fast), ("mid", 0.0, slow))
    ]
    return write(build(runs, published=SHIPPED), tmp_path / "board")[2]


def test_the_page_loads_nothing_from_elsewhere(page: Path) -> None:
    text = page.read_text()
    assert "src=" not in text
    assert "<link" not in text
    assert "@import" not in text


def test_names_are_text_and_not_markup(page: Path) -> None:
    assert "<b>bad" not in page.read_text()
    assert "&lt;b&gt;bad" in page.read_text()


def test_measured_and_published_are_apart(page: Path) -> None:
    measured, published = page.read_text().split("<h2>Published figures</h2>")
    assert "K2-Think" not in measured
    assert "K2-Think" in published


@needs_browser
def test_the_page_opens_and_sorts_without_complaints(browser: Browser, page: Path) -> None:
    browser.open(page)
    names = "return [...document.querySelectorAll('table')[0].tBodies[0].rows].map((r) => r.cells[0].firstChild.data)"
    assert browser.run(names) == ["good", "mid", "<b>bad"]
    speed = "return [...document.querySelectorAll('table')[0].tHead.rows[0].cells].findIndex((c) => "
    index = browser.run(speed + "c.innerText.startsWith('Tokens/s'))")
    browser.click(f"table thead th:nth-child({index + 1}) .sort")
    assert browser.run(names)[0] == "mid"
    browser.click(f"table thead th:nth-child({index + 1}) .sort")
    assert browser.run(names)[-1] == "mid"
    assert browser.complaints() == []


@needs_browser
def test_the_theme_can_be_switched(browser: Browser, page: Path) -> None:
    browser.open(page)
    colour = "return getComputedStyle(document.body).backgroundColor"
    before = browser.run(colour)
    browser.click(".theme")
    assert browser.run(colour) != before


@needs_browser
def test_a_phone_scrolls_the_table_and_not_the_page(browser: Browser, page: Path) -> None:
    browser.look(PHONE)
    browser.open(page)
    assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
    browser.shoot("leaderboard-light-phone")


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_the_page(browser: Browser, page: Path, scheme: str) -> None:
    browser.look(scheme=scheme)
    browser.open(page)
    assert browser.faults() == []
