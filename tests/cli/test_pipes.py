"""Commands in a pipeline: `head` reads no more, or Ctrl-C ends `tee` before the closing lines."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from k2eval.journal import VERDICTS
from k2eval.system.console import CLOSED_PIPE
from tests.report.scripted import smoke_run


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return smoke_run(tmp_path_factory.mktemp("runs") / "run", repeats=2, limit=3)


def start(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "k2eval", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def unread(*arguments: str) -> tuple[int, bytes]:
    """Exit code and standard error of a command whose standard output nobody reads."""
    with start(*arguments) as process:
        assert process.stdout and process.stderr
        process.stdout.close()
        errors = process.stderr.read()
    return process.returncode, errors


@pytest.mark.parametrize(
    "arguments",
    [
        ("tasks",),
        ("recipes",),
        ("report", "RUN", "--out", "OUT"),
        ("export", "RUN", "--format", "huggingface", "--out", "OUT"),
        ("grade", "RUN"),
    ],
    ids=lambda arguments: " ".join(arguments[:1]),
)
def test_a_closed_pipe_ends_a_command_quietly(
    arguments: tuple[str, ...], finished: Path, tmp_path: Path
) -> None:
    names = {"RUN": str(finished), "OUT": str(tmp_path / "out")}
    assert unread(*(names.get(word, word) for word in arguments)) == (CLOSED_PIPE, b"")


@pytest.mark.parametrize("command", ["leaderboard", "breakdown", "compare"])
def test_files_are_written_before_a_table_that_nobody_reads(
    command: str, finished: Path, tmp_path: Path
) -> None:
    out = tmp_path / "table.md"
    name = out if command == "compare" else out.with_suffix("")
    assert unread(command, str(finished), str(finished), "--out", str(name)) == (CLOSED_PIPE, b"")
    assert out.read_text(encoding="utf-8")


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("run", "--help")])
def test_help_into_a_closed_pipe_is_quiet(arguments: tuple[str, ...]) -> None:
    code, errors = unread(*arguments)
    assert errors == b""
    assert code in (0, 1, CLOSED_PIPE)


def test_an_error_with_nobody_to_read_it_still_ends_with_code_2() -> None:
    with start("grade", "/no") as process:
        assert process.stdout and process.stderr
        process.stderr.close()
        assert process.stdout.read() == b""
    assert process.returncode == 2


def slow_run(tmp_path: Path) -> subprocess.Popen[bytes]:
    """A run that would take ten minutes: on a busy machine its idle grader waits for long."""
    script = tmp_path / "script.jsonl"
    script.write_text(json.dumps({"match": "", "responses": ["\\boxed{1}"]}) + "\n")
    return start(
        "run", "--engine", "scripted", "--model", str(script), "--tasks", "smoke", "--repeats", "20", "--workers", "1",
        "--out", str(tmp_path / "run"), "--set", "engine.delay_s=0.5", "--set", "engine.capacity=1",
    )  # fmt: skip


def wait_for_a_verdict(tmp_path: Path) -> None:
    verdicts = tmp_path / "run" / VERDICTS
    until = time.monotonic() + 200
    while not (verdicts.exists() and verdicts.stat().st_size) and time.monotonic() < until:
        time.sleep(0.05)


def test_ctrl_c_through_a_pipe_keeps_the_closing_lines(tmp_path: Path) -> None:
    with slow_run(tmp_path) as process:
        assert process.stdout and process.stderr
        wait_for_a_verdict(tmp_path)
        process.stdout.close()  # as when `tee` ends of the same Ctrl-C
        process.send_signal(signal.SIGINT)
        errors = process.stderr.read().decode()
    assert process.returncode == 130
    assert "Stopping in order." in errors
    assert "of 1040 samples. The same command resumes from there." in errors


def test_ctrl_c_keeps_the_closing_lines_where_only_the_terminal_is_left(tmp_path: Path) -> None:
    """As `k2eval run 2>&1 | tee log`: standard error goes into the same pipe."""
    pid, terminal = os.forkpty()
    if pid == 0:  # the child, which has a terminal of its own
        script = tmp_path / "script.jsonl"
        script.write_text(json.dumps({"match": "", "responses": ["\\boxed{1}"]}) + "\n")
        command = (
            f"{sys.executable} -m k2eval run --engine scripted --model {script} --tasks smoke --repeats 20 --workers 1 "
            f"--out {tmp_path / 'run'} --set engine.delay_s=0.5 --set engine.capacity=1 2>&1 | cat >{tmp_path / 'log'}"
        )
        os.execv("/bin/sh", ["sh", "-c", command])
    wait_for_a_verdict(tmp_path)
    os.write(terminal, b"\x03")
    shown = b""
    while True:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # all who had it open have ended
            break
        if not chunk:
            break
        shown += chunk
    os.close(terminal)
    os.waitpid(pid, 0)
    assert b"The same command resumes from there." in shown


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("command", [("verify",), ("leaderboard", "--out", "table")])
def test_an_output_that_is_full_is_said(finished: Path, tmp_path: Path, command: tuple[str, ...]) -> None:
    name, *options = command
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "k2eval", name, str(finished), *options],
            stdout=full, stderr=subprocess.PIPE, text=True, cwd=tmp_path, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (
        2,
        "k2eval: Cannot write the output: No space left on device. Send it elsewhere.\n",
    )


def test_closed_streams_are_no_error_and_no_file_gets_their_place(finished: Path, tmp_path: Path) -> None:
    command = f'exec "{sys.executable}" -m k2eval leaderboard "{finished}" --out table <&- >&- 2>&-'
    assert subprocess.run(["sh", "-c", command], cwd=tmp_path, check=False).returncode == 0
    assert (tmp_path / "table.csv").read_text().startswith("run,")
