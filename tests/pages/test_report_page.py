"""The samples of a report in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from k2eval.report import write_report
from tests.pages.browser import PHONE, WIDE, Browser, needs_browser
from tests.report.scripted import make_best_of_two, make_program, rich, smoke_run, tag_questions

pytestmark = needs_browser
LEFT = "td.cell:not(.out):not(.none)"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("report")
    runs = [
        smoke_run(folder / "plain", limit=6, repeats=4),
        smoke_run(folder / "other", limit=6, repeats=4, seed=1),
        smoke_run(folder / "rich", limit=2, repeats=2, text=rich),
    ]
    make_best_of_two(runs[0], "smoke-01")
    make_program(runs[0], "smoke-03")
    for run in runs:
        tag_questions(run)
    return {
        "one file": write_report(runs, folder / "one"),
        "files beside": write_report(runs, folder / "beside", embedded=0),
    }


@pytest.fixture
def page(pages: dict[str, Path]) -> Path:
    return pages["one file"]


def square(run: int, question: int, repeat: int, repeats: int = 4) -> str:
    return f"#s-{run}-{question * repeats + repeat}"


def opened(browser: Browser, page: Path, link: str) -> None:
    browser.open(page, link)
    browser.wait("document.querySelector('#shown h4')")


def questions(browser: Browser) -> list[str]:
    found = browser.run(
        "return [...document.querySelectorAll('#grid tbody th')].map((cell) => cell.textContent)"
    )
    return list(found)


@pytest.mark.parametrize("kind", ["one file", "files beside"])
def test_a_square_opens_its_sample_without_complaints(
    browser: Browser, pages: dict[str, Path], kind: str
) -> None:
    browser.open(pages[kind])
    assert browser.count("#grid td.cell:not(.none)") == 52
    browser.click(square(0, 0, 0))
    browser.wait("document.querySelector('#shown .answer')")
    text = browser.text("#sample")
    assert "smoke-01, plain, repeat 0" in text
    assert "83rd power" in text
    assert browser.complaints() == []


def test_a_page_asks_for_nothing_but_its_own_files(browser: Browser, pages: dict[str, Path]) -> None:
    page = pages["files beside"]
    opened(browser, page, "#rich/smoke/smoke-01/0")
    addresses = [address for address in browser.requests() if not address.startswith(("blob:", "data:"))]
    assert addresses[0].startswith(page.as_uri())
    assert all(address.startswith(page.parent.as_uri() + "/") for address in addresses)


def test_texts_of_models_are_rendered_and_never_markup(browser: Browser, page: Path) -> None:
    opened(browser, page, "#rich/smoke/smoke-01/0")
    browser.run("document.querySelector('#sample').scrollTop = 100000")
    browser.wait("[...document.querySelectorAll('#shown .answer .formula')].at(-1).querySelector('.katex')")
    assert browser.count("#shown .answer table") == 1
    assert browser.count("#shown .answer .hljs-keyword") == 2
    text = browser.text("#shown .answer")
    assert "<script>window.broken = true</script>" in text
    assert "So 96*35=96*30+96*5, and 2**3 + 3**2 is 17, not 18." in text
    assert browser.count("#shown .answer :is(em, strong)") == 2
    assert "A price of $5 and another of $6 stay as they are." in text
    assert "[image: a picture (https://example.com/x.png)]" in text
    assert "link (https://example.com/track)" in text
    assert browser.run("return window.broken") is None
    assert (
        browser.run("return document.querySelectorAll('#shown :is(a, img, script, style, iframe)').length")
        == 0
    )
    assert browser.complaints() == []


def test_one_key_shows_the_raw_text(browser: Browser, page: Path) -> None:
    opened(browser, page, "#rich/smoke/smoke-01/0")
    browser.press("r")
    browser.wait("document.querySelector('#shown pre.answer')")
    assert "\\boxed{\\frac{1}{2}}" in browser.text("#shown pre.answer")
    browser.press("r")
    browser.wait("document.querySelector('#shown div.answer')")


def test_reasoning_is_folded_with_its_length(browser: Browser, page: Path) -> None:
    opened(browser, page, "#rich/smoke/smoke-01/0")
    assert browser.text("#shown details.reasoning summary") == "Reasoning (82 characters, 16 words)"
    assert browser.count("#shown details.reasoning .rendered") == 0
    browser.press("o")
    browser.wait("document.querySelector('#shown details.reasoning .katex')")


def test_a_recipe_is_a_tree_of_plan_candidates_and_comparisons(browser: Browser, page: Path) -> None:
    opened(browser, page, "#plain/smoke/smoke-01/0")
    tree = browser.text("#shown .tree")
    assert "Candidates (2)" in tree
    assert "Candidate 0, selected: 35 (9 tokens)" in tree
    assert "0 against 1: 0 wins (both orders; the orders named 0 and 0)" in tree
    browser.click("#shown .tree li.selected summary")
    browser.wait("document.querySelector('#shown .tree li.selected details details')")
    assert "Plan: 7 tokens" in browser.text("#shown .tree li.selected")


def test_a_failed_test_stands_with_expected_and_got_side_by_side(browser: Browser, page: Path) -> None:
    opened(browser, page, "#plain/smoke/smoke-03/0")
    text = browser.text("#shown")
    assert "Outcome: wrong. 3 of 10 tests passed in order (7 are hidden)." in text
    assert "Test 4 (hidden) failed: line 2 differs" in text
    differing = "return [...document.querySelectorAll('#shown .beside .differs')].map((line) => line.textContent.trim())"
    assert browser.run(differing) == ["2", "5"]
    tops = "return [...document.querySelectorAll('#shown .beside > div')].map((side) => side.getBoundingClientRect().top)"
    assert len(set(browser.run(tops))) == 1
    browser.click("#shown .extracted summary")
    assert browser.count("#shown .extracted .hljs-keyword") == 1


def test_outcomes_can_be_filtered(browser: Browser, page: Path) -> None:
    browser.open(page)
    truncated = browser.count("#grid td.truncated")
    browser.choose("#outcome", "truncated")
    assert browser.count(f"#grid {LEFT}") == truncated > 0
    assert browser.text("#count").startswith(f"{truncated} of 52 samples")


def test_questions_on_which_repeats_or_runs_differ_are_found(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.choose("#only", "repeats")
    mixed = (
        "return [...document.querySelectorAll('#grid tbody tr:not(.spacer)')].every((row) => "
        "row.querySelector('.correct') && row.querySelector('.cell:not(.correct):not(.none)'))"
    )
    assert browser.run(mixed)
    assert "smoke-06" not in questions(browser)
    browser.choose("#only", "runs")
    assert "smoke-01" in questions(browser)


def test_questions_that_flipped_between_two_runs_are_found(browser: Browser, page: Path) -> None:
    browser.open(page)
    shares = browser.run(
        "return [...document.querySelectorAll('#grid tbody tr:not(.spacer)')].map((row) => "
        "[row.cells[0].textContent, ...[...row.querySelectorAll('.share')].map((cell) => parseInt(cell.textContent))])"
    )
    flipped = [name for name, a, _, b in shares if (a >= 50) != (b >= 50)]
    browser.choose("#b", "2")
    browser.choose("#only", "flipped")
    assert questions(browser) == flipped != []


def test_questions_can_be_ordered(browser: Browser, page: Path) -> None:
    browser.open(page)
    assert questions(browser) == [f"smoke-0{number}" for number in range(1, 7)]
    browser.choose("#order", "score")
    assert questions(browser)[-1] == "smoke-01"
    browser.click("#direction")
    assert questions(browser)[0] == "smoke-01"


def test_the_search_finds_questions_by_their_text(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.type("#search", "strawberry")
    assert questions(browser) == ["smoke-02"]


@pytest.mark.parametrize("kind", ["one file", "files beside"])
def test_the_search_finds_responses_and_marks_the_words(
    browser: Browser, pages: dict[str, Path], kind: str
) -> None:
    browser.open(pages[kind])
    browser.type("#search", "QUOKKA")
    assert questions(browser) == []
    browser.click("#in-texts")
    browser.wait("document.querySelector('#searched').textContent === 'all texts searched'")
    assert browser.text("#count") == "2 of 52 samples, 2 questions"
    browser.click(f"#grid {LEFT}")
    browser.wait("document.querySelector('#shown details.reasoning').open")
    assert browser.text("#found") == "“QUOKKA”: 1 in this sample"


def test_a_link_opens_its_sample_and_can_be_copied(browser: Browser, page: Path) -> None:
    opened(browser, page, "#other/smoke/smoke-03/2")
    assert "smoke-03, other, repeat 2" in browser.text("#shown h3")
    browser.click("#after")
    browser.wait("document.querySelector('#shown h3').textContent.includes('repeat 3')")
    assert browser.run("return location.hash") == "#other/smoke/smoke-03/3"
    browser.click("#copy")
    browser.wait("document.querySelector('#said').textContent === 'The link was copied.'")


def test_questions_are_filtered_by_tag(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.choose("#tag", "level=hard")
    assert questions(browser) == ["smoke-02", "smoke-04", "smoke-06"]
    assert browser.run("return location.hash") == "#?tag=level%3Dhard"


def test_a_link_keeps_filters_order_and_search(browser: Browser, page: Path) -> None:
    browser.open(page)
    for box, value in (
        ("#outcome", "wrong"),
        ("#only", "repeats"),
        ("#order", "tokens"),
        ("#tag", "level=hard"),
    ):
        browser.choose(box, value)
    browser.click("#direction")
    browser.type("#search", "smoke")
    browser.wait("location.hash.includes('search=smoke')")
    link, shown = browser.run("return location.hash"), questions(browser)
    browser.open(page, link)
    assert questions(browser) == shown != []
    values = (
        "return ['outcome', 'only', 'order', 'tag', 'search'].map((id) => document.getElementById(id).value)"
    )
    assert browser.run(values) == ["wrong", "repeats", "tokens", "level=hard", "smoke"]
    assert browser.text("#direction").startswith("↓")


def test_a_link_to_a_sample_keeps_the_filters_too(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.choose("#run", "1")
    browser.click(f"#grid {LEFT}")
    browser.wait("document.querySelector('#shown h4')")
    link = browser.run("return location.hash")
    assert link == "#other/smoke/smoke-01/0?run=other"
    opened(browser, page, link)
    assert browser.run("return document.getElementById('run').value") == "1"
    browser.press("Escape")
    assert browser.run("return location.hash") == "#?run=other"


def test_a_link_with_filters_that_are_not_there_shows_all(browser: Browser, page: Path) -> None:
    browser.open(page, "#?run=none&outcome=odd&tag=a%3Db&order=by&only=x&a=q&task=zz")
    assert browser.text("#count").startswith("52 of 52 samples")
    assert browser.complaints() == []


def test_a_link_to_nothing_says_so(browser: Browser, page: Path) -> None:
    browser.open(page, "#other/smoke/smoke-99/2")
    assert browser.text("#said") == "This page has no such sample."
    assert browser.count("#sample") == 0


def test_two_runs_stand_side_by_side_and_have_a_link(browser: Browser, page: Path) -> None:
    opened(browser, page, "#plain/smoke/smoke-01/1")
    browser.press("s")
    browser.wait("document.querySelectorAll('#shown .one h3').length === 2")
    heads = "return [...document.querySelectorAll('#shown .one h3')].map((head) => head.textContent.split(' ').slice(0, 2).join(' '))"
    assert browser.run(heads) == ["smoke-01, plain,", "smoke-01, other,"]
    link = browser.run("return location.hash")
    assert link == "#plain/smoke/smoke-01/1/with/other"
    browser.open(page, link)
    browser.wait("document.querySelectorAll('#shown .one h3').length === 2")


def test_the_grid_has_one_focus_and_skips_hidden_squares(browser: Browser, page: Path) -> None:
    browser.open(page)
    assert browser.run("return document.querySelectorAll('#grid [tabindex=\"0\"]').length") == 1
    browser.choose("#outcome", "truncated")
    browser.run("document.querySelector('#grid table').focus()")
    active = "return document.querySelector('#grid table').getAttribute('aria-activedescendant')"
    fitting = (
        "return [...document.querySelectorAll('#grid td.cell:not(.out):not(.none)')].map((cell) => cell.id)"
    )
    left = browser.run(fitting)
    walked = [browser.run(active)]
    for key in ("ArrowRight", "ArrowDown", "ArrowDown", "ArrowLeft", "End", "PageUp", "Home"):
        browser.press(key)
        walked.append(browser.run(active))
    assert set(walked) <= set(left)
    assert len(set(walked)) > 2


def test_enter_goes_to_the_sample_and_escape_back(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.run("document.querySelector('#grid table').focus()")
    browser.press("ArrowDown", "ArrowRight", "Enter")
    browser.wait("document.activeElement === document.querySelector('#shown h3')")
    assert browser.run("return document.querySelector('#sample').dataset.place") == "0/0/1/1"
    browser.press("j")
    browser.wait("document.querySelector('#sample').dataset.place === '0/0/1/2'")
    browser.press("Escape")
    assert browser.count("#sample") == 0
    assert browser.run("return document.activeElement === document.querySelector('#grid table')")


def test_a_question_mark_lists_the_keys_which_can_be_switched_off(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.press("?")
    assert "two runs side by side" in browser.text("#help")
    browser.click("#letters")
    browser.press("Escape", "?")
    assert browser.count("#help") == 0
    browser.click("#show-keys")
    browser.click("#letters")
    browser.press("Escape")


def test_a_missing_file_beside_the_page_is_explained(browser: Browser, pages: dict[str, Path]) -> None:
    file = pages["files beside"].parent / "samples" / "1.js"
    script = file.read_bytes()
    file.unlink()
    try:
        browser.open(pages["files beside"], "#other/smoke/smoke-03/2")
        browser.wait("document.querySelector('#shown .missing')")
        assert "samples/1.js is missing; keep the folder samples beside" in browser.text("#shown")
    finally:
        file.write_bytes(script)


def test_a_phone_needs_no_sideways_scrolling(browser: Browser, page: Path) -> None:
    browser.look(PHONE)
    browser.open(page)
    fits = "return document.documentElement.scrollWidth <= innerWidth"
    assert browser.run(fits)
    browser.click(square(0, 0, 0))
    browser.wait("document.querySelector('#shown h4')")
    assert browser.run(fits)
    assert browser.run(
        "return document.querySelector('#sample').getBoundingClientRect().width === innerWidth"
    )


@pytest.mark.slow
@pytest.mark.parametrize(("size", "scheme"), [(WIDE, "light"), (PHONE, "dark")], ids=["wide", "phone"])
def test_everybody_can_use_the_page(browser: Browser, page: Path, size: tuple[int, int], scheme: str) -> None:
    browser.look(size, scheme)
    browser.open(page)
    browser.run(
        "for (const box of document.querySelectorAll('main > section:not(#samples) details')) box.open = true"
    )
    assert browser.faults() == []
    opened(browser, page, "#rich/smoke/smoke-01/0")
    browser.press("o")
    browser.wait("document.querySelector('#shown .reasoning .katex')")
    assert browser.faults("#sample") == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("screen", "size"), [("wide", WIDE), ("phone", PHONE)])
def test_pictures_of_the_page_are_kept(
    browser: Browser, page: Path, scheme: str, screen: str, size: tuple[int, int]
) -> None:
    browser.look(size, scheme)
    browser.open(page)
    tops = browser.shoot(f"report-{scheme}-{screen}")
    opened(browser, page, "#rich/smoke/smoke-01/0/with/plain")
    browser.wait("document.querySelector('#shown .katex')")
    samples = browser.shoot(f"sample-{scheme}-{screen}")
    assert all(path.stat().st_size > 10_000 for path in (tops, samples))
