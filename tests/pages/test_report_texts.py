"""Hostile and degenerate texts in the samples of a report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from k2eval.report import write_report
from tests.pages.browser import Browser, needs_browser
from tests.report.scripted import smoke_run

pytestmark = needs_browser


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("texts")
    return write_report([smoke_run(folder / "plain", limit=1, repeats=1)], folder / "report")


SIGNS = ("\\(", "\\[\n", "\\[a ")


@pytest.mark.parametrize("sign", SIGNS)
def test_opening_signs_of_formulas_are_each_looked_up_once(browser: Browser, page: Path, sign: str) -> None:
    """A model that repeats itself writes such texts; each sign used to be looked for up to the end of the text."""
    browser.open(page)
    read = browser.run(
        """
        const [find, text] = [String.prototype.indexOf, arguments[0].repeat(3000)];
        let read = 0;
        String.prototype.indexOf = function (sought, from = 0) {
          const at = find.call(this, sought, from);
          read += (at < 0 ? this.length : at) - from;
          return at;
        };
        try { markdown.parse(text, {}); } finally { String.prototype.indexOf = find; }
        return read / text.length;
        """,
        sign,
    )
    assert read < 20


def test_words_behind_letters_that_grow_in_lower_case_are_marked(browser: Browser, page: Path) -> None:
    browser.open(page, "#plain/smoke/smoke-01/0")
    browser.wait("document.querySelector('#shown h4')")
    browser.run("byId('shown').append(make('p', { textContent: 'İİİİ (needle' })); findInSample('(NEEDLE')")
    assert "1 in this sample" in browser.text("#found")
    assert browser.complaints() == []


def test_notes_of_an_unknown_form_hide_no_response(browser: Browser, tmp_path: Path) -> None:
    folder = smoke_run(tmp_path / "run", limit=1, repeats=1)
    verdict = json.loads((folder / "verdicts.jsonl").read_text())
    notes = {"marks": "a mark", "candidates": [1], "comparisons": [{"pair": "x"}], "lost": 5}
    verdict |= {"notes": notes, "grader": "code/4", "detail": {"steps": {"1": 5}}}
    (folder / "verdicts.jsonl").write_text(json.dumps(verdict) + "\n")
    browser.open(write_report([folder], tmp_path / "report"), "#run/smoke/smoke-01/0")
    browser.wait("document.querySelector('#shown h4')")
    assert browser.count("#shown .missing") == 0
    assert "a mark" in browser.text("#shown")
    assert browser.count("#shown .answer, #shown details.reasoning") >= 1


def test_a_formula_stays_in_its_place(browser: Browser, page: Path) -> None:
    browser.open(page, "#plain/smoke/smoke-01/0")
    browser.wait("document.querySelector('#shown h4')")
    tex = r"\smash{\rule[-4em]{9em}{2em}}"
    browser.run("document.querySelector('#shown dd').replaceChildren(formula(arguments[0], 'x', false))", tex)
    browser.wait("document.querySelector('#shown dd .katex-rule')")
    covers = """
      const box = document.querySelector("#shown dd .katex-rule").getBoundingClientRect();
      const [x, y] = [(box.left + box.right) / 2, (box.top + box.bottom) / 2];
      return document.querySelector("#shown dd").contains(document.elementFromPoint(x, y));
    """
    assert not browser.run(covers)
    browser.run("document.querySelectorAll('#shown dd').forEach((each) => { each.style.contain = 'none'; })")
    assert browser.run(covers)
