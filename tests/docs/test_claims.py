"""The commands of docs/claims.md: their tasks exist, and the runs would start over a bundled checkpoint."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from k2eval.cli.app import app
from k2eval.recipes import recipe_for
from k2eval.tasks import load_tasks
from tests.docs.test_first_hour import ROOT, RUNS, commands

PAGE = ROOT / "docs" / "claims.md"
WITHOUT_MODEL = ("--system", "--speculative", "--reuse", "--engine", "--reasoning-effort")


def words_of(command: str) -> list[str]:
    return shlex.split(command)[1:]


def value(words: list[str], option: str) -> str:
    return words[words.index(option) + 1]


def test_each_claim_is_on_the_page() -> None:
    text = PAGE.read_text("utf-8")
    named = {int(number) for number in re.findall(r"(?:\*\*|^\| )(\d+)\. ", text, re.MULTILINE)}
    assert named | {6} >= set(range(1, 24))


@pytest.mark.parametrize("command", commands(PAGE, RUNS))
def test_a_run_of_a_claim_would_start(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    words = words_of(command)
    names = value(words, "--tasks")
    assert load_tasks(names.split(","))
    for option in WITHOUT_MODEL:  # those of the claim's own model or server
        if option in words:
            at = words.index(option)
            del words[at : at + 2]
    while "--set" in words:
        at = words.index("--set")
        assert words[at + 1].split(".")[0] in ("engine", "sampling", "roles")
        del words[at : at + 2]
    words[words.index("--model") + 1] = "models/nano/rl"
    words[words.index("--tasks") + 1] = "nano_math"
    words[words.index("--out") + 1] = str(tmp_path / "run")
    result = CliRunner().invoke(app, [*words, "--dry-run"])
    assert result.exit_code == 0, result.output
    assert "The run can start." in result.output


def test_runs_that_other_commands_read_are_made_on_the_page() -> None:
    made = {value(words_of(command), "--out") for command in commands(PAGE, RUNS)}
    read = {
        word
        for command in commands(PAGE, r"^k2eval (?:leaderboard|compare|ablation|breakdown|budget) ")
        for word in words_of(command)
        if word.startswith("runs/")
    }
    assert read <= made


def test_recipes_of_the_page_exist() -> None:
    recipes = {
        value(words, "--recipe") for words in map(words_of, commands(PAGE, RUNS)) if "--recipe" in words
    }
    assert recipes and all(recipe_for(name) for name in recipes)
