"""The charts of a report in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from k2eval.report import write_report
from tests.leaderboard.synthetic import bernoulli, write_run
from tests.pages.browser import Browser, needs_browser

pytestmark = needs_browser


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("charts")
    runs = [
        write_run(folder / f"step-{number}", {"t": bernoulli(20, 3, 0.5, 1, number / 20 - 0.3)})
        for number in range(10)
    ]
    return write_report(runs, folder / "out")


def test_ten_runs_look_different_in_every_chart(browser: Browser, page: Path) -> None:
    browser.open(page)
    looks = browser.run(
        "return [...document.querySelectorAll('#attempts figure')].map((figure) => "
        "new Set([...figure.querySelectorAll('g.series')].map((series) => { "
        "const line = getComputedStyle(series.querySelector('.curve')); "
        "return line.stroke + line.strokeDasharray; })).size)"
    )
    assert looks == [10, 10]
    browser.shoot("charts-light-wide")


def test_a_point_tells_its_values_and_its_run_comes_forward(browser: Browser, page: Path) -> None:
    browser.open(page)
    place = browser.run(
        "const point = document.querySelector('#attempts [data-series=\"step-4\"] circle');"
        "point.scrollIntoView({block: 'center'}); const box = point.getBoundingClientRect();"
        "return [box.left + box.width / 2, box.top + box.height / 2]"
    )
    browser.on_page(lambda tab: tab.mouse.move(*place))
    assert browser.text(".tip").startswith("step-4, k 1: ")
    front = (
        "return [...new Set([...document.querySelectorAll('.front')].map((series) => series.dataset.series))]"
    )
    assert browser.run(front) == ["step-4"]


def test_a_run_of_the_legend_stays_in_front(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.click('.legend button[data-series="step-2"]')
    browser.on_page(lambda tab: tab.mouse.move(5, 5))
    assert browser.run("return document.querySelectorAll('g.front').length") > 3
    browser.click('.legend button[data-series="step-2"]')
    browser.on_page(lambda tab: tab.mouse.move(5, 5))
    assert browser.run("return document.querySelectorAll('g.front').length") == 0


def test_every_chart_has_its_values_as_a_table(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.click("#attempts figure summary")
    assert browser.text("#attempts figure table thead").strip() == "Run\tk = 1\tk = 2\tk = 3"
    browser.click("#tokens figure summary")
    assert "Frontier" in browser.text("#tokens figure table thead")
    assert browser.complaints() == []
