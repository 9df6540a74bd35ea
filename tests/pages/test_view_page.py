"""The pages of `k2eval view` in a real browser."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.pages.browser import Browser, needs_browser

pytestmark = needs_browser


def test_chosen_runs_make_a_report_whose_samples_open(browser: Browser, address: str) -> None:
    browser.visit(address.format("?"))
    for name in ("one", "two"):
        browser.click(f'input[value="{name}"]')
    browser.click('button[formaction="report"]')
    browser.wait("document.querySelector('#grid td.cell')")
    browser.click("#grid td.cell")
    browser.wait("document.querySelector('#shown .answer')")
    assert "smoke-01, one, repeat 0" in browser.text("#shown")
    assert "83rd power" in browser.text("#shown .question")
    assert browser.complaints() == []


def test_texts_of_the_server_are_searched(browser: Browser, address: str) -> None:
    browser.visit(address.format("report?run=one&run=two&"))
    browser.type("#search", "LET ME SEE")
    browser.click("#in-texts")
    browser.wait("document.querySelector('#searched').textContent === 'all texts searched'")
    assert browser.text("#count") == "12 of 12 samples, 3 questions"


def test_a_shared_address_opens_its_sample(browser: Browser, address: str) -> None:
    browser.visit(address.format("report?run=one&run=two&") + "#two/smoke/smoke-02/1")
    browser.wait("document.querySelector('#shown .answer')")
    assert browser.text("#shown h3").startswith("smoke-02, two, repeat 1")


def test_new_samples_appear_while_one_looks(browser: Browser, address: str, viewed: Path) -> None:
    live = viewed / "live"
    shutil.copytree(viewed / "one", live)
    try:
        lines = (live / "verdicts.jsonl").read_text().splitlines(keepends=True)
        (live / "verdicts.jsonl").write_text("".join(lines[:2]))
        browser.visit(address.format("report?run=live&"))
        browser.wait("document.querySelector('#count').textContent.startsWith('2 of 2 samples')")
        browser.click("#grid td.cell:not(.none)")
        browser.wait("document.querySelector('#shown .answer')")
        opened = browser.text("#shown h3")
        (live / "verdicts.jsonl").write_text("".join(lines))
        browser.wait("document.querySelector('#count').textContent.startsWith('6 of 6 samples')")
        assert browser.count("#renewed") == 1
        assert browser.text("#shown h3") == opened
        browser.press("j")
        browser.wait(f"document.querySelector('#shown h3').textContent !== {opened!r}")
        browser.wait("document.querySelector('#shown .answer')")
        assert browser.complaints() == []
    finally:
        shutil.rmtree(live)


def test_the_list_renews_itself(browser: Browser, address: str) -> None:
    browser.visit(address.format("?"))
    browser.run("document.querySelector('#runs').replaceChildren()")
    browser.wait("document.querySelectorAll('#runs input').length >= 2")
    assert browser.complaints() == []


@pytest.mark.parametrize("name", ["one", "two"])
def test_a_run_is_found_by_its_name(browser: Browser, address: str, name: str) -> None:
    browser.visit(address.format("?"))
    browser.type("#search", name)
    # The list may hold a run that is gone until it is renewed.
    browser.wait("document.querySelectorAll('#runs input').length === 1")
    assert browser.count(f'#runs input[value="{name}"]') == 1
