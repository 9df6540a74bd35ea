"""`k2eval run` as a process that gets signals: its exit code, its words, and functions of the user's that hang."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.end_to_end.test_kill import Started, check_journal, script

__all__ = ["script"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_exit_code_and_the_words_are_those_of_the_signal(
    script: tuple[str, ...], tmp_path: Path, number: signal.Signals
) -> None:
    slow = (*script, "--set", "engine.delay_s=0.5")
    started = Started(*slow, out=tmp_path / "run")
    started.until_generated(8)
    os.kill(started.process.pid, number)
    os.kill(started.process.pid, signal.SIGHUP if number == signal.SIGHUP else 0)  # shells send it twice
    assert started.wait() == 128 + number, started.output
    words = "Stopped at" if number == signal.SIGINT else f"Ended by {number.name} at"
    assert words in started.output and "The same command resumes from there" in started.output
    assert ("Press Ctrl-C" in started.output) == (number == signal.SIGINT)
    started.leaves_nobody()
    assert Started(*slow, out=tmp_path / "run").wait() == 0
    check_journal(tmp_path / "run", 100)


def test_timeout_sends_its_signal_twice_and_the_run_still_ends_in_order(
    script: tuple[str, ...], tmp_path: Path
) -> None:
    started = Started(*script, out=tmp_path / "run")
    started.until_generated(8)
    os.kill(started.process.pid, signal.SIGTERM)
    time.sleep(0.02)
    started.signal(signal.SIGTERM)
    assert started.wait() == 143 and "Ended by SIGTERM at" in started.output, started.output


def test_a_second_ctrl_c_ends_at_once(script: tuple[str, ...], tmp_path: Path) -> None:
    module = tmp_path / "stubborn.py"
    module.write_text(STUBBORN)
    started = run_own(script, tmp_path, "stubborn:f")
    started.until_generated(1)
    os.kill(started.process.pid, signal.SIGINT)
    started.until(lambda: "Press Ctrl-C again" in started.output)
    os.kill(started.process.pid, signal.SIGINT)
    assert started.wait() == 130
    started.leaves_nobody()


STUBBORN = """
import asyncio

async def f(sample):
    response = await sample.solve()
    while "boxed{3" in response.text:  # not in the rehearsal
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            pass
    return response
"""
HANGING = """
async def f(sample):
    response = await sample.solve()
    if sample.repeat_index == 1:
        while True:
            pass
    return response
"""


def run_own(script: tuple[str, ...], tmp_path: Path, recipe: str) -> Started:
    before = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = f"{tmp_path}:{before}"
    try:
        return Started(*script, "--recipe", recipe, out=tmp_path / "run")
    finally:
        os.environ["PYTHONPATH"] = before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_recipe_that_never_returns_is_named_when_the_run_is_told_to_end(
    script: tuple[str, ...], tmp_path: Path, number: signal.Signals
) -> None:
    (tmp_path / "hanging.py").write_text(HANGING)
    started = run_own(script, tmp_path, "hanging:f")
    started.until_generated(6)
    time.sleep(2)
    os.kill(started.process.pid, number)
    assert started.wait() == 128 + number
    assert (
        f"ended at once by {number.name}, since the run waits for f ({tmp_path / 'hanging.py'}:"
        in started.output
    )
    started.leaves_nobody()


def test_a_terminal_that_closes_ends_the_run_in_order(script: tuple[str, ...], tmp_path: Path) -> None:
    out = tmp_path / "run"
    command = [
        "script",
        "-qec",
        " ".join([f"{sys.executable} -m k2eval run", *script, f"--out {out}"]),
        "/dev/null",
    ]
    terminal = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
    )
    deadline = time.monotonic() + 200
    while (
        not (out / "generations.jsonl").exists() or (out / "generations.jsonl").read_bytes().count(b"\n") < 8
    ):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    terminal.kill()  # as a lost connection ends the terminal's program
    terminal.wait()
    while not (settled := (out / "run.json").read_text()) or _running(out):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert '"sessions": []' not in settled
    assert Started(*script, out=out).wait() == 0
    check_journal(out, 100)


def _running(out: Path) -> bool:
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and str(out).encode() in (entry / "cmdline").read_bytes():
                return True
        except OSError:
            continue
    return False
