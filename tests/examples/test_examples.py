"""Every example runs, and prints what it promises."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "JUPYTER_PLATFORM_DIRS": "1"}

pytestmark = pytest.mark.timeout(300)


def printed(example: str, folder: Path) -> str:
    """The output of an example that is started in an empty folder."""
    done = subprocess.run(
        [sys.executable, EXAMPLES / example], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_example_of_an_evaluation_prints_scores_outcomes_and_responses(tmp_path: Path) -> None:
    output = printed("evaluate.py", tmp_path)
    assert "example-scripted: poor-student, recipe plain" in output
    assert re.search(r"correct +6\nwrong +98\n", output)
    assert "smoke-02, repeat 0: correct" not in output  # only the first two samples are shown
    assert "smoke-01, repeat 1: wrong: <think>Let me remember.</think>\\boxed{42}" in output


def test_the_example_of_a_recipe_is_better_than_a_single_answer(tmp_path: Path) -> None:
    output = printed("own_recipe.py", tmp_path)
    assert "recipe __main__:second_look) against plain" in output
    assert "better     +10 −0" in output


def test_the_example_of_grading_tells_right_from_wrong(tmp_path: Path) -> None:
    outcomes = re.findall(r"outcome (\w+)", printed("grade_responses.py", tmp_path))
    assert outcomes == ["correct", "correct", "correct", "wrong", "no_answer", "correct", "wrong"]


def test_the_own_task_is_found_and_asked(tmp_path: Path) -> None:
    script = tmp_path / "script.jsonl"
    script.write_text(
        '{"match": "17 + 25", "responses": ["\\\\boxed{42}"]}\n{"match": "", "responses": ["?"]}\n'
    )
    command = f"run --engine scripted --model {script} --tasks sums --out runs/sums --set sums.repeats=1"
    done = subprocess.run(
        [sys.executable, "-m", "k2eval", *command.split()],
        cwd=tmp_path,
        env={**ENVIRONMENT, "K2EVAL_TASKS": str(EXAMPLES / "own_task")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "sums: 12 questions × 1 repeats from sums.jsonl" in done.stdout
    verdicts = (tmp_path / "runs/sums/verdicts.jsonl").read_text()
    assert verdicts.count('"outcome": "correct"') == 1


def read() -> Any:
    """The notebook as it is committed."""
    return nbformat.reads((EXAMPLES / "compare.ipynb").read_text(encoding="utf-8"), as_version=4)  # type: ignore[no-untyped-call]


@pytest.fixture(scope="module")
def notebook() -> Any:
    """The notebook with the outputs of all its cells."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        content = read()
        client = NotebookClient(content, timeout=200, resources={"metadata": {"path": EXAMPLES}})
        return client.execute()


def outputs(notebook: Any, source: str, kind: str) -> str:
    """The output of the one cell that has this source in it."""
    [cell] = [cell for cell in notebook.cells if cell.cell_type == "code" and source in cell.source]
    return "".join(str(output.get("data", {}).get(kind, output.get("text", ""))) for output in cell.outputs)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("source", "kind", "words"),
    [
        ("evaluate_async", "text/html", "hasty: hasty, recipe plain, seed 0"),
        ("build_leaderboard", "text/html", "<b>100.0"),
        ("comparison = ", "text/html", "careful (careful, recipe plain) against hasty (hasty, recipe plain)"),
        ("groupby", "text/plain", "digits"),
        ("sum-02", "text/plain", "boxed{3}"),
        ("to_markdown", "text/plain", "# Comparison"),
    ],
)
def test_the_notebook_shows_runs_leaderboard_and_comparison(
    notebook: Any, source: str, kind: str, words: str
) -> None:
    assert words in outputs(notebook, source, kind)


def test_the_notebook_is_committed_without_outputs() -> None:
    content = read()
    assert [cell for cell in content.cells if cell.get("outputs")] == []
