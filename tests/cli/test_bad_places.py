"""Paths that no command can write or read, and scripts of answers that are none: one message, exit code 2."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from k2eval.cli.app import app
from k2eval.cli.commands import leaderboard_command
from k2eval.errors import ConfigError, K2EvalError
from tests.cli.own_task import OwnTask, label

OLD = Path(__file__).parents[1] / "data" / "run-0.1.0"
RUNS = (str(OLD / "k2"), str(OLD / "plain"))
NAMES = ("a\udcff", "\ud800", "a\0b", "", "  ", "x" * 300, "file/below", "file/below/" + "x" * 300)
"""Names that are no UTF-8, that no file can have, or that are below a file."""
WRITERS = (
    ("leaderboard", *RUNS, "--quiet", "--out"),
    ("compare", *RUNS, "--out"),
    ("breakdown", RUNS[0], "--out"),
    ("report", RUNS[0], "--out"),
    ("export", RUNS[0], "--format", "lm-eval", "--out"),
    ("export", RUNS[0], "--format", "inspect", "--out"),
    ("score", "responses.jsonl", "--grader", "math", "--out"),
    ("sweep", "--checkpoints", "x", "--tasks", "smoke", "--out"),
    ("speed", "--model", "x", "--out"),
)
READERS = (
    ("leaderboard", "--out", "board"),
    ("compare", RUNS[0]),
    ("breakdown",),
    ("ablation",),
    ("report", "--out", "report"),
    ("export", "--format", "inspect", "--out", "exported"),
    ("grade",),
    ("verify",),
    ("score", "--grader", "math", "--out", "graded"),
    ("tasks", "--include-path"),
    ("run", "--config"),
    ("run", "--model", "x", "--tasks", "smoke", "--engine", "scripted", "--out", "out", "--reuse"),
)


def exit_code(*arguments: str) -> int:
    result = CliRunner().invoke(app, arguments)
    if isinstance(result.exception, K2EvalError):
        assert str(result.exception).strip()
        return 2
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.output.strip()
    return result.exit_code


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "responses.jsonl").write_text('{"gold": "1", "response": "1"}\n')
    return tmp_path


@pytest.mark.parametrize("name", NAMES, ids=label)
@pytest.mark.parametrize("command", WRITERS, ids=lambda command: command[0])
def test_a_place_that_cannot_be_written_is_refused(command: tuple[str, ...], name: str) -> None:
    assert exit_code(*command, name) == 2


@pytest.mark.parametrize("name", NAMES, ids=label)
@pytest.mark.parametrize("command", READERS, ids=lambda command: command[0])
def test_a_place_that_cannot_be_read_is_refused(command: tuple[str, ...], name: str) -> None:
    assert exit_code(*command, name) == 2


@pytest.mark.parametrize("name", NAMES, ids=label)
def test_a_run_directory_that_cannot_be_made_is_refused(own: OwnTask, name: str) -> None:
    (own.folder / "file").touch()
    assert own.run("--out", name, "--dry-run") == 2
    assert own.run("--out", name) == 2


def test_bytes_that_are_no_utf_8_are_refused_by_a_process(tmp_path: Path) -> None:
    command: list[str | bytes] = [sys.executable, "-m", "k2eval", "leaderboard", *RUNS, "--out", b"board\xff"]
    result = subprocess.run(command, capture_output=True, check=False, cwd=tmp_path)
    assert result.returncode == 2
    assert b"UTF-8" in result.stderr and b"Traceback" not in result.stderr


def scripts() -> Iterator[bytes]:
    """Files that are no script of answers."""
    yield from (
        b"",
        b"\n",
        b"\n\n",
        b"nonsense",
        b"{",
        b"{}",
        b"[]",
        b"5",
        b"null",
        b"\xff\xfe",
        b"\x00",
        b"[" * 100_000,
    )
    matches: tuple[Any, ...] = (None, 5, True, ["x"], {})
    for match in matches:
        yield json.dumps({"match": match, "responses": ["x"]}).encode()
    lists: tuple[Any, ...] = (None, 5, True, "x", [], {}, [None], [5], [["x"]], [{}], ["x", 5], {"x": 1})
    for responses in lists:
        yield json.dumps({"match": "", "responses": responses}).encode()
    yield b'{"match": "", "responses": ["x"]}\nnonsense\n'
    yield b'{"match": "", "responses": ["x"]}\n\n{"match": "", "responses": ["x"]}\n'
    yield json.dumps({"match": "", "responses": ["x"]}).encode("utf-16")


@pytest.mark.parametrize("content", list(scripts()), ids=label)
def test_a_script_that_is_none_is_refused(own: OwnTask, content: bytes) -> None:
    (own.folder / "script.jsonl").write_bytes(content)
    own.refuses()


@pytest.mark.parametrize(
    "text", ["", "\ud800", "a\0b", "\x1b[31m", "\\boxed{", "</think>" * 1000, "[" * 20_000], ids=label
)
def test_a_script_may_say_what_a_model_may_say(own: OwnTask, text: str) -> None:
    own.write_script(text)
    assert own.run() == 0, own.words
    assert own.scores() == [0.0, 0.0]


@pytest.mark.parametrize(
    "more", ["engine.delay_s=.inf", "engine.capacity=0", "engine.x=1", "engine.delay_s=[1]"]
)
def test_an_argument_of_the_scripted_engine_that_is_none_is_refused(own: OwnTask, more: str) -> None:
    own.refuses("--set", more)


@pytest.mark.parametrize(
    "field", ['"z": 1e999', '"z": NaN', '"z": ' + "[" * 300 + "]" * 300, '"gold": 1' + "0" * 5000], ids=label
)
def test_a_row_of_responses_that_is_no_json_is_left_out_and_said(tmp_path: Path, field: str) -> None:
    good = '{"gold": "1", "response": "1"}\n'
    (tmp_path / "responses.jsonl").write_text(f'{good}{{"gold": "1", "response": "1", {field}}}\n')
    assert exit_code("score", "responses.jsonl", "--grader", "math", "--out", "graded.jsonl") == 2
    [line] = (tmp_path / "graded.jsonl").read_text().splitlines()
    json.loads(line, parse_constant=pytest.fail)


@pytest.mark.parametrize(
    "content",
    [
        "system,source,note,t\na,b,c,1e999\n",
        "system,source,note,t\na,b,c,-1\n",
        "",
        "\0\0",
        "system,source\na,b\n",
    ],
    ids=label,
)
def test_published_figures_that_are_none_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "published.csv").write_text(content)
    assert exit_code("leaderboard", RUNS[0], "--published", "published.csv", "--out", "board") == 2


def test_published_figures_in_a_fifo_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "published.csv")
    assert exit_code("leaderboard", RUNS[0], "--published", "published.csv", "--out", "board") == 2


@pytest.mark.parametrize("out", ["published", "published.csv", "published.md"])
def test_a_leaderboard_never_replaces_the_published_scores_that_it_reads(tmp_path: Path, out: str) -> None:
    published = tmp_path / "published.csv"
    published.write_text("system,source,note,smoke\nx,y,z,50\n")
    with pytest.raises(ConfigError, match="would overwrite"):
        leaderboard_command([tmp_path], tmp_path / out, published)
