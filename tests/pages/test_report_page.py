from __future__ import annotations

from pathlib import Path

import pytest

from k2eval.report import write_report
from tests.pages.browser import Browser, needs_browser
from tests.report.scripted import make_best_of_two, smoke_run

SQUARE = 'button[data-run="0"][data-question="{}"][data-i="{}"]'


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("report")
    runs = [
        smoke_run(folder / "plain", limit=6, repeats=4),
        smoke_run(folder / "other", limit=6, repeats=4, seed=1),
    ]
    make_best_of_two(runs[0], "smoke-01")
    return {
        "one file": write_report(runs, folder / "one"),
        "files beside": write_report(runs, folder / "beside", embedded=0),
    }


@needs_browser
@pytest.mark.parametrize("kind", ["one file", "files beside"])
def test_a_square_opens_its_sample_without_complaints(
    browser: Browser, pages: dict[str, Path], kind: str
) -> None:
    browser.open(pages[kind])
    assert browser.count("#grid button.cell") == 48
    browser.click(SQUARE.format(0, 0))
    browser.wait("document.querySelector('#sample .question')")
    text = browser.text("#sample")
    assert "smoke-01, plain, run 0" in text
    assert "83rd power" in text
    assert "Candidates (2)" in text
    assert "0 against 1: 0 wins (both orders; the two orders named 0 and 0)" in text
    assert browser.complaints() == []


@needs_browser
def test_reasoning_is_folded_and_model_text_is_not_markup(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["one file"])
    browser.run("document.querySelector('#grid button.cell.correct').click()")
    browser.wait("document.querySelector('#sample .answer')")
    assert "<script>alert(1)</script>" in browser.text("#sample .answer")
    assert browser.run("return document.querySelector('#sample details').open") is False


@needs_browser
def test_outcomes_can_be_filtered(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["one file"])
    truncated = browser.count("#grid .cell.truncated")
    assert truncated
    browser.run("const box = document.querySelector('#outcome'); box.value = 'truncated'; "
                "box.dispatchEvent(new Event('change'))")  # fmt: skip
    assert browser.text("#count") == f"{truncated} of 48 samples"
    assert browser.count("#grid .cell:not(.out)") == truncated


@needs_browser
def test_the_search_finds_questions_by_their_text(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["one file"])
    browser.type("#search", "strawberry")
    assert browser.text("#count") == "8 of 48 samples"
    assert browser.run("return [...document.querySelectorAll('#grid tbody tr:not([hidden])')].length") == 1


@needs_browser
def test_the_grid_can_be_used_with_the_keyboard_alone(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["one file"])
    press = "document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key: arguments[0], bubbles: true}))"
    browser.run("document.querySelector('#grid button[tabindex=\"0\"]').focus()")
    browser.run(press, "ArrowDown")
    browser.run(press, "ArrowRight")
    browser.run("document.activeElement.click()")
    browser.wait("document.querySelector('#sample').dataset.sample_key === '0/0/1/1'")
    browser.run(press, "j")
    browser.wait("document.querySelector('#sample').dataset.sample_key === '0/0/1/2'")


@needs_browser
def test_a_missing_file_beside_the_page_is_explained(browser: Browser, pages: dict[str, Path]) -> None:
    (pages["files beside"].parent / "samples/0/0/5.js").unlink()
    browser.open(pages["files beside"])
    browser.click(SQUARE.format(5, 0))
    browser.wait("document.querySelector('#sample').innerText.includes('is missing')")
    browser.complaints()


@needs_browser
def test_a_phone_needs_no_sideways_scrolling(browser: Browser, pages: dict[str, Path]) -> None:
    browser.open(pages["one file"])
    browser.size(500, 900)
    browser.click(SQUARE.format(0, 0))
    browser.wait("document.querySelector('#sample .question')")
    assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
    charts = "return [...document.querySelectorAll('.chart')].every((e) => e.getBoundingClientRect().right <= innerWidth)"
    assert browser.run(charts)
    browser.size(1400, 900)
