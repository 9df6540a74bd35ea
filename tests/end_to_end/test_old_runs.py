"""Run directories of k2eval 0.1.0 go on opening, grading and growing."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from typer.testing import CliRunner

from k2eval.cli.app import app
from k2eval.errors import JournalError, K2EvalError
from k2eval.interop.exported import Run
from k2eval.journal import GENERATIONS, VERDICTS, read_run
from k2eval.leaderboard import build
from k2eval.records import NoteKind
from k2eval.report.breakdown import break_down
from k2eval.run.plan import Assignment
from k2eval.run.regrade import recorded, work_of
from tests.journal.test_run_record import VALUES, changed, places
from tests.report.reading import texts_in

OLD = Path(__file__).parents[1] / "data" / "run-0.1.0"


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Copies that may be written to."""
    return shutil.copytree(OLD, tmp_path / "old")


def k2eval(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def start(out: Path, recipe: str, *more: str) -> subprocess.CompletedProcess[str]:
    """``k2eval run`` in a process of its own, since it takes over signals."""
    return subprocess.run(
        [
            sys.executable, "-m", "k2eval", "run", "--engine", "scripted", "--model", str(OLD / "script.jsonl"),
            "--tasks", "smoke", "--recipe", recipe, "--workers", "1", "--out", str(out), *more,
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_description_of_0_1_0_is_read_in_the_words_of_today() -> None:
    run = read_run(OLD / "plain")
    task = run.tasks["smoke"]
    assert (run.format, run.repeats, run.config.repeats, task.repeats) == (2, 2, 2, 2)
    assert (task.micro, task.part) == (None, False)
    assert [(note.kind, note.text) for note in task.notes] == [(NoteKind.LIMITED, "limited to the first 6")]


def test_they_stand_in_a_leaderboard(tmp_path: Path) -> None:
    output = k2eval("leaderboard", OLD / "plain", OLD / "k2", "--out", tmp_path / "board")
    assert "limited to the first 6" in output
    assert (tmp_path / "board.csv").read_text().count("\n") == 3


def test_they_can_be_compared_and_broken_down() -> None:
    assert "k2 (script.jsonl, recipe k2) against plain" in k2eval("compare", OLD / "plain", OLD / "k2")
    assert "Smoke test, by level" in k2eval("breakdown", OLD / "plain")


def test_they_have_a_report_with_texts(tmp_path: Path) -> None:
    k2eval("report", OLD / "plain", OLD / "k2", "--out", tmp_path / "report")
    shown = str(texts_in(tmp_path / "report" / "report.html"))
    assert "Look at the parts." in shown


@pytest.mark.parametrize("form", ["every-eval-ever", "huggingface", "inspect", "lm-eval"])
def test_they_can_be_exported(tmp_path: Path, form: str) -> None:
    k2eval("export", OLD / "k2", "--format", form, "--out", tmp_path / form)
    assert any(path.is_file() for path in (tmp_path / form).rglob("*"))


def test_they_can_be_graded_again(runs: Path) -> None:
    output = k2eval("grade", runs / "k2")
    assert "Graded 12 samples again: 0 verdicts changed" in output
    assert read_run(runs / "k2").repeats == 2


@pytest.mark.parametrize("recipe", ["plain", "k2"])
def test_the_same_command_finds_everything_there(runs: Path, recipe: str) -> None:
    before = {name: (runs / recipe / name).read_bytes() for name in (GENERATIONS, VERDICTS)}
    ended = start(runs / recipe, recipe, "--limit", "6", "--repeats", "2")
    assert ended.returncode == 0, ended.stderr
    assert "all 12 samples were there already" in ended.stdout
    assert {name: (runs / recipe / name).read_bytes() for name in before} == before


def test_more_repeats_extend_them_and_make_nothing_twice(runs: Path) -> None:
    before = (runs / "plain" / GENERATIONS).read_bytes()
    ended = start(runs / "plain", "plain", "--limit", "6", "--repeats", "3")
    assert ended.returncode == 0, ended.stderr
    after = (runs / "plain" / GENERATIONS).read_bytes()
    assert after.startswith(before)
    assert after.count(b"\n") == 18
    run = read_run(runs / "plain")
    assert [session.generated for session in run.sessions] == [12, 6]
    assert run.complete
    assert '"format": 2' in (runs / "plain" / "run.json").read_text()


COMMANDS = {
    "leaderboard": ["--out", "board"],
    "compare": ["plain"],
    "breakdown": [],
    "report": ["--out", "report"],
    "export": ["--format", "inspect", "--out", "exported"],
    "grade": [],
    "ablation": [],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_damaged_description_is_one_clear_error_in_every_command(
    runs: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    path = runs / "k2" / "run.json"
    path.write_text(path.read_text().replace('"questions": 6', '"questions": "six"'))
    monkeypatch.chdir(runs)
    result = CliRunner().invoke(app, [command, "k2", *COMMANDS[command]])
    assert isinstance(result.exception, JournalError)
    assert (
        "k2/run.json is not what `k2eval run` writes: field tasks.smoke.questions: expected a valid integer"
        in str(result.exception)
    )


def test_a_damaged_description_ends_a_run_with_exit_code_2(runs: Path) -> None:
    path = runs / "plain" / "run.json"
    path.write_text(path.read_text().replace('"seed": 0', '"sede": 0', 1))
    ended = start(runs / "plain", "plain", "--limit", "6", "--repeats", "2")
    assert ended.returncode == 2
    assert "run.json is not what `k2eval run` writes: it lacks the field seed" in ended.stderr
    assert "Traceback" not in ended.stderr


CONTENT = json.loads((OLD / "k2" / "run.json").read_text())


@settings(max_examples=40)
@given(st.sampled_from(list(places(CONTENT))), st.sampled_from(VALUES))
def test_whatever_is_damaged_no_reader_fails_but_with_a_clear_error(
    tmp_path_factory: pytest.TempPathFactory, path: tuple[Any, ...], value: Any
) -> None:
    folder = shutil.copytree(OLD / "k2", tmp_path_factory.mktemp("damaged") / "k2")
    (folder / "run.json").write_text(json.dumps(changed(CONTENT, path, value)))
    for use in (
        lambda: build([folder]),
        lambda: break_down([folder]),
        lambda: Run(folder),
        lambda: find(folder),
    ):
        with contextlib.suppress(K2EvalError):
            use()


def find(folder: Path) -> list[Assignment]:
    """What ``k2eval grade`` looks for."""
    run = read_run(folder)
    work = work_of(run, folder)
    return list(recorded(work, run))
