"""The commands of README.md for models that think are right as they stand, over toy checkpoints of those families."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from k2eval.cli.app import app
from tests.docs.test_first_hour import ROOT, commands
from tests.models.families import write

FAMILIES = {"LLM360/K2-Think": "k2_think", "openai/gpt-oss-20b": "gpt_oss", "Qwen/Qwen3-8B": "qwen3"}
CONTEXTS = {"k2_think": 131_072, "gpt_oss": 131_072, "qwen3": 40_960}


def command_for(model: str) -> list[str]:
    [command] = commands(ROOT / "README.md", rf"^k2eval run --model {model} ")
    words = shlex.split(command)[2:]
    words[words.index("--tasks") + 1] = "nano_math,nano_choice"  # whose questions are here
    return words


def without(words: list[str], *options: str) -> list[str]:
    kept = list(words)
    for option in options:
        if option in kept:
            at = kept.index(option)
            del kept[at : at + 2]
    return kept


def checked(model: str, tmp_path: Path) -> dict[str, Any]:
    name = FAMILIES[model]
    folder = write(name, tmp_path / name, weights=False, context=CONTEXTS[name])
    (folder / "model.safetensors").write_bytes(b"weights")  # which nothing reads
    options = without(command_for(model), "--model", "--out", "--repeats")
    recipe = [] if "--recipe" in options else ["--recipe", "plain"]
    result = CliRunner().invoke(app, ["check-model", str(folder), "--json", *options, *recipe])
    assert result.exit_code == 0, result.output
    findings: dict[str, Any] = json.loads(result.stdout)
    assert findings["to_set"] == []
    return findings


@pytest.mark.parametrize("model", FAMILIES)
def test_the_command_would_start(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    words = command_for(model)
    folder = write(FAMILIES[model], tmp_path / "model", ["<answer>", "4"])
    words[words.index("--model") + 1] = str(folder)
    words[words.index("--out") + 1] = str(tmp_path / "run")
    result = CliRunner().invoke(app, ["run", *words, "--dry-run"])
    assert result.exit_code == 0, result.output
    assert "The run can start." in result.output


def test_k2_think_keeps_its_own_system_text_in_every_solution(tmp_path: Path) -> None:
    findings = checked("LLM360/K2-Think", tmp_path)
    assert findings["facts"]["reasoning"].startswith("think ")
    [solved] = [prompt["text"] for prompt in findings["prompts"] if "(solver)" in prompt["title"]]
    assert solved.startswith("<|im_start|>system\nYou are K2-Think.<|im_end|>\n<|im_start|>user\n")
    assert solved.endswith("<think>\n")


def test_gpt_oss_thinks_hard(tmp_path: Path) -> None:
    findings = checked("openai/gpt-oss-20b", tmp_path)
    assert findings["facts"]["reasoning"].startswith("harmony ")
    assert all("Reasoning: high" in prompt["text"] for prompt in findings["prompts"])


def test_qwen3_thinks_within_its_context(tmp_path: Path) -> None:
    findings = checked("Qwen/Qwen3-8B", tmp_path)
    assert findings["facts"]["reasoning"].startswith("think ")
    assert all(prompt["text"].endswith("<|im_start|>assistant\n") for prompt in findings["prompts"])
    assert not any("cut" in note for note in findings["notes"])
