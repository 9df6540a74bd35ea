"""Runs that are killed at random moments, as `make bench-kills` does it, but a few times only."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killed_runs_go_on_and_end_like_a_run_that_was_left_alone() -> None:
    command = [sys.executable, "-m", "benchmarks.kills", "--kills", "6", "--seed", "5"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    last = ended.stdout.splitlines()[-1]
    assert last == "6 kills: 0 lost, 0 doubled, 0 differing, 0 tracebacks, 0 left behind", ended.stdout
    assert ended.returncode == 0, ended.stderr
