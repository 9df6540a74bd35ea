"""Help as a user reads it."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from k2eval.cli.app import app

SOURCES = Path(__file__).resolve().parents[2] / "k2eval"
ROOT: Any = typer.main.get_command(app)


def commands(group: Any = ROOT, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(commands())


def help_of(*path: str) -> str:
    result = CliRunner().invoke(app, [*path, "--help"], terminal_width=300, env={"COLUMNS": "300"})
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def parameters() -> Iterator[Any]:
    for path, command in COMMANDS.items():
        for parameter in command.params:
            if parameter.name != "help" and not getattr(parameter, "hidden", False):
                yield pytest.param(parameter, id=f"{' '.join(path)} {parameter.name}")


def test_every_default_that_the_sources_name_is_shown() -> None:
    written = set()
    for source in SOURCES.rglob("*.py"):
        written |= set(re.findall(r"\[default: [^\]]+\]", source.read_text(encoding="utf-8")))
    shown = " ".join(help_of(*path) for path in COMMANDS if path != ("lm-eval",))
    assert len(written) >= 9
    assert [text for text in written if text not in shown] == []


@pytest.mark.parametrize("parameter", list(parameters()))
def test_every_help_text_is_a_sentence_of_several_words(parameter: Any) -> None:
    text = re.sub(r"\[default: [^\]]+\]$", "", parameter.help or "").strip()
    assert re.match(r"[A-Z].*\.$", text, re.DOTALL), text
    assert len(text.split()) >= 4, text


@pytest.mark.parametrize("path", [path for path in COMMANDS if path != ("lm-eval",)], ids=" ".join)
def test_no_word_of_a_help_text_is_taken_for_markup(path: tuple[str, ...]) -> None:
    shown = re.sub(r"[│╭╰─╮╯\s]", "", help_of(*path))
    for parameter in COMMANDS[path].params:
        if parameter.name != "help" and not getattr(parameter, "hidden", False):
            text = re.sub(r"[`*\s]", "", getattr(parameter, "help", None) or "")
            assert text in re.sub(r"[*]", "", shown), parameter.name


def test_commands_stand_in_groups() -> None:
    shown = help_of()
    places = [shown.index(f"─ {group} ─") for group in ("Evaluate", "Look", "Compare", "Exchange", "Machine")]
    assert places == sorted(places)
    assert "─ Commands ─" not in shown


def test_options_of_run_stand_in_groups() -> None:
    shown = help_of("run")
    for group in ("Run", "Model and engine", "Data", "Machine"):
        assert f"─ {group} ─" in shown


def test_the_version_is_shown() -> None:
    import k2eval

    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.output) == (0, f"k2eval {k2eval.__version__}\n")


def complete(words: str, number: int) -> list[str]:
    result = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "k2eval"],
        env=os.environ | {"_K2EVAL_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(number)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert not re.search(r"\| +(pandas|datasets|torch|lm_eval|jinja2)$", result.stderr, re.MULTILINE)
    return result.stdout.split()


def test_the_shell_completes_the_last_of_several_tasks_and_imports_nothing_heavy() -> None:
    assert complete("k2eval run --tasks smoke,nano_m", 3) == ["smoke,nano_math"]


def test_the_shell_completes_recipes() -> None:
    assert complete("k2eval run --recipe k2-", 3) == ["k2-published", "k2-tournament"]


def test_every_recipe_that_is_completed_exists() -> None:
    from k2eval.cli.completion import RECIPES
    from k2eval.recipes.registry import recipe_for

    for name in RECIPES:
        assert callable(recipe_for(name))


def test_every_task_and_group_is_completed() -> None:
    from k2eval.cli.completion import task
    from k2eval.tasks.files import task_files, task_groups

    assert task(typer.Context(ROOT), "") == sorted([*task_files(), *task_groups()])


def test_tasks_of_an_included_folder_are_completed(tmp_path: Path) -> None:
    (tmp_path / "puzzle.yaml").write_text("task: puzzle\n")
    assert complete(f"k2eval run --include-path {tmp_path} --tasks puz", 5) == ["puzzle"]


def path_parameters() -> Iterator[Any]:
    for path, command in COMMANDS.items():
        for parameter in command.params:
            names = getattr(parameter, "opts", [])
            if parameter.metavar in ("DIR", "FILE", "PATH", "RUN", "RESPONSES") and names[0].startswith("--"):
                yield pytest.param(path, names[-1], id=f"{' '.join(path)} {names[-1]}")


@pytest.mark.parametrize(("path", "option"), list(path_parameters()))
def test_an_empty_path_is_refused_and_not_taken_for_the_current_folder(
    path: tuple[str, ...], option: str
) -> None:
    result = CliRunner().invoke(app, [*path, option, ""])
    assert result.exit_code == 2
    assert "expected a path, got an empty text" in " ".join(result.output.replace("│", " ").split())


def test_an_empty_run_directory_is_refused() -> None:
    result = CliRunner().invoke(app, ["grade", ""])
    assert result.exit_code == 2
    assert "expected a path" in result.output
