"""What tests of several rooms share: one real vLLM on the CPU, since its start takes half a minute."""

from __future__ import annotations

import functools
import os
from collections.abc import AsyncIterator
from pathlib import Path

import hypothesis
import pytest
import pytest_asyncio
import typer.testing

from k2eval.engines.vllm.engine import VllmEngine
from k2eval.testing import make_tiny_checkpoint
from tests.vllm_engine import CONTEXT

# No test asks the hub. Where there is no network, its client would ask again for 23 s before it gives up.
os.environ["HF_HUB_OFFLINE"] = "1"

# The same examples on every machine, and no limit on how long one takes: a busy machine fails nothing.
# `pytest --hypothesis-profile=default` looks further.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=60)
hypothesis.settings.load_profile("repeatable")

# Building the command line takes longer than most of its uses in tests.
typer.testing._get_command = functools.cache(typer.main.get_command)  # type: ignore[attr-defined]


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
