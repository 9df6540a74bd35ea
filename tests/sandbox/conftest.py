from __future__ import annotations

from collections.abc import Iterator

import pytest

from k2eval.errors import SandboxUnavailable
from k2eval.sandbox import RunOutcome, Sandbox

HONEST = "import sys\nprint(sum(map(int, sys.stdin.read().split())))"


def open_box(profile: str) -> Iterator[Sandbox]:
    try:
        box = Sandbox(profile)  # type: ignore[arg-type]
    except SandboxUnavailable as error:
        pytest.skip(str(error))
    with box:
        yield box


@pytest.fixture(scope="session")
def plain() -> Iterator[Sandbox]:
    yield from open_box("plain")


@pytest.fixture(scope="session")
def numpy_box() -> Iterator[Sandbox]:
    yield from open_box("numpy")


@pytest.fixture(scope="session")
def scientific() -> Iterator[Sandbox]:
    yield from open_box("scientific")


@pytest.fixture(scope="session")
def full() -> Iterator[Sandbox]:
    yield from open_box("full")


@pytest.fixture
def attacked(plain: Sandbox) -> Iterator[Sandbox]:
    """A sandbox on which, after the test, an honest program must still work in the very same box."""
    plain.start()
    before = plain._box
    yield plain
    result = plain.run(HONEST, stdin=b"40 2\n")
    assert (result.outcome, result.stdout) == (RunOutcome.OK, b"42\n")
    assert plain._box is before, "the attack broke the box"
