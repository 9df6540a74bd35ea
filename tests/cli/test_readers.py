"""The commands that read runs: all are known to the tests, and none imports or opens what a run names."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from k2eval.cli.app import app
from k2eval.errors import K2EvalError
from tests.readers import COMMANDS, OTHERS, READERS, WRITERS, write_policy

OLD = Path(__file__).parents[1] / "data" / "run-0.1.0"
CODE = "from pathlib import Path\nPath(__file__).with_name('imported').touch()\n"
TASK = """
task: smoke
doc_to_text: "{{problem}}"
output_type: generate_until
generation_kwargs: {max_gen_toks: 64}
metadata:
  version: 1
  k2eval:
    {task: smoke, title: Smoke, kind: general, grader: makers.code, adapter: "makers_code:adapt",
     solver: "makers_code:solve", data: {bundled: rows.jsonl}}
"""


def test_each_command_is_known_to_read_runs_or_not() -> None:
    known = [*READERS, *WRITERS, *OTHERS]
    assert sorted(known) == sorted(get_command(app).commands)  # type: ignore[attr-defined]


def test_each_command_with_an_argument_of_runs_reads_them() -> None:
    commands = get_command(app).commands.items()  # type: ignore[attr-defined]
    of_runs = {name for name, command in commands if any(p.metavar == "RUN" for p in command.params)}
    assert of_runs - OTHERS.keys() <= READERS.keys() | WRITERS.keys()


@pytest.fixture
def foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Runs whose maker's code could be imported: it is in the current folder, which is in the path of Python."""
    folder = shutil.copytree(OLD, tmp_path / "runs")
    write_policy(folder)
    (folder / "makers_code.py").write_text(CODE)
    (folder / "makers").mkdir()
    (folder / "makers" / "code.py").write_text(CODE)
    (folder / "tasks").mkdir()
    (folder / "tasks" / "smoke.yaml").write_text(TASK)
    os.mkfifo(folder / "rows")
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delenv("K2EVAL_DATA", raising=False)
    yield folder
    for name in [name for name in sys.modules if name.startswith("makers")]:
        del sys.modules[name]


def claim(folder: Path, **config: object) -> None:
    for run in ("k2", "plain"):
        path = folder / run / "run.json"
        described = json.loads(path.read_text())
        described["config"] |= config
        described["recipe"] = described["config"]["recipe"]
        path.write_text(json.dumps(described))


def invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, arguments)
    if isinstance(result.exception, K2EvalError):
        return 2, str(result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def was_imported(folder: Path) -> bool:
    return any(folder.rglob("imported")) or any(name.startswith("makers") for name in sys.modules)


@pytest.mark.parametrize("command", [*COMMANDS, ("grade", "k2")], ids="-".join)
def test_nothing_that_a_run_names_is_imported_or_opened(foreign: Path, command: tuple[str, ...]) -> None:
    places = {"include_path": [str(foreign / "tasks")], "data": str(foreign / "rows")}
    claim(foreign, recipe="makers_code:recipe", **places)
    invoke(*command)
    assert not was_imported(foreign)


@pytest.mark.parametrize("command", ["grade", "verify"])
def test_a_recipe_of_the_makers_own_is_asked_for(foreign: Path, command: str) -> None:
    claim(foreign, recipe="makers_code:recipe")
    code, words = invoke(command, "k2")
    assert code == 2 and "give --recipe makers_code:recipe" in words
    assert not was_imported(foreign)
    assert invoke(command, "k2", "--recipe", "makers_code:recipe")[0] == 2  # it has no such function
    assert was_imported(foreign)


@pytest.mark.parametrize("command", ["grade", "verify"])
def test_another_recipe_than_that_of_the_run_is_refused(foreign: Path, command: str) -> None:
    code, words = invoke(command, "k2", "--recipe", "makers_code:recipe")
    assert code == 2 and "expected the recipe of the run, 'k2'" in words
    assert not was_imported(foreign)


@pytest.mark.parametrize(
    "command", [("grade", "k2"), ("verify", "k2"), ("ablation", "k2")], ids=lambda c: c[0]
)
def test_the_folders_that_a_run_names_are_asked_for(foreign: Path, command: tuple[str, ...]) -> None:
    claim(foreign, include_path=[str(foreign / "tasks")], data=str(foreign / "rows"))
    path = foreign / "k2" / "run.json"
    path.write_text(path.read_text().replace('"smoke"', '"makers"'))
    verdicts = foreign / "k2" / "verdicts.jsonl"
    verdicts.write_text(verdicts.read_text().replace('"smoke"', '"makers"'))
    code, words = invoke(*command)
    assert code == 2
    assert f"give --include-path {foreign / 'tasks'} --data {foreign / 'rows'}" in words


def test_a_page_says_which_folders_would_show_its_texts(foreign: Path) -> None:
    claim(foreign, include_path=[str(foreign / "tasks")])
    path = foreign / "k2" / "run.json"
    described = json.loads(path.read_text())
    described["tasks"]["smoke"]["fingerprint"] = "of the maker's own questions"
    path.write_text(json.dumps(described))
    code, words = invoke("export", "k2", "--format", "huggingface", "--out", "exported")
    assert code == 0 and f"give --include-path {foreign / 'tasks'}" in words
