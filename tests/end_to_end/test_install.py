"""`requirements/install.sh` shows that it goes on, where pip has no terminal for its own progress."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "requirements" / "install.sh"


def install(tmp_path: Path, pip: str) -> subprocess.CompletedProcess[str]:
    """Run the script with an environment whose Python does ``pip`` (shell) in place of pip."""
    python = tmp_path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nif [ "$2" = pip ]; then {pip}; fi\n')
    python.chmod(0o755)
    return subprocess.run(
        ["bash", str(SCRIPT)],
        env=os.environ | {"VENV": str(tmp_path / "venv"), "PYTHON": sys.executable, "K2EVAL_HEARTBEAT_S": "1"},
        capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=120,
    )  # fmt: skip


def test_each_step_and_a_heartbeat_are_shown_with_the_time(tmp_path: Path) -> None:
    result = install(tmp_path, "sleep 1.5")
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].startswith("[0:00] Installing pinned packages for the ")
    assert any("] Still installing " in line for line in lines)
    assert lines[-1].endswith("] The environment is ready.")


@pytest.mark.parametrize("code", [1, 7])
def test_where_pip_fails_the_script_does(code: int, tmp_path: Path) -> None:
    result = install(tmp_path, f"exit {code}")
    assert result.returncode == code
    assert not (tmp_path / "venv" / ".k2eval-installed").exists()
