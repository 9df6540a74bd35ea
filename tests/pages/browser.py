"""A headless Chromium of the machine, driven by playwright, which downloads nothing for that."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import pytest

CHROMIUM = shutil.which("chromium")
needs_browser = pytest.mark.skipif(
    not (CHROMIUM and importlib.util.find_spec("playwright")),
    reason="needs Debian's package chromium, and playwright",
)
SHOTS = Path(__file__).resolve().parents[2] / "build" / "screenshots"
AXE = Path(__file__).parent / "vendor" / "axe-core" / "axe.min.js"
WIDE, PHONE = (1400, 900), (390, 844)
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]

T = TypeVar("T")


class Browser:
    """One tab of a browser. Every step of the page's own is waited for up to 30 s."""

    def __init__(self, thread: ThreadPoolExecutor, browser: Any) -> None:
        self._thread, self._browser = thread, browser
        self._said: list[str] = []
        self._asked: list[str] = []
        self._page: Any = None
        self._size, self._scheme = WIDE, "light"

    def on_page(self, act: Callable[[Any], T]) -> T:
        """What `act` makes of playwright's page. Its thread is its own: asyncio of other tests must not see its loop."""
        return self._thread.submit(lambda: act(self._page)).result()

    def open(self, page: Path, link: str = "") -> None:
        """A page from disk in a new tab, with nothing of earlier ones."""
        self.visit(page.resolve().as_uri() + link)

    def visit(self, address: str) -> None:
        """Any page in a new tab."""

        def fresh(_: Any) -> None:
            if self._page is not None:
                self._page.context.close()
            self._said.clear()
            self._asked.clear()
            size = {"width": self._size[0], "height": self._size[1]}
            self._page = self._browser.new_context(viewport=size, color_scheme=self._scheme).new_page()
            self._page.on("console", lambda said: self._said.append(f"{said.type}: {said.text}"))
            self._page.on("pageerror", lambda error: self._said.append(f"error: {error}"))
            self._page.on("request", lambda request: self._asked.append(request.url))
            self._page.goto(address)

        self.on_page(fresh)

    def run(self, script: str, *arguments: Any) -> Any:
        """What the JavaScript function body returns."""
        return self.on_page(
            lambda page: page.evaluate(
                f"(arguments) => (function () {{ {script} }}).apply(null, arguments)", arguments
            )
        )

    def text(self, selector: str) -> str:
        return str(self.on_page(lambda page: page.inner_text(selector)))

    def count(self, selector: str) -> int:
        """Visible elements."""
        return int(self.on_page(lambda page: page.locator(selector).filter(visible=True).count()))

    def click(self, selector: str) -> None:
        self.on_page(lambda page: page.locator(selector).first.click())

    def choose(self, selector: str, value: str) -> None:
        self.on_page(lambda page: page.select_option(selector, value))

    def type(self, selector: str, text: str) -> None:
        self.on_page(lambda page: page.fill(selector, text))

    def press(self, *keys: str) -> None:
        for key in keys:
            self.on_page(lambda page, key=key: page.keyboard.press(key))  # type: ignore[misc]

    def wait(self, script: str) -> None:
        """Until the JavaScript expression is true."""
        self.on_page(lambda page: page.wait_for_function(f"() => Boolean({script})"))

    def look(self, size: tuple[int, int] = WIDE, scheme: str = "light") -> None:
        """Size in pixels and light or dark of the tabs that are opened from now on."""
        self._size, self._scheme = size, scheme

    def become(self, size: tuple[int, int], scheme: str) -> None:
        """Give the open tab another size, and light or dark."""
        self.on_page(lambda page: page.set_viewport_size({"width": size[0], "height": size[1]}))
        self.on_page(lambda page: page.emulate_media(color_scheme=scheme))

    def complaints(self) -> list[str]:
        """What the page has logged since it was opened."""
        return list(self._said)

    def requests(self) -> list[str]:
        """Addresses that the page has asked for, itself among them."""
        return list(self._asked)

    def shoot(self, name: str, *, whole: bool = False) -> Path:
        """Keep a picture under build/screenshots, of what can be seen or of the whole page."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        path = SHOTS / f"{name}.png"
        self.on_page(lambda page: page.screenshot(path=str(path), full_page=whole))
        return path

    def faults(self, selector: str = "html") -> list[str]:
        """What axe-core finds against WCAG 2.2 AA and its own best practices, a line for each element."""
        rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
        if not self.run("return Boolean(window.axe)"):
            self.on_page(lambda page: page.evaluate(_axe()))
        found = self.on_page(
            lambda page: page.evaluate(f"axe.run({json.dumps(selector)}, {json.dumps(rules)})")
        )
        return [
            f"{fault['id']}: {node['html'][:200]}: {node['failureSummary'][:300]}"
            for fault in found["violations"]
            for node in fault["nodes"]
        ]


@cache
def _axe() -> str:
    return AXE.read_text("utf-8")


@contextmanager
def chromium() -> Iterator[Browser]:
    """A running browser with an empty profile."""
    from playwright.sync_api import sync_playwright

    with ThreadPoolExecutor(1) as thread:
        driver = thread.submit(lambda: sync_playwright().start()).result()
        try:
            browser = thread.submit(
                lambda: driver.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
            ).result()
            try:
                yield Browser(thread, browser)
            finally:
                thread.submit(browser.close).result()
        finally:
            thread.submit(driver.stop).result()
