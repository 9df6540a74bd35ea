from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from k2eval.view.server import Viewer, bind
from tests.pages.browser import Browser, chromium
from tests.report.scripted import smoke_run


@pytest.fixture(scope="session")
def one_browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def browser(one_browser: Browser) -> Iterator[Browser]:
    yield one_browser
    one_browser.look()


@pytest.fixture(scope="session")
def viewed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of runs over which `address` is."""
    folder = tmp_path_factory.mktemp("runs")
    for number, name in enumerate(("one", "two")):
        smoke_run(folder / name, limit=3, repeats=2, seed=number)
    return folder


@pytest.fixture(scope="session")
def address(viewed: Path) -> Iterator[str]:
    """The address of a running `k2eval view`; ``{}`` stands for a path with a query."""
    viewer = Viewer(viewed)
    listening = bind(0)
    server = uvicorn.Server(uvicorn.Config(viewer.app, log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/{{}}token={viewer.token}"
    finally:
        server.should_exit = True
        thread.join(10)
