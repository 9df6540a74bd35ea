"""Every page, light and dark, on a screen and on a phone: for everybody, without complaints, and kept as pictures."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from k2eval.interop.publication import publish
from k2eval.leaderboard import build, write
from k2eval.report import sweep_checkpoints
from k2eval.watch.page import Status, write_page
from k2eval.watch.states import Checkpoint, State
from tests.leaderboard.synthetic import bernoulli, write_run
from tests.pages.browser import PHONE, WIDE, Browser, needs_browser

pytestmark = needs_browser
ROOT = Path(__file__).resolve().parents[2]
LOOKS = [
    ("wide", WIDE, "light"),
    ("wide", WIDE, "dark"),
    ("phone", PHONE, "light"),
    ("phone", PHONE, "dark"),
]
SERVED = {
    "list": "?",
    "compare": "compare?run=one&run=two&",
    "report of the viewer": "report?run=one&run=two&",
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory, viewed: Path) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")

    def evaluate(checkpoint: Path | str, run: Path) -> int:
        step = int(Path(checkpoint).name.split("-")[1])
        if not run.exists():
            write_run(run, {name: bernoulli(30, 4, 0.5, 1, step / 1000 - 0.3) for name in "tu"})
        return 0

    for step in (100, 200, 300):
        (folder / "out" / f"step-{step}").mkdir(parents=True)
    quiet = Console(file=io.StringIO(), width=120)
    sweep_checkpoints([str(folder / "out" / "*")], folder / "sweep", evaluate, quiet)
    board = write(build([folder / "sweep" / f"step-{step}" for step in (100, 200, 300)]), folder / "board")[2]
    return {
        "board": board,
        "sweep": folder / "sweep" / "sweep.html",
        "watch": watch_page(folder),
        "publish": publish([viewed / "one"], folder / "site").out / "index.html",
    }


def watch_page(folder: Path) -> Path:
    """The page of a watch that has seen a checkpoint of each state."""
    points = [
        Checkpoint(f"step-{number}", folder, number, state, "for a reason", seconds=60.0)
        for number, state in enumerate(State)
    ]
    (folder / "watch").mkdir()
    write_page(folder / "watch", Status("a place", "evaluating", 30.0, points, None, None))
    return folder / "watch" / "index.html"


@pytest.mark.parametrize("name", ["board", "sweep", "watch", "publish", *SERVED])
def test_everybody_can_use_every_page(
    browser: Browser, pages: dict[str, Path], address: str, name: str
) -> None:
    if name in SERVED:
        browser.visit(address.format(SERVED[name]))
    else:
        browser.open(pages[name])
    for screen, size, scheme in LOOKS if name != "report of the viewer" else LOOKS[::3]:
        browser.become(size, scheme)
        browser.shoot(f"{name.replace(' ', '-')}-{scheme}-{screen}")
        assert browser.faults() == []
        assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
    assert browser.complaints() == []


def test_a_watch_loads_its_page_anew_until_it_is_told_not_to(
    browser: Browser, pages: dict[str, Path]
) -> None:
    text = pages["watch"].read_text()
    (pages["watch"].parent / "soon.html").write_text(text.replace('data-seconds="10"', 'data-seconds="0.2"'))
    browser.open(pages["watch"].parent / "soon.html")
    browser.run("window.first = true")
    browser.wait("window.first === undefined")
    browser.click("#renews")
    browser.run("window.first = true")
    browser.on_page(lambda page: page.wait_for_timeout(600))
    assert browser.run("return window.first")


def test_the_recording_of_the_readme_plays(browser: Browser) -> None:
    browser.open(ROOT / "docs" / "pictures" / "run.svg")
    shift = "return getComputedStyle(document.getElementById('f')).transform"
    first = browser.run(shift)
    browser.on_page(lambda page: page.wait_for_timeout(700))
    assert browser.run(shift) != first
    browser.run("document.getElementById('f').style.animationDelay = '-14s'")
    browser.shoot("recording")
