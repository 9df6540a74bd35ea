import os

import pytest


@pytest.mark.xdist_group("engines")
def test_a_group_of_tests_is_known_to_the_scheduler(request: pytest.FixtureRequest) -> None:
    """Two engines at the same time starve each other; a pytest that xdist does not know drops groups in silence."""
    if "PYTEST_XDIST_WORKER" not in os.environ or not request.config.getvalue("loadgroup"):
        pytest.skip("no workers that take groups")
    assert request.node.nodeid.endswith("@engines")
