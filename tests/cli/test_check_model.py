"""`k2eval check-model` on the families of checkpoints that people evaluate, and on checkpoints that are not whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from k2eval.cli.app import app
from k2eval.errors import ConfigError
from tests.chat_templates import QWEN_3, checkpoint
from tests.models.families import FAMILIES, write

NANO = Path(__file__).parents[2] / "models" / "nano"


def check(model: Path | str, *options: str) -> tuple[int, dict[str, Any]]:
    result = CliRunner().invoke(app, ["check-model", str(model), "--json", *options], catch_exceptions=False)
    return result.exit_code, json.loads(result.stdout)


def family(folder: Path, name: str) -> Path:
    return with_weights(write(name, folder / name, weights=False))


def with_weights(folder: Path) -> Path:
    """Put something in place of weights, which nothing here reads."""
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


@pytest.mark.parametrize("name", [name for name in FAMILIES if name != "needs_effort"])
def test_ordinary_families_are_ready_for_all_stages(tmp_path: Path, name: str) -> None:
    code, findings = check(family(tmp_path, name), "--recipe", "k2")
    assert (code, findings["to_set"]) == (0, [])
    steps = [prompt["title"].partition(",")[0] for prompt in findings["prompts"]]
    assert steps == ["plan (planner)", "solve (solver)", "judge (judge)"]


@pytest.mark.parametrize(
    ("name", "reasoning"),
    [("r1", "think"), ("qwen3", "think"), ("gpt_oss", "harmony"), ("magistral", "mistral"), ("seed", "seed")],
)
def test_the_reasoning_format_and_its_place_are_named(tmp_path: Path, name: str, reasoning: str) -> None:
    _, findings = check(family(tmp_path, name))
    assert findings["facts"]["reasoning"] == f"{reasoning} (found in the chat template)"


def test_what_a_prompt_opens_is_named(tmp_path: Path) -> None:
    _, findings = check(family(tmp_path, "r1"))
    assert all(prompt["title"].endswith("opens <think>") for prompt in findings["prompts"])


@pytest.mark.parametrize("name", ["gemma", "mistral"])
def test_folded_system_text_is_named(tmp_path: Path, name: str) -> None:
    _, findings = check(family(tmp_path, name))
    assert "folded into the first user turn" in findings["facts"]["system text"]
    assert any("system text stands at the start of the first user turn" in note for note in findings["notes"])


@pytest.mark.parametrize("name", ["k2_think", "magistral"])
def test_system_text_of_the_template_s_own_is_shown_unless_it_is_kept(tmp_path: Path, name: str) -> None:
    folder = family(tmp_path, name)
    advice = "the template leaves its own system text out if a task gives one: --system none keeps it"
    assert advice in check(folder)[1]["notes"]
    assert advice not in check(folder, "--system", "none")[1]["notes"]


def test_arguments_that_the_template_reads_are_named(tmp_path: Path) -> None:
    assert check(family(tmp_path, "k2_think"))[1]["facts"]["chat template"].endswith("reads reasoning_effort")


def test_an_argument_that_is_demanded_must_be_set(tmp_path: Path) -> None:
    folder = family(tmp_path, "needs_effort")
    code, findings = check(folder)
    assert code == 1 and not findings["ready"]
    [words] = findings["to_set"]
    assert "--reasoning-effort VALUE" in words and words.endswith("(in plan, solve, judge)")
    assert check(folder, "--reasoning-effort", "high")[0] == 0


def test_a_switch_without_effect_must_be_left_out(tmp_path: Path) -> None:
    code, findings = check(family(tmp_path, "r1"), "--thinking", "off")
    assert code == 1 and "no switch for thinking" in findings["to_set"][0]


def test_a_base_model_is_named_as_one(tmp_path: Path) -> None:
    assert (
        "there is no chat template: prompts are plain text, as for a base model"
        in check(family(tmp_path, "base"))[1]["notes"]
    )


def test_an_end_of_answers_that_vllm_does_not_know_must_be_set() -> None:
    code, findings = check(NANO / "base")
    assert code == 1
    assert "ends an answer with <|im_end|>" in findings["to_set"][0]
    assert check(NANO / "base", "--set", 'sampling.stop=["</answer>", "<|im_end|>"]')[0] == 0


def test_the_bundled_checkpoint_is_ready() -> None:
    assert check(NANO / "rl")[0] == 0


def test_a_doubled_start_is_found(tmp_path: Path) -> None:
    model = checkpoint(tmp_path / "m", "{{ bos_token }}{{ bos_token }}{{ messages[-1].content }}")
    with_weights(Path(model))
    code, findings = check(model)
    assert code == 1 and "begins with <s> twice" in findings["to_set"][0]


def test_a_context_that_cuts_answers_is_named_with_what_extends_it(tmp_path: Path) -> None:
    long = {"max_position_embeddings": 32_768, "rope_theta": 1e6, "architectures": ["Toy"]}
    _, findings = check(checkpoint(tmp_path / "m", QWEN_3, config=long))
    assert any(
        "answers are cut where prompt and answer reach 32,768 tokens" in note for note in findings["notes"]
    )
    [yarn] = [note for note in findings["notes"] if "YaRN" in note]
    assert "factor: 2.0" in yarn and yarn.endswith("engine.max_model_len=65536")


def test_sampling_of_the_checkpoint_s_own_is_named(tmp_path: Path) -> None:
    model = checkpoint(
        tmp_path / "m", QWEN_3, generation_config={"temperature": 0.6, "top_p": 0.95, "top_k": 20}
    )
    _, findings = check(model)
    assert (
        findings["facts"]["generation_config.json"]
        == "temperature 0.6 (asked with 1.0), top_k 20 (asked with 0)"
    )


def test_for_people_prompts_are_shortened_and_special_tokens_stay_visible(tmp_path: Path) -> None:
    folder = family(tmp_path, "qwen3")
    short = CliRunner().invoke(app, ["check-model", str(folder)]).stdout
    whole = CliRunner().invoke(app, ["check-model", str(folder), "--verbose"]).stdout
    assert "<|im_start|>system" in short and short.rstrip().endswith("ready")
    assert "lines]" in short and "lines]" not in whole


@pytest.mark.parametrize("model", ["no/such/folder", "./nothing"])
def test_a_model_that_is_not_there_is_bad_input(model: str) -> None:
    with pytest.raises(ConfigError, match="There is no checkpoint"):
        CliRunner().invoke(app, ["check-model", model], catch_exceptions=False)


def test_a_date_in_the_prompt_is_noted(tmp_path: Path) -> None:
    dated = checkpoint(tmp_path, "{{ strftime_now('%d %b %Y') }}{{ messages[-1].content }}")
    _, findings = check(dated)
    assert any("the date into prompts" in note for note in findings["notes"])


def test_quantised_weights_and_the_limit_of_a_tokenizer_are_shown(tmp_path: Path) -> None:
    config = {"max_position_embeddings": 4096, "quantization_config": {"quant_method": "fp8"}}
    tokenizer = {"chat_template": QWEN_3, "model_max_length": 2048}
    _, findings = check(checkpoint(tmp_path, config=config, tokenizer_config=tokenizer))
    assert findings["facts"]["quantisation"] == "fp8"
    assert findings["facts"]["context"].startswith("2,048 tokens")
    assert any("model_max_length in tokenizer_config.json" in note for note in findings["notes"])


def faults(folder: Path, *options: str) -> list[str]:
    code, findings = check(folder, *options)
    assert code == bool(findings["to_set"])
    return list(findings["to_set"])


def test_a_folder_without_weights_is_not_ready(tmp_path: Path) -> None:
    folder = write("qwen3", tmp_path / "m", weights=False)
    [words] = faults(folder)
    assert words.startswith("there are no weights in") and "copy the checkpoint whole" in words
    assert faults(folder, "--set", "engine.load_format=dummy") == []


@pytest.mark.parametrize("name", ["pytorch_model.bin", "consolidated.00.pth", "model-Q4_K_M.gguf"])
def test_weights_of_another_kind_are_weights(tmp_path: Path, name: str) -> None:
    folder = write("qwen3", tmp_path / "m", weights=False)
    (folder / name).write_bytes(b"weights")
    code, findings = check(folder)
    assert code == 0
    assert any("no *.safetensors files" in note for note in findings["notes"])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "is a pointer of Git LFS"),
    ],
)
def test_files_that_hold_no_weights_are_found(tmp_path: Path, content: bytes, words: str) -> None:
    folder = family(tmp_path, "qwen3")
    (folder / "model.safetensors").write_bytes(content)
    [fault] = faults(folder)
    assert words in fault


def test_a_copy_that_lacks_a_part_of_the_weights_is_found(tmp_path: Path) -> None:
    folder = family(tmp_path, "qwen3")
    parts = {"a": "model.safetensors", "b": "model-2.safetensors"}
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": parts}))
    [fault] = faults(folder)
    assert fault.startswith("1 of 2 files of weights") and "model-2.safetensors" in fault
    index.write_text("[]")
    assert faults(folder) == []


def test_a_name_on_a_server_needs_a_server(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--model names one of the models of a server.*is no URL"):
        check(family(tmp_path, "qwen3"), "--model", "x")


def test_a_protocol_has_its_recipe_prompts_and_limits_looked_at(tmp_path: Path) -> None:
    model = family(tmp_path, "qwen3")
    _, own = check(model, "--tasks", "smoke", "--recipe", "plain")
    _, findings = check(model, "--tasks", "smoke", "--protocol", "matharena")
    assert findings["facts"]["protocol"].startswith("matharena/1, MathArena; recipe plain")
    assert [prompt["title"].partition(",")[0] for prompt in findings["prompts"]] == ["solve (solver)"]
    assert findings["prompts"][0]["text"] != own["prompts"][0]["text"]
    assert any(note.startswith("smoke: ") for note in findings["notes"])


def test_a_recipe_beside_a_protocol_takes_precedence(tmp_path: Path) -> None:
    _, findings = check(family(tmp_path, "qwen3"), "--protocol", "matharena", "--recipe", "plan")
    assert "recipe plan" in findings["facts"]["protocol"]
    assert any(note.startswith("smoke: ") and "recipe" in note for note in findings["notes"])


def test_without_a_protocol_the_recipe_is_k2(tmp_path: Path) -> None:
    _, findings = check(family(tmp_path, "qwen3"))
    assert len(findings["prompts"]) == 3 and "protocol" not in findings["facts"]
