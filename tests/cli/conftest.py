"""Fixtures of the tests of commands."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.own_task import OwnTask
from tests.warm_workers import warm_workers

__all__ = ["warm_workers"]


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OwnTask]:
    """A task of the user's own, in the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("K2EVAL_DATA", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    handler = signal.getsignal(signal.SIGINT)
    yield OwnTask(tmp_path)
    signal.signal(signal.SIGINT, handler)
