"""The public names: all there, explained, typed, and imported only when they are used."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import pytest

import k2eval

PUBLIC = [
    "ComparisonTable", "ConfigError", "DataError", "Engine", "EngineError", "EngineInfo", "EngineStopped", "Generation",
    "Grade", "JournalError", "K2EvalError", "LeaderboardTable", "Message", "Outcome", "PromptTooLong", "Question",
    "Request", "Response", "Responses", "Run", "RunConfig", "RunRecord", "Sample", "Sampling", "SandboxUnavailable",
    "ScriptedEngine", "StoredResponse", "Verdict", "__version__", "build_leaderboard", "compare_runs", "evaluate",
    "evaluate_async", "grade", "load_run",
]  # fmt: skip
OBJECTS = [name for name in PUBLIC if name != "__version__"]
FUNCTIONS = [name for name in OBJECTS if name[0].islower()]


def test_the_public_names_are_these() -> None:
    assert sorted(k2eval.__all__) == PUBLIC
    assert set(OBJECTS) <= set(dir(k2eval))


@pytest.mark.parametrize("name", OBJECTS)
def test_each_name_is_there_and_documented(name: str) -> None:
    assert inspect.getdoc(getattr(k2eval, name))


@pytest.mark.parametrize(
    "name", ["Run", "Responses", "StoredResponse", "LeaderboardTable", "ComparisonTable"]
)
def test_each_public_member_is_documented(name: str) -> None:
    members = {key: value for key, value in vars(getattr(k2eval, name)).items() if not key.startswith("_")}
    without = [key for key, value in members.items() if callable(value) and not inspect.getdoc(value)]
    without += [key for key, value in members.items() if isinstance(value, property) and not value.__doc__]
    assert not without


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_argument_and_result_is_typed(name: str) -> None:
    function = getattr(k2eval, name)
    hints = get_type_hints(function, vars(inspect.getmodule(function)) | {"Json": object})
    assert set(hints) == {*inspect.signature(function).parameters, "return"}


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name != "load_run"])
def test_each_argument_is_documented(name: str) -> None:
    function = getattr(k2eval, name)
    documentation = inspect.getdoc(function) or ""
    missing = [
        each for each in inspect.signature(function).parameters if f"    {each}: " not in documentation
    ]
    assert not missing


def test_both_ways_to_evaluate_take_the_same_arguments() -> None:
    assert inspect.signature(k2eval.evaluate) == inspect.signature(k2eval.evaluate_async)


def test_a_misspelt_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="evluate"):
        k2eval.evluate  # type: ignore[attr-defined]  # noqa: B018


def test_importing_k2eval_imports_nothing_heavy() -> None:
    program = "import sys, k2eval; print(sorted({'numpy', 'pandas', 'pydantic', 'rich', 'yaml'} & set(sys.modules)))"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_package_says_that_it_is_typed() -> None:
    assert (Path(k2eval.__file__).parent / "py.typed").is_file()
