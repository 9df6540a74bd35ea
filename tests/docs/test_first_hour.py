"""The commands of docs/first-hour.md and README.md exist as they are written there."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
RUNS = r"^(?:[A-Z0-9_]+=\S+ )*k2eval run .*$"


def commands(page: Path, pattern: str) -> list[str]:
    """Return the commands of a page's code blocks, without the comments behind them."""
    blocks = re.findall(r"^```[a-z]*\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    lines = [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if re.match(pattern, line)]


def first_hour_runs() -> list[str]:
    return commands(ROOT / "docs" / "first-hour.md", RUNS)


def test_the_first_hour_makes_runs() -> None:
    assert len(first_hour_runs()) == 4


@pytest.mark.parametrize("command", first_hour_runs())
def test_a_run_of_the_first_hour_would_start(command: str, tmp_path: Path) -> None:
    words = shlex.split(command)
    environment = dict(word.split("=", 1) for word in words if re.match(r"[A-Z0-9_]+=", word))
    arguments = words[words.index("k2eval") + 1 :]
    arguments[arguments.index("--out") + 1] = str(tmp_path / "run")
    done = subprocess.run(
        [sys.executable, "-m", "k2eval", *arguments, "--dry-run"],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_options_that_a_page_names_exist(page: Path) -> None:
    from typer.main import get_command

    from k2eval.cli.app import app

    group = get_command(app)
    for command in commands(page, r"^k2eval "):
        words = command.split()
        if words[1] in group.commands and words[1] != "sandbox":  # type: ignore[attr-defined]
            known = {name for option in group.commands[words[1]].params for name in option.opts}  # type: ignore[attr-defined]
            if words[1] in ("sweep", "lm-eval"):  # they hand options on
                continue
            if words[1] == "watch":
                known |= {name for option in group.commands["run"].params for name in option.opts}  # type: ignore[attr-defined]
            named = {word.split("=")[0] for word in words[2:] if word.startswith("--")}
            assert named <= known | {"--help"}, command
