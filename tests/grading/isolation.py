"""For the tests of graders that run programs: a fixture to import."""

from __future__ import annotations

import pytest

from k2eval.errors import SandboxUnavailable


@pytest.fixture(scope="session")
def isolation() -> None:
    """Skips where programs cannot be isolated; what to do about it is tested with the sandbox itself."""
    from k2eval.grading import _programs

    try:
        _programs.box("plain")
    except SandboxUnavailable as error:
        pytest.skip(f"programs cannot be isolated here: {error}")
