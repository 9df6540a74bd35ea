"""Fixtures of the tests of commands."""

from __future__ import annotations

import functools
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from tests.cli.own_task import OwnTask

COMMAND = functools.cache(typer.main.get_command)


@pytest.fixture
def built_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Building the command line takes longer than most of its uses here."""
    monkeypatch.setattr("typer.testing._get_command", COMMAND)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, built_once: None) -> Iterator[OwnTask]:
    """A task of the user's own, in the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("K2EVAL_DATA", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    handler = signal.getsignal(signal.SIGINT)
    yield OwnTask(tmp_path)
    signal.signal(signal.SIGINT, handler)
