"""Whatever is damaged in a run directory, every command is right or says what is wrong in one message."""

from __future__ import annotations

import json
import os
import random
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from typer.testing import CliRunner

from k2eval.cli.app import app
from k2eval.errors import K2EvalError
from k2eval.journal import GENERATIONS, RUN, VERDICTS
from tests.journal.test_run_record import changed, places

OLD = Path(__file__).parents[1] / "data" / "run-0.1.0"
COMMANDS = (
    ("leaderboard", "k2", "--out", "board"),
    ("compare", "k2", "plain"),
    ("compare", "plain", "k2"),
    ("breakdown", "k2"),
    ("ablation", "k2"),
    ("report", "k2", "--out", "report"),
    ("export", "k2", "--format", "inspect", "--out", "exported"),
    ("export", "k2", "--format", "lm-eval", "--out", "exported"),
    ("export", "k2", "--format", "every-eval-ever", "--out", "exported"),
    ("export", "k2", "--format", "huggingface", "--out", "exported"),
)
VALUES: tuple[Any, ...] = (
    None, True, False, -1, 0, 1, 7, 0.5, 99_999_999, 10**30, float("nan"), float("inf"), -1e308, "", "x", "correct",
    "engine_error", "smoke", "\ud800", "\0", "a" * 5000, [], ["x"], {}, {"x": 1}, [[[]]],
)  # fmt: skip
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
    replace_value, replace_value, replace_value, remove_value, flip_bytes, cut, shuffle_lines, repeat_lines,
    remove_lines, insert_junk,
)  # fmt: skip


def damaged(folder: Path, seed: int) -> Path:
    """Copies of both runs, of which one file of ``k2`` is damaged."""
    draw = random.Random(seed)
    shutil.copytree(OLD, folder)
    path = folder / "k2" / draw.choice([RUN, VERDICTS, GENERATIONS])
    path.write_bytes(draw.choice(DAMAGES)(draw, path.read_bytes()))
    return folder


def hold(folder: Path, command: tuple[str, ...]) -> None:
    """Make sure that a command ends in order or with one message."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        with warnings.catch_warnings():  # about a torn last line
            warnings.simplefilter("ignore")
            result = CliRunner().invoke(app, command)
    finally:
        os.chdir(before)
    if isinstance(result.exception, K2EvalError):
        message = str(result.exception)
        assert "k2" in message
        return
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code in (0, 1, 2), result.output


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
