"""`k2eval run --dry-run`: what there is to do, without doing it."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from k2eval.cli import dry_run as module
from k2eval.cli.app import app
from k2eval.cli.dry_run import dry_run, plan_of
from k2eval.config.run import RunConfig
from k2eval.sandbox.types import DoctorRow
from tests.chat_templates import DEMANDS_EFFORT, GEMMA_2, checkpoint
from tests.report.scripted import smoke_run


@pytest.fixture(autouse=True)
def hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests are offline."""
    monkeypatch.delenv("K2EVAL_DATA", raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(module, "hub_row", lambda: DoctorRow("hub", True, "asked", ""))


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "script.jsonl"
    path.write_text(json.dumps({"match": "", "responses": ["x"]}) + "\n")
    return path


def config(script: Path, **fields: Any) -> RunConfig:
    given = {
        "model": str(script),
        "tasks": ("smoke",),
        "out": script.parent / "run",
        "engine": {"kind": "scripted"},
    }
    return RunConfig.model_validate(given | fields)


def shown(run: RunConfig) -> tuple[int, str]:
    console = Console(file=io.StringIO(), width=200)
    code = dry_run(run, console)
    file: Any = console.file
    return code, file.getvalue()


def test_it_counts_and_writes_nothing(script: Path) -> None:
    plan = plan_of(config(script, repeats=3, limit=5, sampling={"max_tokens": 100}), "smoke")
    assert (plan.questions, plan.samples, plan.most_tokens) == (5, 15, 1500)
    code, text = shown(config(script))
    assert code == 0 and "The run can start." in text
    assert sorted(path.name for path in script.parent.iterdir()) == ["script.jsonl"]


def test_a_recipe_of_several_candidates_multiplies_the_tokens(script: Path) -> None:
    plain = plan_of(config(script), "smoke").most_tokens
    assert plan_of(config(script, recipe="k2"), "smoke").most_tokens == 3 * plain


def test_an_answer_is_no_longer_than_the_context(script: Path, tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint"
    checkpoint.mkdir()
    (checkpoint / "config.json").write_text('{"max_position_embeddings": 512}')
    run = config(script, model=str(checkpoint), engine={"kind": "vllm"}, sampling={"max_tokens": 64000})
    assert plan_of(run, "smoke").max_tokens == 512
    for length in (-1, "long"):  # left to vLLM
        run = config(
            script,
            model=str(checkpoint),
            engine={"kind": "vllm", "arguments": {"max_model_len": length}},
            sampling={"max_tokens": 64000},
        )
        assert plan_of(run, "smoke").max_tokens == 512


def test_every_problem_is_told_at_once(tmp_path: Path, script: Path) -> None:
    code, text = shown(
        config(script, tasks=("smoke", "aime24", "nope"), model="/no", recipe="bestof", engine={})
    )
    assert code == 2
    for problem in (
        "Unknown task 'nope'",
        "Task aime24: no questions found",
        "no checkpoint at /no",
        "Unknown recipe",
    ):
        assert problem in text
    assert "The run cannot start: 4 checks failed." in text


def test_a_directory_that_holds_this_run_says_how_much_is_there(tmp_path: Path, script: Path) -> None:
    out = smoke_run(tmp_path / "run", repeats=1, limit=2)
    same = script.rename(tmp_path / "scripted")  # the script's name is its identity
    before = sorted((path, path.stat().st_mtime_ns) for path in out.iterdir())
    words = module.directory_words(config(same, out=out, limit=4, repeats=1))
    assert words.startswith(f"{out} holds this run: 2 of 4 samples are there")
    assert sorted((path, path.stat().st_mtime_ns) for path in out.iterdir()) == before


def test_a_directory_that_holds_another_run_is_a_problem(tmp_path: Path, script: Path) -> None:
    out = smoke_run(tmp_path / "run", repeats=1, limit=2)
    code, text = shown(config(script, out=out, limit=2, repeats=1, seed=7))
    assert code == 2
    assert "holds a different run" in text


def test_the_command_needs_no_engine(script: Path) -> None:
    arguments = ["run", "--dry-run", "--engine", "scripted", "--model", str(script), "--tasks", "smoke"]
    result = CliRunner().invoke(app, [*arguments, "--out", str(script.parent / "run")])
    assert result.exit_code == 0, result.output
    assert not (script.parent / "run").exists()


def test_prompts_of_all_stages_are_tried(script: Path) -> None:
    code, text = shown(config(script, recipe="k2", roles={"answer_judge": {}}))
    assert code == 0
    assert (
        "prompts: the stages plan (planner), solve (solver), judge (judge)" in text
        and "answer_judge (answer_judge) can be asked" in text
    )


def test_a_template_that_demands_an_argument_fails_the_dry_run(tmp_path: Path) -> None:
    model = checkpoint(tmp_path / "model", DEMANDS_EFFORT)
    run = RunConfig.model_validate({"model": model, "tasks": ("smoke",), "out": tmp_path / "run"})
    code, text = shown(run)
    assert code == 2 and "prompts: smoke, stage solve (solver)" in text
    assert shown(run.model_copy(update={"reasoning_effort": "low"}))[0] == 0


def test_the_dry_run_says_that_system_text_is_folded(tmp_path: Path) -> None:
    model = checkpoint(tmp_path / "model", GEMMA_2)
    _, text = shown(RunConfig.model_validate({"model": model, "tasks": ("smoke",), "out": tmp_path / "run"}))
    assert "system text stands at the start of the first user turn" in text


def test_runs_that_tell_lengths_are_read(script: Path, tmp_path: Path) -> None:
    earlier = smoke_run(tmp_path / "earlier", repeats=1, limit=2)
    code, text = shown(config(script, lengths_from=(earlier,)))
    assert code == 0 and f"{earlier.name} can be read (smoke)" in " ".join(text.split())
    code, text = shown(config(script, lengths_from=(tmp_path / "nothing",)))
    assert code == 2 and "is not a run directory" in text


def test_a_limit_is_told_in_words(script: Path) -> None:
    assert "Note: smoke: limited to the first 2." in shown(config(script, limit=2))[1]
