"""What tests of several rooms share: one real vLLM on the CPU, since its start takes half a minute."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import hypothesis
import pytest
import pytest_asyncio

from k2eval.engines.vllm.engine import VllmEngine
from k2eval.testing import make_tiny_checkpoint
from tests.vllm_engine import CONTEXT

# The same examples on every machine, and no limit on how long one takes: a busy machine fails nothing.
# `pytest --hypothesis-profile=default` looks further.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of random weights."""
    return make_tiny_checkpoint(tmp_path_factory.mktemp("checkpoint") / "tiny", context=CONTEXT)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def engine(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[VllmEngine]:
    """An engine that has started."""
    log = tmp_path_factory.mktemp("log") / "engine.log"
    async with VllmEngine(str(checkpoint), log=log) as started:
        yield started
