"""The format of a checkpoint is found in its files."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from k2eval.reasoning import find_format
from tests.models.families import FAMILIES, write

FORMATS = {
    "r1": "think", "qwen3": "think", "k2_think": "think", "gpt_oss": "harmony", "magistral": "mistral", "seed": "seed",
    "gemma_4": "gemma", "gemma": "auto", "mistral": "auto", "needs_effort": "think", "kimi_vl": "kimi_vl", "sky": "sky",
    "medgemma": "auto", "exaone": "custom", "apertus": "apertus", "solar": "solar", "base": "auto",
}  # fmt: skip


@pytest.mark.parametrize("name", FAMILIES)
def test_the_chat_template_tells_the_format(name: str, tmp_path: Path) -> None:
    result = find_format(str(write(name, tmp_path, weights=False)))
    assert result.form.name == FORMATS[name]
    by_template = FORMATS[name] != "auto" and name != "kimi_vl"
    assert ("the chat template" in result.place) == by_template


@pytest.mark.parametrize("name", ["magistral", "seed", "gpt_oss"])
def test_tokens_tell_the_format_if_there_is_no_template(name: str, tmp_path: Path) -> None:
    write(name, tmp_path, weights=False)
    (tmp_path / "chat_template.jinja").unlink()
    assert find_format(str(tmp_path)).sentence == f"{FORMATS[name]} (found in the tokenizer's tokens)"


def test_the_type_of_the_model_tells_the_format(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt_oss"}))
    assert find_format(str(tmp_path)).sentence == "harmony (found in config.json)"


def test_tags_with_a_suffix_of_their_own_are_found(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text(json.dumps({"added_tokens": [{"content": "<think:6124c78e>"}]}))
    result = find_format(str(tmp_path))
    assert result.form.pairs == (("<think:6124c78e>", "</think:6124c78e>"),)
    assert result.sentence.startswith("{start: '<think:6124c78e>', end: '</think:6124c78e>'} (found in")


def test_a_format_that_is_set_wins(tmp_path: Path) -> None:
    assert find_format(str(write("r1", tmp_path, weights=False)), "harmony").sentence == "harmony (as set)"


def test_the_parser_that_vllm_is_given_tells_the_format() -> None:
    assert find_format("m", "auto", {"reasoning_parser": "seed_oss"}).form.name == "seed"


def test_a_template_that_the_engine_is_given_tells_the_format(tmp_path: Path) -> None:
    template = tmp_path / "own.jinja"
    template.write_text("{{ messages }}[THINK]")
    for given in (str(template), template.read_text()):
        assert find_format("m", "auto", {"chat_template": given}).form.name == "mistral"


@pytest.mark.parametrize("content", ["", "[", "[]", '{"chat_template": 3}', "\xff"])
def test_files_that_cannot_be_read_tell_nothing(content: str, tmp_path: Path) -> None:
    for name in ("tokenizer_config.json", "tokenizer.json", "config.json", "chat_template.jinja"):
        (tmp_path / name).write_text(content, encoding="latin-1")
    assert find_format(str(tmp_path)).form.name == "auto"


def test_neither_transformers_nor_vllm_is_imported(tmp_path: Path) -> None:
    write("qwen3", tmp_path, weights=False)
    code = (
        f"import sys; from k2eval.reasoning import find_format; find_format({str(tmp_path)!r}); find_format('a/b');"
        "sys.exit(any(name in sys.modules for name in ('transformers', 'vllm', 'torch')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_name_on_the_hub_is_looked_up_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = "0" * 40
    repository = tmp_path / "models--owner--r1"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    write("r1", repository / "snapshots" / commit, weights=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert find_format("owner/r1").form.name == "think"
