"""Whatever is damaged in a run directory, every command is right or says what is wrong in one message."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from typer.testing import CliRunner

from k2eval.cli.app import app
from k2eval.errors import K2EvalError
from k2eval.journal import GENERATIONS, RUN, VERDICTS, read_lines
from k2eval.records import Verdict
from tests.journal.test_run_record import changed, places
from tests.readers import COMMANDS, write_policy
from tests.warm_workers import warm_workers

__all__ = ["warm_workers"]

OLD = Path(__file__).parents[1] / "data" / "run-0.1.0"
RUN_AGAIN = (
    "run", "--engine", "scripted", "--model", str(OLD / "script.jsonl"), "--tasks", "smoke", "--limit", "6",
    "--repeats", "2", "--recipe", "k2", "--workers", "1",
)  # fmt: skip
SAMPLES = 12
INCONCLUSIVE = 3
"""The exit code of `gate` if nothing is decided."""
VALUES: tuple[Any, ...] = (
    None, True, False, -1, 0, 1, 7, 0.5, 99_999_999, 10**30, float("nan"), float("inf"), -1e308, "", "x", "correct",
    "engine_error", "smoke", "\ud800", "\0", "a" * 5000, [], ["x"], {}, {"x": 1}, [[[]]], -5, 2**63, 10**400,
    "\x1b[31m", "a\nb", "[/x]", "[bold]", "<script>", "\u202e", json.loads("[" * 300 + "]" * 300),
)  # fmt: skip
NUMBERS = (
    b"1e999",
    b"-1e999",
    b"NaN",
    b"Infinity",
    b"1" + b"0" * 5000,
    b"9223372036854775808",
    b"1e308",
    b"-0.0",
)
Damage = Callable[[random.Random, bytes], bytes]


def replace_value(draw: random.Random, content: bytes) -> bytes:
    lines = content.split(b"\n")
    number = draw.randrange(len(lines))
    try:
        value = json.loads(lines[number])
        lines[number] = json.dumps(
            changed(value, draw.choice(list(places(value))), draw.choice(VALUES))
        ).encode()
    except (ValueError, IndexError):
        whole = json.loads(content) if content.lstrip().startswith(b"{\n") else None
        if whole is None:
            return content
        return json.dumps(
            changed(whole, draw.choice(list(places(whole))), draw.choice(VALUES)), indent=1
        ).encode()
    return b"\n".join(lines)


def replace_number(draw: random.Random, content: bytes) -> bytes:
    """Numbers that `json.dumps` does not write."""
    numbers = list(re.finditer(rb"(?<=: )-?[0-9.]+", content))
    start, end = draw.choice(numbers).span()
    return content[:start] + draw.choice(NUMBERS) + content[end:]


def remove_value(draw: random.Random, content: bytes) -> bytes:
    words = content.split(b", ")
    del words[draw.randrange(len(words))]
    return b", ".join(words)


def flip_bytes(draw: random.Random, content: bytes) -> bytes:
    flipped = bytearray(content)
    for _ in range(draw.randrange(1, 4)):
        flipped[draw.randrange(len(flipped))] = draw.randrange(256)
    return bytes(flipped)


def cut(draw: random.Random, content: bytes) -> bytes:
    return content[: draw.randrange(len(content))]


def shuffle_lines(draw: random.Random, content: bytes) -> bytes:
    lines = content.splitlines(keepends=True)
    draw.shuffle(lines)
    return b"".join(lines)


def repeat_lines(draw: random.Random, content: bytes) -> bytes:
    lines = content.splitlines(keepends=True)
    return content + b"".join(draw.choices(lines, k=3))


def remove_lines(draw: random.Random, content: bytes) -> bytes:
    lines = content.splitlines(keepends=True)
    return b"".join(line for line in lines if draw.random() < 0.7)


def insert_junk(draw: random.Random, content: bytes) -> bytes:
    lines = content.splitlines(keepends=True)
    junk = draw.choice(
        [
            b"\n",
            b"{}\n",
            b"[]\n",
            b"null\n",
            b"1\n",
            b"[" * 50_000 + b"\n",
            b"\xff\xfe\n",
            b'{"key": "\\ud800"}\n',
        ]
    )
    lines.insert(draw.randrange(len(lines) + 1), junk)
    return b"".join(lines)


DAMAGES: tuple[Damage, ...] = (
    replace_value, replace_value, replace_value, replace_number, replace_number, remove_value, flip_bytes, cut, shuffle_lines, repeat_lines,
    remove_lines, insert_junk,
)  # fmt: skip


def damaged(folder: Path, seed: int) -> Path:
    """Copies of both runs, of which one file of ``k2`` is damaged."""
    draw = random.Random(seed)
    shutil.copytree(OLD, folder)
    write_policy(folder)
    path = folder / "k2" / draw.choice([RUN, VERDICTS, GENERATIONS])
    path.write_bytes(draw.choice(DAMAGES)(draw, path.read_bytes()))
    return folder


def invoke(folder: Path, command: tuple[str, ...]) -> tuple[int, str]:
    """The exit code of a command and its words; an error of ours counts as 2, as in a process of its own."""
    before, handler = Path.cwd(), signal.getsignal(signal.SIGINT)
    os.chdir(folder)
    try:
        with warnings.catch_warnings():  # about a torn last line
            warnings.simplefilter("ignore")
            result = CliRunner().invoke(app, command)
    finally:
        os.chdir(before)
        signal.signal(signal.SIGINT, handler)
    if isinstance(result.exception, K2EvalError):
        return 2, str(result.exception)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def hold(folder: Path, command: tuple[str, ...]) -> int:
    """Make sure that a command ends in order or with one message, and return its exit code."""
    code, words = invoke(folder, command)
    assert code in (0, 1, 2, INCONCLUSIVE) and (code != 2 or "k2" in words), words
    assert code == 2 or not re.search(r"\x1b|\b(inf|nan)\b", words), words
    words.encode()  # as a terminal would
    return code


def samples_in(run: Path) -> int:
    return len({verdict.sample_key for _, verdict in read_lines(run / VERDICTS, Verdict)})


@pytest.mark.slow
@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**32), st.sampled_from(COMMANDS))
def test_every_command_holds(
    tmp_path_factory: pytest.TempPathFactory, seed: int, command: tuple[str, ...]
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    try:
        hold(damaged(folder / "runs", seed), command)
    finally:
        shutil.rmtree(folder)


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**32))
def test_grading_again_holds(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    try:
        hold(damaged(folder / "runs", seed), ("grade", "k2"))
    finally:
        shutil.rmtree(folder)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**32), st.sampled_from([("--out", "k2"), ("--out", "new", "--reuse", "k2")]))
def test_going_on_holds_and_is_complete(
    tmp_path_factory: pytest.TempPathFactory, seed: int, more: tuple[str, ...]
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    try:
        if hold(damaged(folder / "runs", seed), (*RUN_AGAIN, *more)) == 0:
            assert samples_in(folder / "runs" / more[1]) == SAMPLES
    finally:
        shutil.rmtree(folder)


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


READ_BY_NONE = {
    GENERATIONS: {
        "leaderboard", "compare", "breakdown", "huggingface", "power", "race", "gate", "budget", "parity",
    },
    VERDICTS: {"ablation"},
}  # fmt: skip
"""Words of the commands that do not read a file."""


@pytest.mark.parametrize(
    "line", [b"nonsense\n", b'{"key": "x"}\n', b"[" * 50_000 + b"\n", b"\xff\xfe\n"], ids=len
)
@pytest.mark.parametrize("name", [GENERATIONS, VERDICTS])
def test_the_remedy_for_a_damaged_line_works(tmp_path: Path, name: str, line: bytes) -> None:
    folder = shutil.copytree(OLD, tmp_path / "runs")
    write_policy(folder)
    path = folder / "k2" / name
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:4], line, *lines[5:]]))
    for command in (*COMMANDS, (*RUN_AGAIN, "--out", "k2")):
        if not READ_BY_NONE[name] & set(command):
            code, words = invoke(folder, command)
            assert code == 2 and re.search(rf"k2/{name}:5: .*Remove that line", words), (command, words)
    path.write_bytes(b"".join([*lines[:4], *lines[5:]]))
    code, words = invoke(folder, (*RUN_AGAIN, "--out", "k2"))
    assert code == 0, words
    assert samples_in(folder / "k2") == SAMPLES
    here, there = (
        sorted(
            line["text"] if name == GENERATIONS else line["outcome"] for line in lines_of(run / "k2" / name)
        )
        for run in (folder, OLD)
    )
    assert here == there


SAID = {
    ("leaderboard", "k2", "--out", "board"): "10 of 12 samples",
    ("compare", "k2", "plain"): "without a verdict: 2 and 0 samples",
    ("breakdown", "k2"): r"\b10\b",
    ("verify", "k2"): "2 of 12 samples have no verdict",
}


@pytest.mark.parametrize("command", SAID, ids=lambda command: command[0])
def test_a_lower_count_of_samples_is_said(tmp_path: Path, command: tuple[str, ...]) -> None:
    folder = shutil.copytree(OLD, tmp_path / "runs")
    path = folder / "k2" / VERDICTS
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[2:]))
    code, words = invoke(folder, command)
    assert code == 0 and re.search(SAID[command], " ".join(words.split())), words
