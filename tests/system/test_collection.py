import gc
from collections.abc import Iterator

import pytest

from k2eval.system import rare_collections


@pytest.fixture(autouse=True)
def usual() -> Iterator[None]:
    """Python's own thresholds, whatever the tests before have left."""
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    yield
    gc.set_threshold(*before)


def test_the_thresholds_of_before_are_back_after_an_error() -> None:
    before = gc.get_threshold()
    with pytest.raises(ValueError), rare_collections():
        assert gc.get_threshold()[0] > before[0]
        raise ValueError
    assert gc.get_threshold() == before


def test_a_collector_that_is_switched_off_stays_so() -> None:
    before = gc.get_threshold()
    gc.set_threshold(0)
    try:
        with rare_collections():
            assert gc.get_threshold()[0] == 0
    finally:
        gc.set_threshold(*before)
