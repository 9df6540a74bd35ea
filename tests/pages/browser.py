"""A headless Chromium, driven through chromedriver's HTTP protocol (W3C WebDriver)."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
needs_browser = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="needs Debian's packages chromium and chromium-driver"
)
_FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
_FLAGS += ["--disable-background-networking", "--disable-component-update", "--hide-scrollbars"]


class Browser:
    """One session of a browser."""

    def __init__(self, client: httpx.Client, session: str) -> None:
        self._client, self._session = client, session

    def open(self, page: Path) -> None:
        self._post("url", url=page.resolve().as_uri())

    def run(self, script: str, *arguments: Any) -> Any:
        """What the JavaScript function body returns."""
        return self._post("execute/sync", script=script, args=list(arguments))

    def text(self, selector: str) -> str:
        return str(self.run("return document.querySelector(arguments[0]).innerText", selector))

    def count(self, selector: str) -> int:
        """Visible elements."""
        script = "return [...document.querySelectorAll(arguments[0])].filter((e) => e.offsetParent !== null).length"
        return int(self.run(script, selector))

    def click(self, selector: str) -> None:
        [element] = self._post("element", using="css selector", value=selector).values()
        self._post(f"element/{element}/click")

    def type(self, selector: str, text: str) -> None:
        [element] = self._post("element", using="css selector", value=selector).values()
        self._post(f"element/{element}/value", text=text)

    def wait(self, script: str, seconds: float = 30.0) -> None:
        """Until the JavaScript expression is true."""
        end = time.monotonic() + seconds
        while not self.run(f"return {script}"):
            assert time.monotonic() < end, f"not within {seconds} s: {script}"
            time.sleep(0.05)

    def size(self, width: int, height: int) -> None:
        self._post("window/rect", width=width, height=height)

    def complaints(self) -> list[str]:
        """What the page has logged as warnings or errors since the last call."""
        return [entry["message"] for entry in self._post("se/log", type="browser")]

    def _post(self, path: str, **body: Any) -> Any:
        response = self._client.post(f"/session/{self._session}/{path}", json=body)
        assert response.is_success, response.text[:500]
        return response.json()["value"]


@contextmanager
def chromium(profile: Path) -> Iterator[Browser]:
    """A running browser with an empty profile."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    driver = subprocess.Popen([str(DRIVER), f"--port={port}", "--log-level=OFF"], stdout=subprocess.DEVNULL)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client:
            _await(client)
            options = {"args": [*_FLAGS, f"--user-data-dir={profile}"], "binary": CHROMIUM}
            wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "WARNING"}}
            answer = client.post("/session", json={"capabilities": {"alwaysMatch": wanted}}).json()["value"]
            session = answer["sessionId"]
            try:
                yield Browser(client, session)
            finally:
                client.delete(f"/session/{session}")
    finally:
        driver.terminate()
        driver.wait(10)


def _await(client: httpx.Client) -> None:
    for _ in range(300):
        try:
            if client.get("/status").json()["value"]["ready"]:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise TimeoutError("chromedriver did not start within 30 s")
