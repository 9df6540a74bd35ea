"""No command writes over a file from which a run goes on, whatever path or link leads there."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from k2eval.cli.app import app
from k2eval.decide.live import RACE
from k2eval.engines.opening import LOG
from k2eval.errors import JournalError, K2EvalError
from k2eval.interop.exported import Folder
from k2eval.journal import GENERATIONS, RUN, VERDICTS, Journal
from k2eval.journal.journal import LOCK
from k2eval.journal.seal import SEAL, SIGNATURE
from k2eval.system import FILES_OF_A_RUN
from k2eval.tasks.files import tasks_folder
from k2eval.watch import record
from tests.readers import write_policy

OLD = Path(__file__).parents[1] / "data" / "run-0.1.0"
_SERIES = ("--tasks", "smoke", "--limit", "1", "--repeats", "1", "--engine", "scripted", "--workers", "1")
WRITTEN = {
    ("leaderboard", "plain", "--out", "out"): "out.md",
    ("compare", "plain", "k2", "--out", "out.md"): "out.md",
    ("breakdown", "plain", "--out", "out"): "out.csv",
    ("budget", "plain", "--out", "out"): "out.svg",
    ("report", "plain", "--out", "out"): "out/report.html",
    ("audit", "plain", "--as", "simple-evals", "--out", "out"): "out.jsonl",
    ("parity", "plain", "--against", "figures.csv", "--out", "out"): "out.md",
    ("export", "plain", "--format", "huggingface", "--out", "out"): "out/model-index.yaml",
    ("gate", "gate.yaml", "plain", "--baseline", "k2", "--json", "out"): "out",
    ("gate", "gate.yaml", "plain", "--baseline", "k2", "--junit", "out"): "out",
    ("gate", "gate.yaml", "plain", "--baseline", "k2", "--summary", "out"): "out",
    ("score", "responses.jsonl", "--grader", "math", "--out", "out"): "out",
    ("contamination", "smoke", "--corpus", "corpus", "--out", "out"): "out",
    (
        "sweep",
        "--over",
        "thinking=on,off",
        "--model",
        "script.jsonl",
        "--out",
        "out",
        *_SERIES,
    ): "out/sweep.html",
}
"""A file that each command writes, in a folder with three runs."""
NOT_TRIED = {
    "run": "writes a run directory",
    "race": "writes run directories",
    "check-model": "prints JSON",
    "watch": "writes as sweep does",
    "publish": "writes to a folder that holds nothing else",
    "speed": "needs an engine, and writes by the same function",
    "serve": "prints JSON",
    "sandbox": "",
}


def test_each_command_that_writes_is_tried() -> None:
    commands = get_command(app).commands.items()  # type: ignore[attr-defined]
    words = {"--out", "--json", "--junit", "--summary"}
    writers = {name for name, command in commands if any(words.intersection(p.opts) for p in command.params)}
    assert writers - NOT_TRIED.keys() <= {command[0] for command in WRITTEN}


def test_all_files_of_runs_races_and_watches_are_known() -> None:
    of_journal = {RUN, GENERATIONS, VERDICTS, LOCK, SEAL, SIGNATURE}
    assert of_journal | {LOG, RACE, record.NAME, record._LOCK} == FILES_OF_A_RUN


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = shutil.copytree(OLD, tmp_path / "runs")
    shutil.copytree(OLD / "k2", folder / "other")
    write_policy(folder)
    (folder / "corpus").mkdir()
    shutil.copy(tasks_folder() / "smoke" / "questions.jsonl", folder / "corpus")
    row = {"question_id": "a", "response": "\\boxed{2}", "gold": "2"}
    (folder / "responses.jsonl").write_text(json.dumps(row) + "\n")
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    monkeypatch.chdir(folder)
    return folder


def invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, arguments)
    if isinstance(result.exception, K2EvalError):
        return 2, str(result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "other").iterdir()}


@pytest.mark.parametrize(("command", "name"), WRITTEN.items(), ids=lambda value: str(value[0])[:12])
def test_a_link_to_a_file_of_a_run_is_refused(folder: Path, command: tuple[str, ...], name: str) -> None:
    place, before = folder / name, content(folder)
    place.parent.mkdir(exist_ok=True)
    place.symlink_to(folder / "other" / "verdicts.jsonl")
    code, words = invoke(*command)
    assert content(folder) == before
    assert code == 2 and "belongs to a run" in words, words


@pytest.mark.parametrize("name", ["run.json", "verdicts.jsonl", "generations.jsonl", "checksums.json"])
def test_a_file_of_a_run_is_refused(folder: Path, name: str) -> None:
    before = content(folder)
    code, words = invoke("compare", "plain", "k2", "--out", f"other/{name}")
    assert content(folder) == before
    assert code == 2 and "belongs to a run" in words


def test_a_table_beside_the_files_of_a_run_is_written(folder: Path) -> None:
    assert invoke("leaderboard", "k2", "--out", "other/leaderboard")[0] == 0
    assert (folder / "other" / "leaderboard.csv").exists()


def test_a_page_of_a_job_is_not_added_to_a_file_of_a_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "other/verdicts.jsonl")
    before = content(folder)
    assert invoke("gate", "gate.yaml", "plain", "--baseline", "k2")[0] == 2
    assert content(folder) == before


@pytest.mark.parametrize("name", ["verdicts.jsonl", "run.json", "engine.log"])
def test_a_run_whose_file_is_a_link_into_another_run_is_not_written(folder: Path, name: str) -> None:
    (folder / "plain" / name).unlink(missing_ok=True)
    (folder / "k2" / name).touch()
    (folder / "plain" / name).symlink_to(folder / "k2" / name)
    with pytest.raises(JournalError, match="to be a file of the run itself"):
        Journal(folder / "plain")


@pytest.mark.parametrize("name", [".lock", "verdicts.jsonl", "generations.jsonl", "engine.log"])
def test_a_link_of_a_run_to_any_file_changes_that_file_by_no_command(folder: Path, name: str) -> None:
    precious = folder / "token"
    precious.write_text("one line without an end")
    (folder / "plain" / name).unlink(missing_ok=True)
    (folder / "plain" / name).symlink_to(precious)
    code, words = invoke("grade", "plain")
    assert precious.read_text() == "one line without an end"
    assert code == 2 and "got a link to" in words


@pytest.mark.parametrize(
    "command",
    [
        ("compare", "plain", "k2", "--out", "loop"),
        ("gate", "gate.yaml", "plain", "--baseline", "k2", "--json", "loop"),
        ("report", "plain", "--out", "loop"),
        ("export", "plain", "--format", "parquet", "--out", "loop"),
    ],
    ids=lambda command: command[0],
)
def test_a_link_that_leads_to_itself_is_bad_input(folder: Path, command: tuple[str, ...]) -> None:
    (folder / "loop").symlink_to("loop")
    code, words = invoke(*command)
    assert code == 2 and "loop" in words


def test_a_run_whose_description_is_a_link_to_itself_is_bad_input(folder: Path) -> None:
    (folder / "plain" / "run.json").unlink()
    (folder / "plain" / "run.json").symlink_to("run.json")
    assert invoke("gate", "gate.yaml", "plain", "--baseline", "k2")[0] == 2


@pytest.mark.parametrize("name", ["../out.txt", "a/../../out.txt", "/out.txt"])
def test_names_in_a_run_lead_to_no_file_outside_of_an_export(tmp_path: Path, name: str) -> None:
    with pytest.raises(JournalError, match="below"), Folder(tmp_path / "exported").file(name):
        pass
    assert os.listdir(tmp_path) == []
